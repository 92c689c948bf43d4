// An answer: what was said, how sure it is, who decided, and on which pictures it rests.
import { correction } from "./correct.js";
import { bar, el } from "./dom.js";
import { evidence } from "./evidence.js";
import { hush, percent, say } from "./language.js";
import { about, answerOf } from "./tasks.js";

const SHOWN = 5; // scores
const LONG = 40; // characters of a name from which on scores are folded away

/** Begin to show an answer; returns what fills it. */
export function startAnswer(root, asked) {
  const said = el("p", { class: "said" });
  const live = el("div", { "aria-live": "polite", "aria-busy": "true" }, said);
  const rows = el("div");
  const rest = el("div", { class: "stack" });
  const card = el("article", { class: "card stack answer", tLabel: "answer" }, live, rest, rows);
  say(said, "answer.working");
  root.replaceChildren(card);
  if (card.getBoundingClientRect().top > 0.7 * innerHeight) card.scrollIntoView({ block: "start" }); // below the form on phones
  let written = "";
  return {
    evidence: (items) => rows.replaceChildren(evidence(items)),
    piece(text) {
      written += text;
      hush(said);
      said.textContent = written;
      said.classList.add("writing");
    },
    stop(wished) {
      said.classList.remove("writing");
      live.setAttribute("aria-busy", "false");
      if (written) rest.replaceChildren(el("p", { class: "badge", t: "answer.stopped" }));
      else if (wished) say(said, "answer.stopped");
      else root.replaceChildren();
    },
    finish(data) {
      const { answer } = data;
      said.classList.remove("writing");
      hush(said);
      headline(said, asked.task, answer);
      live.replaceChildren(said, sureness(answer));
      live.setAttribute("aria-busy", "false");
      rest.replaceChildren(
        ...others(asked.task, answer), correction({ ...asked, data }), scores(answer), decided(data), origin(data));
      rows.replaceChildren(evidence(answer.evidence));
    },
  };
}

function headline(node, task, answer) {
  const value = answerOf(task, answer);
  if (typeof value === "boolean") say(node, value ? "match.yes" : "match.no");
  else if (Array.isArray(value)) {
    if (!value.length) say(node, "tag.none");
    node.append(...value.map((tag) => el("span", { class: "chip" }, tag)));
  } else node.textContent = String(value);
}

function sureness(answer) {
  const share = answer.confidence;
  if (share === undefined) return ""; // a text that was streamed is not judged
  return el("div", {},
    el("p", { class: "sure" }, bar(share), el("span", { t: ["answer.sure", { share: percent(share) }] })),
    answer.abstained && el("p", { class: "badge warning", t: "answer.abstained" }));
}

function others(task, answer) {
  const found = [];
  const { beside } = about(task);
  if (beside) found.push(el("p", { class: "quiet" }, answer[beside]));
  if (answer.quoted) found.push(el("p", { class: "quiet small", t: "answer.quoted" }));
  if (answer.read === false) found.push(el("p", { class: "badge warning", t: "answer.unread" }));
  if (!beside && answer.written === false) found.push(el("p", { class: "quiet small", t: "answer.taken" }));
  if (answer.others?.length) {
    found.push(el("div", {}, el("h3", { t: "answer.others" }), el("ul", { class: "plain" }, answer.others.map((text) => el("li", {}, text)))));
  }
  return found;
}

function scores(answer) {
  const found = Object.entries(answer.scores ?? {}).filter(([, share]) => share !== null).slice(0, SHOWN);
  if (found.length < 2) return "";
  const list = el("ul", { class: "scores", tLabel: "answer.scores" }, found.map(([name, share]) =>
    el("li", {}, el("span", { class: "what" }, name), bar(share), el("span", { class: "figure" }, percent(share)))));
  if (found.every(([name]) => name.length < LONG)) return list;
  return el("details", { class: "small" }, el("summary", { t: "answer.scores" }), list); // whole texts are long
}

/** Who decided, in one line. */
function decided({ answer, run }) {
  if (answer.gate === undefined) {
    return el("p", { class: "small decided", t: answer.evidence.length ? "decided.written" : "decided.model" });
  }
  const alone = Object.keys(answer.model).length === 0;
  const share = alone && run === null ? 1 : answer.gate;
  const key = share >= 0.995 ? "decided.memory" : share <= 0.005 ? "decided.model" : "decided.both";
  const line = el("p", { class: "small", t: [key, { memory: percent(share), model: percent(1 - share) }] });
  const [memory, model] = [best(answer.memory), best(answer.model)];
  const says = memory && model && memory[0] !== model[0]
    && el("p", { class: "quiet small", t: ["decided.differ", { memory: memory[0], model: model[0] }] });
  return el("div", { class: "decided" }, el("span", { class: "bar split", share, "aria-hidden": "true" }), line, says);
}

const best = (shares) => Object.entries(shares).filter(([, share]) => share !== null).sort((a, b) => b[1] - a[1])[0];

function origin({ run, memory, timings, request }) {
  const steps = Object.entries(timings).map(([name, took]) => `${name} ${took < 10 ? took.toFixed(1) : Math.round(took)}`);
  return el("details", { class: "small quiet" },
    el("summary", { t: ["answer.took", { total: Math.round(timings.total) }] }),
    el("p", { t: [run ? "origin.run" : "origin.memory", { run, memory: memory.name, version: memory.version }] }),
    el("p", { class: "figures" }, `${steps.join(" · ")} ms`),
    el("p", { t: ["origin.request", { request }] }));
}
