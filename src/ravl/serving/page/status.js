// One line that says what has happened, to eyes and to screen readers.
import { byId } from "./dom.js";
import { hush, say } from "./language.js";

const SECONDS = 6;
let timer;

export function status(key, values) {
  say(byId("status"), key, values);
  clearTimeout(timer);
  timer = setTimeout(() => hush(byId("status")), 1000 * SECONDS);
}
