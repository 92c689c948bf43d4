// Asking about a picture: the form, and who answers.
import { told, post, Problem } from "./api.js";
import { startAnswer } from "./answer.js";
import { Chooser } from "./chooser.js";
import { byId, el, listed } from "./dom.js";
import { hush, say, translate } from "./language.js";
import { ofRow, sent } from "./pictures.js";
import { answering, server } from "./server.js";
import { handOver } from "./search.js";
import { events } from "./stream.js";
import { about, taskName } from "./tasks.js";

const WORDS = { text: "ask.text", question: "ask.question" }; // of what comes with the picture
const MEMORY = "memory"; // the run's name where the memory alone answers
let chooser;
let form;
let running = null;

export function setUp() {
  form = byId("ask-form");
  chooser = new Chooser(byId("ask-picture"));
  const tasks = [...server.tasks.filter((task) => task !== "search"), "search"];
  byId("ask-tasks").replaceChildren(...tasks.map((task, i) => el("label", {},
    el("input", { type: "radio", name: "task", value: task, checked: i === 0 }), taskName(task))));
  byId("ask-tasks").addEventListener("change", chosen);
  byId("ask-run").addEventListener("change", hint);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    submit();
  });
  byId("ask-stop").addEventListener("click", () => running?.abort());
  chosen();
}

/** Show the view; a row's picture may be given by its id, and the run that answers. */
export function show(query) {
  const id = query.get("id");
  if (id !== null && chooser.picture?.id !== id) chooser.set([ofRow(id)]);
  if (server.tasks.includes(query.get("task"))) {
    form.elements.task.value = query.get("task");
    chosen();
    if (answering(task()).some((one) => one.name === query.get("run"))) byId("ask-run").value = query.get("run");
    hint();
  }
}

const task = () => form.elements.task.value;
const beside = () => about(task()).beside;
const wording = () => (task() === "search" ? "search.text" : WORDS[beside()]);
const run = () => answering(task()).find((one) => one.name === byId("ask-run").value);

function chosen() {
  const runs = answering(task());
  byId("ask-run").replaceChildren(...runs.map((one) => el("option", { value: one.name }, one.name)));
  byId("ask-run-field").hidden = runs.length < 2;
  byId("ask-words").hidden = !wording();
  if (wording()) say(byId("ask-words-label"), wording());
  byId("ask-options").hidden = task() === "search";
  hush(byId("ask-error"));
  hint();
}

function hint() {
  const one = run();
  byId("ask-sources").hidden = !one || one.name === MEMORY;
  byId("ask-candidates").hidden = !(one?.streams || one?.options.includes("num_return_sequences"));
  byId("ask-writing").hidden = !one?.streams;
  if (!one) say(byId("ask-hint"), "hint.search");
  else if (one.name === MEMORY) say(byId("ask-hint"), "hint.memory");
  else say(byId("ask-hint"), one.streams ? "hint.streams" : "hint.run", { run: one.name, level: one.level ? ` (${one.level})` : "" });
}

/** How to answer, as the API has it; what is empty is left out. */
function options() {
  const { k, abstain, num_return_sequences, instruction, require, forbid, sources } = form.elements;
  const how = { run: byId("ask-run").value };
  if (k.value) how.k = Number(k.value);
  if (abstain.value) how.abstain = Number(abstain.value) / 100;
  if (run().name !== MEMORY && sources.value === "memory") how.vote_only = true;
  if (run().name !== MEMORY && sources.value === "model") how.retrieval = false;
  if (!byId("ask-candidates").hidden && num_return_sequences.value) how.num_return_sequences = Number(num_return_sequences.value);
  if (!run().streams) return how;
  if (instruction.value.trim()) how.instruction = instruction.value.trim();
  if (listed(require.value).length) how.require = listed(require.value);
  if (listed(forbid.value).length) how.forbid = listed(forbid.value);
  return how;
}

async function submit() {
  const words = form.elements.words.value.trim();
  if (task() === "search") {
    handOver(words, chooser.picture);
    return;
  }
  const at = chooser.picture ? byId("ask-error") : chooser.error;
  await told(at, async () => {
    if (!chooser.picture) throw new Problem(0, "", { key: "ask.no.picture" });
    if (beside() && !words) throw new Problem(0, "", { key: `ask.no.${beside()}` });
    await answered(words);
  });
}

async function answered(words) {
  const asked = { task: task(), picture: chooser.picture, words: beside() ? words : null };
  const body = options();
  if (beside()) body[beside()] = words;
  const view = startAnswer(byId("answer"), asked);
  running?.abort();
  const mine = (running = new AbortController());
  working(true);
  try {
    body.picture = await sent(asked.picture);
    if (streams()) await streamed(view, `/v1/${asked.task}/stream`, body, mine.signal);
    else view.finish(await post(`/v1/${asked.task}`, body, { signal: mine.signal }));
  } catch (error) {
    view.stop(error.name === "AbortError");
    throw error;
  } finally {
    if (running === mine) working(false);
    translate(byId("answer"));
  }
}

/** Whether the text comes word by word; several texts are compared first, and so come at once. */
const streams = () => run()?.streams && form.elements.stream.checked && Number(form.elements.num_return_sequences.value) < 2;

async function streamed(view, path, body, signal) {
  for await (const { name, data } of events(path, body, signal)) {
    if (name === "evidence") view.evidence(data.evidence);
    else if (name === "token") view.piece(data.text);
    else if (name === "problem") throw new Problem(data.status, data.detail);
    else if (name === "answer") view.finish(data);
  }
}

function working(on) {
  byId("ask-stop").hidden = !on;
  form.querySelector("button.primary").disabled = on;
  if (on) return;
  running = null;
  if (document.activeElement === document.body) form.querySelector("button.primary").focus();
}
