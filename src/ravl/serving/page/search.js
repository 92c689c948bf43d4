// Searching by a text, a picture, or both. What was searched is in the address, so that back works.
import { address, post, told } from "./api.js";
import { Chooser } from "./chooser.js";
import { byId, el } from "./dom.js";
import { explain } from "./filter.js";
import { hush, say } from "./language.js";
import { ofRow, sent } from "./pictures.js";
import { server } from "./server.js";
import { about } from "./tasks.js";
import { tile, summary } from "./tile.js";

const MOST = 1000; // hits of a search
const USUAL = { mode: "auto", target: "pictures", k: "24", weight: "0.5" };
const FIELDS = ["text", "where", "label", "mode", "target", "k", "weight", "rerank"];
const files = []; // that were searched in this tab; an address names them by their number
let chooser;
let form;
let running = null;
let last = null;

export function setUp() {
  form = byId("search-form");
  chooser = new Chooser(byId("search-picture"), { changed: weigh });
  const labels = Object.keys(server.memory.labels).sort();
  options(form.elements.label, labels, "search.label.any");
  byId("search-label").hidden = !labels.length;
  const rerankers = server.runs.filter((run) => about(run.task).reranks && run.level !== null).map((run) => run.name);
  options(form.elements.rerank, rerankers, "search.rerank.none");
  byId("search-rerank").hidden = !rerankers.length;
  explain("search-where-help");
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    go();
  });
  form.elements.text.addEventListener("input", weigh);
  byId("search-more").addEventListener("click", more);
}

function options(select, values, none) {
  select.replaceChildren(el("option", { value: "", t: none }), ...values.map((value) => el("option", { value }, value)));
}

/** A weight is for both a text and a picture. */
function weigh() {
  byId("search-weight").hidden = !(chooser.picture && form.elements.text.value.trim());
}

/** Search for what another view has. */
export function handOver(text, picture) {
  location.hash = address("#/search", { text, ...named(picture) });
}

export const like = (id) => handOver("", { id });

/** A picture as an address has it. */
function named(picture) {
  if (!picture) return {};
  if (picture.id !== undefined) return { like: picture.id };
  if (!files.includes(picture.file)) files.push(picture.file);
  return { file: files.indexOf(picture.file) };
}

function go() {
  const given = Object.fromEntries(FIELDS.map((name) => [name, form.elements[name].value.trim()]));
  for (const [name, usual] of Object.entries(USUAL)) if (given[name] === usual) delete given[name];
  if (byId("search-weight").hidden) delete given.weight;
  const hash = address("#/search", { ...given, ...named(chooser.picture) });
  if (hash === location.hash) search();
  else location.hash = hash;
}

/** Show the view, and search for what its address says. */
export function show(query) {
  for (const name of FIELDS) form.elements[name].value = query.get(name) ?? USUAL[name] ?? "";
  const id = query.get("like");
  const file = query.has("file") ? files[Number(query.get("file"))] : undefined;
  const before = chooser.picture;
  if (id !== null && before?.id !== id) chooser.set([ofRow(id)]);
  else if (file && before?.file !== file) chooser.set([{ file }]);
  else if (id === null && !file && before) chooser.set([]);
  weigh();
  if (["where", "label", "mode", "target", "rerank"].some((name) => query.get(name))) byId("search-options").open = true;
  if (query.get("text") || chooser.picture) search();
  else clear();
}

function clear() {
  last = null;
  byId("search-hits").replaceChildren();
  byId("search-more").hidden = true;
  hush(byId("search-found"));
  hush(byId("search-error"));
}

/** The filter and the label together. */
function filter() {
  const where = form.elements.where.value.trim();
  const label = form.elements.label.value;
  const same = label && `label = ${JSON.stringify(label)}`;
  return where && same ? `(${where}) and ${same}` : where || same || undefined;
}

async function search() {
  const { text, mode, target, k, weight, rerank } = form.elements;
  clear();
  await told(byId("search-error"), async () => {
    const body = { k: Math.min(Number(k.value) || 24, MOST), mode: mode.value, target: target.value };
    if (text.value.trim()) body.text = text.value.trim();
    if (chooser.picture) body.picture = await sent(chooser.picture);
    if (!byId("search-weight").hidden) body.weight = Number(weight.value);
    if (filter()) body.where = filter();
    if (rerank.value) body.rerank = rerank.value;
    say(byId("search-found"), "search.working");
    try {
      await found(body);
    } catch (error) {
      hush(byId("search-found"));
      throw error;
    }
  });
}

/** Ask, and show the hits that are not there yet. */
async function found(body) {
  running?.abort();
  running = new AbortController();
  const { hits, timings } = await post("/v1/search", body, { signal: running.signal });
  const list = byId("search-hits");
  const before = last === null ? 0 : list.children.length;
  list.append(...hits.slice(before).map(hit));
  last = body;
  byId("search-more").hidden = hits.length < body.k || body.k >= MOST;
  say(byId("search-found"), hits.length ? "search.found" : "search.nothing", { count: hits.length, took: Math.round(timings.total) });
  return before;
}

async function more() {
  await told(byId("search-error"), async () => {
    const step = Number(form.elements.k.value) || 24;
    const before = await found({ ...last, k: Math.min(last.k + step, MOST) });
    byId("search-hits").children[before]?.querySelector("button").focus();
  });
}

function hit(row) {
  return tile(row, {
    words: row.found ?? summary(row),
    extra: [
      el("span", { class: "score", t: ["search.score", { score: row.score.toFixed(3) }] }),
      row.thumbnail && el("button", { type: "button", class: "link", t: "search.like", onclick: () => like(row.id) }),
    ].filter(Boolean),
  });
}
