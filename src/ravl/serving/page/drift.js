// Drift: whether what a run is asked still is as at fitting time, signal by signal.
import { get } from "./api.js";
import { el } from "./dom.js";
import { moment, number, percent } from "./language.js";

const CHANGED = 3; // answers whose share changed most

/** A section about a run's drift. */
export async function drift({ name }) {
  const found = await seen(name);
  return el("section", { class: "stack", id: "drift" }, el("h2", { t: "drift" }), outcome(found),
    found?.signals.length > 0 && el("ul", { class: "cards" }, found.signals.map(signal)),
    found?.windows > 0 && el("p", { class: "quiet small", t: ["drift.about", { ...found, rate: percent(found.rate) }] }));
}

/** What the server has seen; null where the run has nothing to compare with. */
async function seen(name) {
  try {
    return await get(`/v1/runs/${encodeURIComponent(name)}/drift`);
  } catch (error) {
    if (error.code === 404) return null;
    throw error;
  }
}

function outcome(found) {
  if (found === null) return el("p", { class: "quiet", t: "drift.none" });
  if (found.drifted === null) return el("p", { class: "quiet", t: ["drift.few", found] });
  const values = { ...found, since: moment(found.since ?? found.ended), ended: moment(found.ended) };
  return el("p", {}, el("span", { class: `badge ${found.drifted ? "rejected" : "accepted"}`, t: found.drifted ? "drift.badge.yes" : "drift.badge.no" }),
    " ", el("span", { t: [found.drifted ? "drift.yes" : "drift.no", values] }));
}

function signal(each) {
  const strength = each.drifted ? `drift.size.${each.size}` : "drift.chance";
  return el("li", { class: "card" }, el("h3", { t: `drift.${each.signal}` }), change(each),
    el("p", { class: "small" }, el("span", { class: `badge ${each.drifted ? "rejected" : ""}`, t: strength }), " ",
      el("span", { class: "quiet figures", t: each.p < 0.001 ? "drift.p.least" : ["drift.p", { p: number(Number(each.p.toPrecision(2))) }] })));
}

/** What changed, in words where it did, from then to now. */
function change({ signal, drifted, effect, then, now }) {
  const line = (a, b, name = "") => el("p", { class: "figures" }, `${name} ${percent(a, 1)}\u00a0→\u00a0${percent(b, 1)}`);
  if (typeof then === "object") {
    const by = (name) => Math.abs(now[name] - then[name]);
    return Object.keys(then).sort((a, b) => by(b) - by(a)).slice(0, CHANGED).map((name) => line(then[name], now[name], name));
  }
  return [drifted && el("p", { t: `drift.${signal}.${effect > 0 ? "more" : "less"}` }), line(then, now)];
}
