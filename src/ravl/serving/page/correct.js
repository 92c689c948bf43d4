// Right or wrong: what people say about an answer goes to the inbox, and into the memory on request.
import { address, get, patch, post, told } from "./api.js";
import { el, field, lines } from "./dom.js";
import { say } from "./language.js";
import { sent } from "./pictures.js";
import { openRow } from "./row.js";
import { mayWrite } from "./server.js";
import { about, answerOf } from "./tasks.js";
import { WORDS } from "./words.js";

/** The buttons below an answer, and the form behind "wrong". */
export function correction(asked) {
  if (!mayWrite()) return el("p", { class: "quiet small", t: "correct.read" });
  const result = el("p", { role: "status", class: "small" });
  const error = el("p", { class: "error", role: "alert" });
  const root = el("div", { class: "stack correction" });
  const answer = answerOf(asked.task, asked.data.answer);
  const give = async (verdict, more, remember) => {
    let entry = null;
    const done = await told(error, async () => {
      entry = await post("/v1/feedback", await feedback(asked, verdict, more));
      if (remember) await remembered(entry, asked, result);
      else say(result, "correct.thanks");
    });
    if (entry && !done) say(result, "correct.kept");
    if (entry) root.replaceChildren(result, error);
  };
  const wrong = el("button", { type: "button", "aria-expanded": "false", t: "correct.wrong", onclick: () => {
    const open = wrong.getAttribute("aria-expanded") === "true";
    wrong.setAttribute("aria-expanded", String(!open));
    form.hidden = open;
    if (!open) form.querySelector("input, textarea, select").focus();
  } });
  const form = wrongForm(asked, answer, give);
  root.append(el("div", { class: "actions" },
    el("button", { type: "button", t: "correct.right", onclick: () => give("accepted", {}, false) }), wrong), form, error, result);
  return root;
}

function wrongForm(asked, answer, give) {
  const better = input(asked.task, answer);
  const key = `correct.${asked.task}`;
  const note = el("input", { maxlength: 4000 });
  const remember = el("input", { type: "checkbox" });
  return el("form", { hidden: true, class: "stack", novalidate: true, onsubmit: (event) => {
    event.preventDefault();
    const correction = value(better, answer);
    const more = { note: note.value.trim() || undefined };
    if (correction !== null) more.correction = correction;
    give(correction === null ? "rejected" : "corrected", more, remember.checked && correction !== null);
  } },
  field(key in WORDS ? key : "correct.other", better), field("correct.note", note),
  el("label", { class: "choice" }, remember, el("span", { t: asked.picture.id === undefined ? "correct.remember" : "correct.change" })),
  el("div", { class: "actions" }, el("button", { class: "primary", t: "correct.send" })));
}

function input(task, answer) {
  if (typeof answer === "boolean") {
    const options = [["unknown", ""], [answer ? "match.no" : "match.yes", "other"]];
    const select = el("select", {}, options.map(([key, value]) => el("option", { value, t: key })));
    select.value = "other";
    return select;
  }
  const several = Array.isArray(answer);
  if (several || (typeof answer === "string" && !about(task).single)) { // edited, not written anew
    const area = el("textarea", { rows: several ? 3 : 2 });
    area.value = several ? answer.join("\n") : answer;
    return area;
  }
  return el("input", { autocomplete: "off", maxlength: 4000 });
}

/** What would be right; null where it is not known. */
function value(input, answer) {
  const text = input.value.trim();
  if (typeof answer === "boolean") return text ? !answer : null;
  if (Array.isArray(answer)) return text === answer.join("\n") ? null : lines(text);
  return text && text !== String(answer) ? text : null;
}

async function feedback({ task, picture, words, data }, verdict, more) {
  return {
    task, verdict, run: data.run ?? "", version: data.memory.version, picture: await sent(picture),
    answer: answerOf(task, data.answer), asked: words ?? undefined, ...more,
  };
}

async function remembered(entry, asked, result) {
  const { fields } = entry; // what the server says that a row would hold
  let row = null;
  if (fields !== null && asked.picture.id !== undefined) row = await extended(asked.picture.id, fields);
  else if (fields !== null) row = await post("/v1/rows", { picture: await sent(asked.picture), ...fields });
  if (row === null) {
    say(result, "correct.nothing");
    return;
  }
  await patch(`/v1/feedback/${entry.number}`, { state: "used" });
  say(result, "correct.remembered", { id: row.id });
  result.append(" ", el("button", { type: "button", class: "link", t: "row.show", onclick: () => openRow(row.id) }));
}

/** A row with more than it had; its label and tags become what is right. */
export async function extended(id, fields) {
  const path = address("/v1/row", { id });
  const row = await get(path);
  const change = { ...fields };
  if (fields.texts) change.texts = [...new Set([...row.texts, ...fields.texts])];
  if (fields.qa) {
    const questions = fields.qa.map(({ question }) => question);
    change.qa = [...row.qa.filter(({ question }) => !questions.includes(question)), ...fields.qa];
  }
  return patch(path, change);
}
