// A question before something is lost.
import { byId } from "./dom.js";
import { say } from "./language.js";

/** Whether somebody is sure. */
export function confirmed(key, values, yes) {
  const dialog = byId("confirm-dialog");
  say(byId("confirm-text"), key, values);
  say(byId("confirm-yes"), yes);
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}
