// The key: asked for when the server wants one, kept for this tab, or longer if the user asks for it.
import { byId } from "./dom.js";
import { hush, say } from "./language.js";

const NAME = "ravl.key";
let asking = null; // one dialog for all requests that wait for a key

function kept(store) {
  try {
    return store().getItem(NAME);
  } catch {
    return null; // storage is off
  }
}

const session = () => sessionStorage;
const local = () => localStorage;
let key = kept(session) ?? kept(local);

export const current = () => key;

/** Forget the key. */
export function forget() {
  key = null;
  for (const store of [session, local]) {
    try {
      store().removeItem(NAME);
    } catch {
      // there is nothing to forget
    }
  }
}

/** Ask for a key, unless another came meanwhile; raises the problem when there is none. */
export async function wanted(problem, refused) {
  if (key !== refused) return;
  asking ??= asked(problem, refused).finally(() => (asking = null));
  await asking;
}

function asked(problem, refused) {
  const dialog = byId("key-dialog");
  const form = dialog.querySelector("form");
  const error = byId("key-error");
  if (refused) problem.tell(error);
  else hush(error);
  dialog.showModal();
  form.elements.key.focus();
  return new Promise((resolve, reject) => {
    const finish = (settle) => {
      form.onsubmit = dialog.onclose = byId("key-cancel").onclick = null;
      form.elements.key.value = "";
      if (dialog.open) dialog.close();
      settle();
    };
    form.onsubmit = (event) => {
      event.preventDefault();
      const given = form.elements.key.value.trim();
      if (!given) say(error, "key.empty");
      else if (/[^\x21-\x7e]/.test(given)) say(error, "key.wrong"); // a header cannot hold it
      else {
        keep(given, form.elements.remember.checked);
        finish(resolve);
      }
    };
    dialog.onclose = byId("key-cancel").onclick = () => finish(() => reject(problem));
  });
}

function keep(given, remember) {
  forget();
  key = given;
  try {
    (remember ? local() : session()).setItem(NAME, given);
  } catch {
    // it is kept as long as the page is open
  }
}
