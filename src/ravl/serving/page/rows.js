// The memory: its rows page by page, with a filter.
import { address, get, told } from "./api.js";
import { setUpAdding } from "./add.js";
import { byId } from "./dom.js";
import { explain } from "./filter.js";
import { hush, say } from "./language.js";
import { mayWrite, server } from "./server.js";
import { tile } from "./tile.js";

const PAGE = 48;
let form;
let before = []; // where the pages before this one began
let now = 0;
let following = null;

export function setUp() {
  form = byId("rows-form");
  byId("rows-add").hidden = !mayWrite();
  setUpAdding(byId("rows-add-form"), page);
  explain("rows-where-help");
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const hash = address("#/rows", { where: form.elements.where.value.trim() });
    if (hash === location.hash) show(new URLSearchParams(hash.split("?")[1]));
    else location.hash = hash;
  });
  byId("rows-next").addEventListener("click", () => turn(() => {
    before.push(now);
    now = following;
  }));
  byId("rows-back").addEventListener("click", () => turn(() => (now = before.pop())));
  document.addEventListener("rowchange", ({ detail }) => {
    for (const node of document.querySelectorAll("#rows-list .tile, #search-hits .tile")) {
      if (node.dataset.id !== detail.id) continue;
      if (detail.row && node.closest("#rows-list")) node.replaceWith(tile(detail.row));
      else if (!detail.row) node.remove();
    }
  });
}

/** Show the view from its first page. */
export async function show(query) {
  form.elements.where.value = query.get("where") ?? "";
  before = [];
  now = 0;
  await page();
}

async function turn(move) {
  move();
  await page();
  byId("main").scrollIntoView();
  byId("rows-list").querySelector("button")?.focus({ preventScroll: true });
}

async function page() {
  const where = form.elements.where.value.trim();
  const list = byId("rows-list");
  list.setAttribute("aria-busy", "true");
  const done = await told(byId("rows-error"), async () => {
    const [found, { count }] = await Promise.all([
      get(address("/v1/rows", { where, after: now, limit: PAGE })), get(address("/v1/rows/count", { where })),
    ]);
    following = found.next;
    list.replaceChildren(...found.rows.map((row) => tile(row)));
    const { name, encoder } = server.memory;
    say(byId("rows-about"), "rows.about", { name, encoder });
    say(byId("rows-found"), where ? "rows.matching" : "rows.count", { count });
    const pages = Math.max(1, Math.ceil(count / PAGE));
    say(byId("rows-page"), "rows.page", { page: before.length + 1, pages });
  });
  if (!done) {
    list.replaceChildren();
    hush(byId("rows-found"));
  }
  list.removeAttribute("aria-busy");
  byId("rows-back").disabled = !before.length;
  byId("rows-next").disabled = !done || following === null;
}
