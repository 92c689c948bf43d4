// One row in a dialog: everything known about it, and what can be done with it.
import { address, ask, get, told } from "./api.js";
import { confirmed } from "./confirm.js";
import { byId, el } from "./dom.js";
import { moment, number } from "./language.js";
import { thumbnail } from "./pictures.js";
import { changeForm } from "./rowform.js";
import { like } from "./search.js";
import { mayWrite } from "./server.js";
import { status } from "./status.js";

/** Open a row's dialog. */
export async function openRow(id) {
  const dialog = byId("row-dialog");
  const error = el("p", { class: "error", role: "alert" });
  if (!dialog.open) dialog.showModal();
  put(id, [error]);
  await told(error, async () => view(await get(address("/v1/row", { id }))));
}

const close = () => byId("row-dialog").close();

/** Fill the dialog; the focus stays in it. */
function put(title, parts) {
  const dialog = byId("row-dialog");
  const shut = el("button", { type: "button", class: "remove", tLabel: "close", onclick: close }, "×");
  dialog.replaceChildren(el("div", { class: "stack" },
    el("div", { class: "dialog-head" }, el("h2", { id: "row-title" }, title), shut), parts));
  shut.focus();
}

function view(row) {
  const error = el("p", { class: "error", role: "alert" });
  const go = (hash) => () => {
    close();
    location.hash = hash;
  };
  const actions = [
    row.thumbnail && el("button", { type: "button", t: "search.like", onclick: () => {
      close();
      like(row.id);
    } }),
    row.thumbnail && el("button", { type: "button", t: "row.ask", onclick: go(address("#/ask", { id: row.id })) }),
    mayWrite() && el("button", { type: "button", t: "row.edit", onclick: () => edit(row) }),
    mayWrite() && el("button", { type: "button", class: "danger", t: "row.delete", onclick: () => remove(row, error) }),
  ];
  put(row.id, [
    el("div", { class: "row-view" },
      row.thumbnail && el("div", { class: "row-picture" }, thumbnail(row, 640, row.label ?? row.texts[0] ?? row.id)),
      el("dl", { class: "known" }, known(row))),
    el("div", { class: "actions" }, actions), error,
  ]);
}

function known(row) {
  const facts = [
    ["row.label", row.label],
    ["row.tags", row.tags.length && el("span", {}, row.tags.map((tag) => el("span", { class: "chip" }, tag)))],
    ["row.texts", row.texts.length && el("ul", { class: "plain" }, row.texts.map((text) => el("li", {}, text)))],
    ["row.qa", row.qa.length && el("ul", { class: "plain" }, row.qa.map((qa) => el("li", {}, qa.question, " ", el("b", {}, qa.answers.join(", ")))))],
    ...Object.entries(row.columns).map(([name, value]) => [name, String(value)]),
    ["row.size", row.width && `${number(row.width)} × ${number(row.height)}`],
    ["row.added", moment(row.added)],
    ["row.changed", row.changed !== row.added && moment(row.changed)],
  ];
  return facts.filter(([, value]) => value).flatMap(([name, value]) =>
    [el("dt", name.startsWith("row.") ? { t: name } : {}, name.startsWith("row.") ? "" : name), el("dd", {}, value)]);
}

function edit(row) {
  const done = (changed) => {
    status("row.saved");
    document.dispatchEvent(new CustomEvent("rowchange", { detail: { id: row.id, row: changed } }));
    view(changed);
  };
  put(row.id, [changeForm(row, done, () => view(row))]);
  byId("row-dialog").querySelector("input, textarea").focus();
}

async function remove(row, error) {
  if (!(await confirmed("row.delete.sure", { id: row.id }, "row.delete"))) return;
  await told(error, async () => {
    await ask(address("/v1/row", { id: row.id }), { method: "DELETE" });
    close();
    status("row.deleted", { id: row.id });
    document.dispatchEvent(new CustomEvent("rowchange", { detail: { id: row.id, row: null } }));
  });
}
