// Making elements. Texts only ever become text nodes: nothing that anybody wrote is read as HTML.
import { say } from "./language.js";

const SAID = { t: "data-t", tLabel: "data-t-label" };

/** An element; `t` is a key of words.js or [key, values], `on...` is a listener. */
export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name in SAID) {
      const [key, given] = [value].flat();
      say(node, key, given, SAID[name]);
    } else if (name === "share") node.style.setProperty("--share", Math.max(0, Math.min(1, value)));
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

export const byId = (id) => document.getElementById(id);

/** A bar; its number stands beside it in words. */
export const bar = (share, kind = "") => el("span", { class: `bar ${kind}`, share, "aria-hidden": "true" });

/** A field with its name above it. */
export function field(key, input, extra = "") {
  return el("label", { class: `field ${extra}` }, el("span", { t: key }), input);
}

/** Lines of a text field, without the empty ones. */
export const lines = (text) => text.split("\n").map((line) => line.trim()).filter(Boolean);

/** Words with commas between them. */
export const listed = (text) => text.split(/[,，、]/).map((word) => word.trim()).filter(Boolean);
