// What answers here: each run with its figures and its report.
import { address, ask, get, told } from "./api.js";
import { byId, el } from "./dom.js";
import { drift } from "./drift.js";
import { hush, number, percent, say } from "./language.js";
import { learn, server } from "./server.js";
import { taskName } from "./tasks.js";

const FRAME = "/page/report.html"; // a page whose policy lets a report style itself
const NAMES = { zero_shot: "figures.zero", vote: "figures.vote", no_retrieval: "figures.without", with_retrieval: "figures.with" };

let shows = 0; // counts, so that what comes late does not replace what was asked for since

export function setUp() {}

/** Show all runs, or one. */
export async function show(_, name) {
  const mine = (shows += 1);
  hush(byId("runs-error"));
  const body = byId("runs-body");
  if (name === undefined) {
    say(byId("runs-title"), "runs.title");
    await told(byId("runs-error"), learn); // how many rows there are now
    if (mine !== shows) return;
    body.replaceChildren(memory(), el("ul", { class: "cards" }, server.runs.map(card)));
    return;
  }
  hush(byId("runs-title"));
  byId("runs-title").textContent = name;
  body.replaceChildren();
  await told(byId("runs-error"), async () => {
    const run = await get(`/v1/runs/${encodeURIComponent(name)}`);
    if (mine !== shows) return;
    const head = el("h2", { t: "runs.report" });
    body.replaceChildren(el("p", {}, el("a", { href: "#/runs", t: "runs.all" })), facts(run), figures(run.metrics), head);
    const seen = drift(run).then((section) => head.before(section));
    await told(byId("runs-error"), () => Promise.all([seen, report(body, run)]));
  });
}

function memory() {
  const { name, rows, pictures, encoder, version } = server.memory;
  return el("p", { class: "quiet", t: ["runs.memory", { name, rows, pictures, encoder, version }] });
}

function card(run) {
  const trained = run.report !== null;
  const title = trained ? el("a", { href: `#/runs/${encodeURIComponent(run.name)}` }, run.name) : el("span", { t: "runs.alone" });
  return el("li", { class: "card" }, el("h2", {}, title), el("p", {}, taskName(run.task)),
    el("p", { class: "quiet small" }, trained && run.level, " ",
      run.streams && el("span", { class: "badge", t: "runs.streams" }), " ", run.default && el("span", { class: "badge", t: "runs.default" })),
    el("p", {}, el("a", { href: address("#/ask", { task: run.task, run: run.name }), t: "runs.try" })));
}

function facts({ task, level, record }) {
  const parts = Object.entries(record.parts ?? {}).filter(([, count]) => typeof count === "number");
  const found = [
    ["runs.task", taskName(task)],
    ["runs.level", level],
    ["runs.labels", record.labels && [record.labels].flat().slice(0, 40).join(", ")],
    ["runs.generator", typeof record.generator === "string" && record.generator],
    ["runs.parts", parts.length && parts.map(([name, count]) => `${name} ${number(count)}`).join(" · ")],
  ].filter(([, value]) => value);
  return el("dl", { class: "known card side-by-side" }, found.flatMap(([key, value]) => [el("dt", { t: key }), el("dd", {}, value)]));
}

function figures({ rows = {} }) {
  const measures = [...new Set(Object.values(rows).flatMap((row) => Object.keys(row)))];
  if (!measures.length) return el("p", { class: "quiet", t: "figures.none" });
  const head = el("tr", {}, el("td"), measures.map((name) => el("th", { scope: "col" }, name.replaceAll("_", " "))));
  const body = Object.entries(rows).map(([name, row]) => el("tr", {},
    el("th", { scope: "row", ...(NAMES[name] ? { t: NAMES[name] } : {}) }, NAMES[name] ? "" : name.replaceAll("_", " ")),
    measures.map((measure) => el("td", {}, cell(row[measure])))));
  return el("section", {}, el("h2", { t: "figures" }),
    el("div", { class: "scroll", tabindex: "0", role: "region", tLabel: "figures" },
      el("table", {}, el("thead", {}, head), el("tbody", {}, body))),
    el("p", { class: "quiet small", t: "figures.about" }));
}

function cell(score) {
  if (score === undefined || score === null) return "–";
  const shown = (value) => (value === null ? "–" : number(Number(value.toPrecision(3))));
  if (typeof score === "number") return shown(score);
  return [shown(score.value), " ", el("small", { class: "quiet" }, `${shown(score.low)}–${shown(score.high)}`)];
}

/** Write the report into a frame; it is fetched with the key, which a frame could not send. */
async function report(body, run) {
  const html = await (await ask(run.report)).text();
  const frame = el("iframe", { class: "report", sandbox: "allow-same-origin", src: FRAME, tLabel: "runs.report" });
  const loaded = new Promise((resolve) => frame.addEventListener("load", resolve, { once: true }));
  body.append(frame);
  await loaded;
  const inside = frame.contentDocument;
  inside.open();
  inside.write(html);
  inside.close();
}
