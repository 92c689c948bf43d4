// The page: its views, by the address behind the #, and its switches.
import * as askView from "./ask.js";
import { told } from "./api.js";
import { listen } from "./chooser.js";
import { byId } from "./dom.js";
import * as inboxView from "./inbox.js";
import * as keys from "./keys.js";
import { hush, language, say, translate } from "./language.js";
import * as rowsView from "./rows.js";
import * as runsView from "./runs.js";
import * as searchView from "./search.js";
import { learn, server } from "./server.js";

const VIEWS = { ask: askView, search: searchView, rows: rowsView, inbox: inboxView, runs: runsView };
let first = true; // the view that is shown when the page opens does not take the focus

function route() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [name, ...rest] = path.split("/").map(decoded);
  const view = name in VIEWS ? name : "ask";
  byId("row-dialog").close();
  const changed = reveal(view);
  for (const link of document.querySelectorAll("header nav a")) {
    if (link.dataset.view === view) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  VIEWS[view].show(new URLSearchParams(query), ...rest);
  const title = byId(`view-${view}`).querySelector("h1");
  document.title = `${title.textContent} · ravl`;
  if (changed && !first) title.focus();
  first = false;
}

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** Show one view; true when it was not the one. */
function reveal(name) {
  const changed = byId(`view-${name}`).hidden;
  for (const view of document.querySelectorAll("main > .view")) view.hidden = view.id !== `view-${name}`;
  if (changed) scrollTo(0, 0);
  return changed;
}

async function start() {
  if (!(await told(byId("start-error"), learn))) {
    reveal("start");
    return;
  }
  byId("memory-name").textContent = server.memory.name;
  byId("sign-out").hidden = !keys.current();
  for (const view of Object.values(VIEWS)) view.setUp();
  addEventListener("hashchange", route);
  route();
}

function switches() {
  const root = document.documentElement;
  const keep = (name, value) => {
    try {
      localStorage.setItem(name, value);
    } catch {
      // it holds as long as the page is open
    }
  };
  const languageButton = byId("language");
  const other = () => {
    const chinese = language() === "zh";
    languageButton.textContent = chinese ? "English" : "中文";
    languageButton.lang = chinese ? "en" : "zh-CN";
  };
  other();
  languageButton.addEventListener("click", () => {
    root.lang = language() === "zh" ? "en" : "zh-CN";
    keep("ravl.language", root.lang);
    translate();
    other();
    document.title = `${document.querySelector("main > .view:not([hidden]) h1").textContent} · ravl`;
  });
  byId("theme").value = root.dataset.theme;
  byId("theme").addEventListener("change", (event) => {
    root.dataset.theme = event.target.value;
    keep("ravl.theme", event.target.value);
  });
  byId("sign-out").addEventListener("click", () => {
    keys.forget();
    location.reload();
  });
  byId("skip").addEventListener("click", (event) => {
    event.preventDefault(); // the address behind the # is the view
    byId("main").focus();
  });
  byId("start-again").addEventListener("click", start);
}

function connection() {
  const banner = byId("banner");
  addEventListener("offline", () => {
    say(banner, "banner.offline");
    banner.hidden = false;
  });
  addEventListener("online", () => {
    banner.hidden = true;
    hush(banner);
  });
}

translate();
switches();
connection();
listen();
delete document.documentElement.dataset.waiting;
start();
