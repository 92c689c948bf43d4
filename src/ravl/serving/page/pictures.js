// Pictures of the memory: fetched with the key when they come into sight, a few at a time.
import { address, ask } from "./api.js";
import { el } from "./dom.js";

const TOGETHER = 6;
const AHEAD = "300px"; // below the fold
const waiting = [];
let busy = 0;

const observer = new IntersectionObserver(
  (entries) => {
    for (const { isIntersecting, target } of entries.reverse()) {
      if (!isIntersecting) continue;
      observer.unobserve(target);
      waiting.push(target);
    }
    next();
  },
  { rootMargin: AHEAD },
);
const addresses = new WeakMap();

/** A row's picture by its id alone. */
export const ofRow = (id) => ({ id, thumbnail: address("/v1/thumbnail", { id }) });

/** An image of the memory, or a place for a row that has none. */
export function thumbnail(row, side = 320, alt = "") {
  if (!row.thumbnail) return el("span", { class: "none", t: "picture.none" });
  return remote(`${row.thumbnail}&side=${side}`, alt);
}

/** An image from any address of the server. */
export function remote(path, alt = "") {
  const image = el("img", { alt, class: "loading", decoding: "async" });
  addresses.set(image, path);
  observer.observe(image);
  return image;
}

/** Show a file in an image; its blob is let go as soon as it is drawn. */
export function show(image, blob) {
  const url = URL.createObjectURL(blob);
  const done = (state) => () => {
    URL.revokeObjectURL(url);
    image.className = state;
  };
  image.onload = done("");
  image.onerror = done("broken");
  image.src = url;
}

async function next() {
  while (busy < TOGETHER && waiting.length) {
    const image = waiting.pop(); // what came into sight last is what is looked at, from its top
    if (!image.isConnected) continue;
    busy += 1;
    load(image).finally(() => {
      busy -= 1;
      next();
    });
  }
}

async function load(image) {
  try {
    show(image, await (await ask(addresses.get(image), { quiet: true })).blob());
  } catch {
    image.replaceWith(el("span", { class: "none", t: "picture.gone" }));
  }
}

/** A picture as the API takes it: a row's, or a file's bytes. */
export async function sent(picture) {
  if (picture.id !== undefined) return { id: picture.id };
  const text = await new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(picture.file);
  });
  return { base64: text.slice(text.indexOf(",") + 1) };
}
