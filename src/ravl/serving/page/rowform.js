// The fields of a row: for changing one, and for what several new ones have in common.
import { address, patch, told } from "./api.js";
import { el, field, lines } from "./dom.js";

/** Fields with their values; `change()` gives what differs from the row, as the API takes it. */
export function rowFields(row) {
  const label = el("input", { autocomplete: "off", maxlength: 4000, value: row.label ?? "" });
  const tags = area(row.tags);
  const texts = area(row.texts);
  const qa = repeated("row.qa.add", row.qa.map(question), () => question({ question: "", answers: [] }));
  const columns = repeated("row.columns.add", Object.entries(row.columns).map(column), () => column(["", ""]));
  const root = el("div", { class: "stack" },
    field("row.label", label), field("row.tags.lines", tags), field("row.texts.lines", texts),
    group("row.qa", qa), group("row.columns", columns));
  return { root, change: () => changed(row, { label, tags, texts, qa, columns }) };
}

const group = (key, part) => el("fieldset", { class: "stack" }, el("legend", { t: key }), part);

function area(values) {
  const node = el("textarea", { rows: Math.max(2, Math.min(6, values.length)) });
  node.value = values.join("\n");
  return node;
}

/** Parts of which there may be any number. */
function repeated(key, parts, fresh) {
  const add = el("button", { type: "button", class: "link", t: key, onclick: () => {
    const part = fresh();
    add.before(part);
    part.querySelector("input").focus();
  } });
  return el("div", { class: "stack" }, parts, add);
}

function part(...inputs) {
  const root = el("div", { class: "part" }, inputs, el("button", { type: "button", class: "remove", tLabel: "row.remove", onclick: () => {
    const next = root.nextElementSibling.querySelector("input") ?? root.nextElementSibling;
    root.remove();
    next.focus();
  } }, "×"));
  return root;
}

function question({ question: asked, answers }) {
  const given = area(answers);
  given.rows = Math.max(1, answers.length);
  return part(field("row.question", el("input", { name: "question", value: asked, maxlength: 4000 })), field("row.answers", given));
}

function column([name, value]) {
  return part(field("row.column", el("input", { name: "column", value: name, maxlength: 200 })),
    field("row.value", el("input", { name: "value", value: String(value), maxlength: 4000 })));
}

/** What somebody wrote, as a number or a truth value where it is one. */
function typed(text) {
  if (/^-?\d+(\.\d+)?([eE][-+]?\d+)?$/.test(text) && String(Number(text)).length < 16) return Number(text);
  return { true: true, false: false }[text] ?? text;
}

const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);

function changed(row, fields) {
  const change = {};
  const label = fields.label.value.trim();
  if (label !== (row.label ?? "")) change.label = label;
  for (const name of ["tags", "texts"]) {
    if (!same(lines(fields[name].value), row[name])) change[name] = lines(fields[name].value);
  }
  const qa = [...fields.qa.querySelectorAll(".part")]
    .map((one) => ({ question: one.querySelector("input").value.trim(), answers: lines(one.querySelector("textarea").value) }))
    .filter(({ question: asked, answers }) => asked || answers.length);
  if (!same(qa, row.qa.map(({ question: asked, answers }) => ({ question: asked, answers })))) change.qa = qa;
  const columns = changedColumns(row.columns, fields.columns);
  if (Object.keys(columns).length) change.columns = columns;
  return change;
}

function changedColumns(before, root) {
  const found = {};
  const named = new Set();
  for (const one of root.querySelectorAll(".part")) {
    const [name, value] = [...one.querySelectorAll("input")].map((input) => input.value.trim());
    if (!name) continue;
    named.add(name);
    if (!(name in before) || String(before[name]) !== value) found[name] = typed(value);
  }
  for (const name of Object.keys(before)) if (!named.has(name)) found[name] = null;
  return found;
}

/** A form that changes a row. */
export function changeForm(row, done, cancel) {
  const fields = rowFields(row);
  const error = el("p", { class: "error", role: "alert" });
  return el("form", { class: "stack", novalidate: true, onsubmit: (event) => {
    event.preventDefault();
    const change = fields.change();
    told(error, async () => done(Object.keys(change).length ? await patch(address("/v1/row", { id: row.id }), change) : row));
  } }, fields.root, error,
  el("div", { class: "actions" }, el("button", { type: "button", t: "cancel", onclick: cancel }), el("button", { class: "primary", t: "row.save" })));
}
