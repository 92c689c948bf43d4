// The tasks as the server describes them; one that the page has no words for is shown by its summary.
import { el } from "./dom.js";
import { server } from "./server.js";
import { WORDS } from "./words.js";

const UNKNOWN = { field: "answer", beside: "", single: true, reranks: false };

/** What the server says of a task. */
export const about = (name) => server.about.find((task) => task.name === name) ?? { ...UNKNOWN, name, summary: name };

/** The name of a task. */
export function taskName(name) {
  const key = `task.${name}`;
  return key in WORDS ? el("span", { t: key }) : el("span", { lang: "en" }, about(name).summary);
}

/** The answer itself as JSON has it: a text, a number, a truth value, or a list of texts. */
export const answerOf = (name, answer) => answer[about(name).field];
