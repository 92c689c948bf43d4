// Evidence: the rows of the memory behind an answer, as pictures.
import { bar, el } from "./dom.js";
import { percent } from "./language.js";
import { tile } from "./tile.js";

const AT_ONCE = 8;

/** A grid of rows with their similarity, what they say, and their share in the decision. */
export function evidence(items) {
  if (!items.length) return el("p", { class: "quiet", t: "evidence.none" });
  const list = el("ul", { class: "grid small-grid" }, items.slice(0, AT_ONCE).map(item));
  const more = items.length > AT_ONCE && el("button", {
    type: "button", t: ["evidence.more", { count: items.length - AT_ONCE }],
    onclick: () => {
      more.remove();
      list.append(...items.slice(AT_ONCE).map(item));
      list.children[AT_ONCE].querySelector("button").focus();
    },
  });
  return el("section", { class: "evidence" }, el("h2", { t: "evidence" }), el("p", { class: "quiet small", t: "evidence.about" }), list, more);
}

function item(row) {
  const says = row.says.length ? row.says : row.texts.slice(0, 1);
  return tile(row, {
    words: says.join(", ") || row.id,
    extra: [
      el("span", { t: ["evidence.similarity", { similarity: percent(Math.max(0, row.similarity)) }] }),
      row.share > 0 && bar(row.share),
      row.share > 0 && el("span", { t: ["evidence.share", { share: percent(row.share) }] }),
    ],
  });
}
