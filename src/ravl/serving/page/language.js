// Which language the page speaks; elements remember what they say, so that it can change at once.
import { WORDS } from "./words.js";

const PLACES = {
  "data-t": (node, text) => (node.textContent = text),
  "data-t-label": (node, text) => node.setAttribute("aria-label", text),
};
const values = new WeakMap(); // what fills the gaps of an element's texts

export const language = () => (document.documentElement.lang.startsWith("zh") ? "zh" : "en");

/** A text with its gaps filled: {name}, and {name|one|many} by number. */
export function t(key, given = {}) {
  const [english, chinese] = WORDS[key] ?? [key, key];
  return (language() === "zh" ? chinese : english)
    .replace(/\{(\w+)\|([^|}]*)\|([^}]*)\}/g, (_, name, one, many) => (given[name] === 1 ? one : many))
    .replace(/\{(\w+)\}/g, (_, name) => shown(given[name]));
}

const shown = (value) => (typeof value === "number" ? number(value) : String(value ?? ""));
export const number = (value) => new Intl.NumberFormat(document.documentElement.lang).format(value);
export const percent = (share, digits = share < 0.1 || share > 0.99 ? 1 : 0) =>
  new Intl.NumberFormat(document.documentElement.lang, { style: "percent", maximumFractionDigits: digits }).format(share);
export const moment = (text) =>
  new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "medium", timeStyle: "short" }).format(new Date(text));

/** Let an element say something, now and after the language has changed. */
export function say(node, key, given = {}, place = "data-t") {
  node.setAttribute(place, key);
  values.set(node, { ...values.get(node), [place]: given });
  PLACES[place](node, t(key, given));
  if (place === "data-t") node.removeAttribute("lang");
  return node;
}

/** Let an element say what the server said, in the server's own language. */
export function quote(node, text) {
  node.removeAttribute("data-t");
  node.lang = "en";
  node.textContent = text;
  return node;
}

export function hush(node) {
  node.removeAttribute("data-t");
  node.textContent = "";
}

/** Say everything in the language of the page. */
export function translate(root = document) {
  for (const [place, put] of Object.entries(PLACES)) {
    for (const node of root.querySelectorAll(`[${place}]`)) {
      put(node, t(node.getAttribute(place), values.get(node)?.[place]));
    }
  }
}
