// Asking the server: with the key, again when it was too busy, and errors as sentences.
import { el } from "./dom.js";
import * as keys from "./keys.js";
import { hush, quote, say } from "./language.js";
import { status } from "./status.js";

const PATIENCE = 10; // seconds that are waited for by themselves
const TRIES = 3;

/** Something that a person is told: the server's sentence, or a text of the page's own. */
export class Problem extends Error {
  constructor(code, sentence, { key = null, retry = null } = {}) {
    super(sentence);
    Object.assign(this, { code, key, retry });
  }

  /** Stand beside what caused it. */
  tell(node) {
    if (this.key) say(node, this.key);
    else quote(node, this.message);
    if (this.retry) node.append(" ", el("span", { t: ["retry.later", { seconds: this.retry }], lang: document.documentElement.lang }));
  }
}

/**
 * A response that is a success; raises Problem, or AbortError when the signal came.
 * What is `quiet` goes on in the background: nobody is asked for a key, or told to wait, for it.
 */
export async function ask(path, { method = "GET", json, signal, quiet = false } = {}) {
  for (let tries = 1; ; tries += 1) {
    const key = keys.current();
    const response = await send(path, method, json, signal, key);
    if (response.ok) return response;
    const problem = await problemOf(response);
    if (response.status === 401 && !quiet) await keys.wanted(problem, key);
    else if (response.status === 429 && tries < TRIES && problem.retry <= PATIENCE) {
      if (!quiet) status("busy", { seconds: problem.retry });
      await pause(1000 * problem.retry, signal);
    } else throw problem;
  }
}

export const get = async (path, options) => (await ask(path, options)).json();
export const post = async (path, json, options) => (await ask(path, { method: "POST", json, ...options })).json();
export const patch = async (path, json) => (await ask(path, { method: "PATCH", json })).json();

/** An address with its query; what is undefined or empty is left out. */
export function address(path, query) {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "");
  return given.length ? `${path}?${new URLSearchParams(given)}` : path;
}

/** Do something; what goes wrong is told at a node. True when all went well. */
export async function told(node, work) {
  hush(node);
  try {
    await work();
    return true;
  } catch (error) {
    if (error.name === "AbortError") return false;
    if (!(error instanceof Problem)) console.error(error);
    (error instanceof Problem ? error : new Problem(0, "", { key: "error" })).tell(node);
    return false;
  }
}

async function send(path, method, json, signal, key) {
  const headers = {};
  if (key) headers.Authorization = `Bearer ${key}`;
  if (json !== undefined) headers["Content-Type"] = "application/json";
  const body = json === undefined ? undefined : JSON.stringify(json);
  try {
    return await fetch(path, { method, headers, body, signal, credentials: "omit" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, "", { key: "offline" });
  }
}

async function problemOf(response) {
  const retry = Number(response.headers.get("Retry-After")) || null;
  try {
    return new Problem(response.status, (await response.json()).detail, { retry });
  } catch {
    return new Problem(response.status, "", { key: "error" });
  }
}

function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}
