// The inbox: what people said about answers, and what becomes of it.
import { address, ask, get, patch, post, told } from "./api.js";
import { extended } from "./correct.js";
import { byId, el } from "./dom.js";
import { moment } from "./language.js";
import { ofRow, remote, sent, thumbnail } from "./pictures.js";
import { openRow } from "./row.js";
import { mayWrite } from "./server.js";
import { status } from "./status.js";
import { taskName } from "./tasks.js";

const PAGE = 30;
let state = "open";
let following = null;

export function setUp() {
  document.querySelector('nav [data-view="inbox"]').hidden = !mayWrite();
  byId("inbox-more").addEventListener("click", () => page(false));
}

/** Show the entries of a state. */
export async function show(query) {
  state = query.get("state") ?? "open";
  for (const link of document.querySelectorAll("#view-inbox [data-state]")) {
    if (link.dataset.state === state) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
  following = null;
  await page(true);
}

async function page(first) {
  const list = byId("inbox-list");
  const mine = state;
  await told(byId("inbox-error"), async () => {
    const found = await get(address("/v1/feedback", { state, after: following, limit: PAGE }));
    if (mine !== state) return;
    if (first) list.replaceChildren();
    list.append(...found.entries.map(item));
    if (!list.children.length) list.append(el("li", { class: "empty", t: "inbox.none" }));
    following = found.next;
  });
  byId("inbox-more").hidden = following === null;
}

function item(entry) {
  const error = el("p", { class: "error", role: "alert" });
  const node = el("li", { class: "card entry" }, picture(entry),
    el("div", { class: "stack" },
      el("p", {}, taskName(entry.task), entry.asked && `: ${entry.asked}`),
      el("p", {}, ...said(entry)),
      entry.note && el("p", { class: "quiet" }, entry.note),
      el("p", { class: "quiet small", t: [entry.run ? "inbox.by" : "inbox.by.memory", { ...entry, at: moment(entry.at) }] }),
      el("div", { class: "actions" }, actions(entry, error, () => gone(node))), error));
  return node;
}

function picture(entry) {
  if (entry.row !== null) {
    return el("button", { type: "button", class: "open", tLabel: "row.show", onclick: () => openRow(entry.row) }, thumbnail(ofRow(entry.row), 160));
  }
  return entry.picture === null ? el("span", { class: "none", t: "picture.none" }) : remote(`/v1/feedback/${entry.number}/picture`);
}

const shown = (value) => {
  if (value === true) return el("b", { t: "match.yes" });
  if (value === false) return el("b", { t: "match.no" });
  return el("b", {}, [value].flat().join(", "));
};

function said(entry) {
  const answer = entry.verdict === "accepted" ? shown(entry.answer) : el("s", {}, shown(entry.answer));
  const parts = [answer, " ", el("span", { class: `badge ${entry.verdict}`, t: `inbox.${entry.verdict}` })];
  return entry.correction === null ? parts : [...parts, " ", shown(entry.correction)];
}

function actions(entry, error, gone) {
  const settle = (to) => () => told(error, async () => {
    await patch(`/v1/feedback/${entry.number}`, { state: to });
    status(`inbox.now.${to}`);
    gone();
  });
  const button = (key, onclick, kind = "") => el("button", { type: "button", class: kind, t: key, onclick });
  if (entry.state !== "open") return [button("inbox.reopen", settle("open"))];
  const { fields } = entry; // what the server says that a row would hold
  const held = entry.row !== null || entry.picture !== null;
  return [
    held && fields && button(entry.row === null ? "inbox.remember" : "inbox.change", () => told(error, async () => {
      const row = await remembered(entry, fields);
      await patch(`/v1/feedback/${entry.number}`, { state: "used" });
      status("correct.remembered", { id: row.id });
      gone();
    }), "primary"),
    button("inbox.dismiss", settle("dismissed")),
    button("inbox.use", settle("used")),
  ];
}

async function remembered(entry, fields) {
  if (entry.row !== null) return extended(entry.row, fields);
  const blob = await (await ask(`/v1/feedback/${entry.number}/picture`)).blob();
  return post("/v1/rows", { picture: await sent({ file: blob }), ...fields });
}

/** Take an entry off the list; the keyboard goes on at the next. */
function gone(node) {
  const next = node.nextElementSibling ?? node.previousElementSibling;
  node.remove();
  if (next) next.querySelector(".actions button")?.focus();
  else {
    byId("inbox-list").append(el("li", { class: "empty", t: "inbox.none" }));
    byId("view-inbox").querySelector("h1").focus();
  }
}
