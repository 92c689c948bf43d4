// A row of the memory as a tile: its picture, what is known about it, and what can be done.
import { el } from "./dom.js";
import { thumbnail } from "./pictures.js";
import { openRow } from "./row.js";

/** What a row says in one line. */
export const summary = (row) => row.label || row.texts[0] || row.tags.join(", ") || row.qa[0]?.question || row.id;

/** A list item; `extra` stands below. */
export function tile(row, { words = summary(row), extra = [] } = {}) {
  return el("li", { class: "tile", "data-id": row.id },
    el("button", { type: "button", class: "open", onclick: () => openRow(row.id) },
      thumbnail(row, 320), el("span", { class: "words" }, words)),
    extra.length > 0 && el("div", { class: "facts" }, extra));
}
