// New rows: several pictures at once, each sent by itself, so that one that is refused stops no other.
import { post, told } from "./api.js";
import { Chooser } from "./chooser.js";
import { el } from "./dom.js";
import { say } from "./language.js";
import { sent } from "./pictures.js";
import { openRow } from "./row.js";
import { rowFields } from "./rowform.js";

const EMPTY = { label: null, tags: [], texts: [], qa: [], columns: {} };

/** Build the form; `done` is called when rows came. */
export function setUpAdding(root, done) {
  const place = el("div");
  const chooser = new Chooser(place, { many: true });
  const names = el("input", { type: "checkbox", name: "names" });
  const results = el("ul", { class: "plain results", role: "status" });
  const error = el("p", { class: "error", role: "alert" });
  const button = el("button", { class: "primary", t: "add.send" });
  const holder = el("div");
  let fields;
  const fresh = () => {
    fields = rowFields(EMPTY);
    holder.replaceChildren(fields.root);
  };
  fresh();
  root.append(el("form", { class: "stack", novalidate: true, onsubmit: async (event) => {
    event.preventDefault();
    await told(error, async () => {
      if (!chooser.value.length) {
        say(error, "add.none");
        return;
      }
      button.disabled = true;
      results.replaceChildren();
      const left = await addAll(chooser.value, fields.change(), names.checked, results);
      if (left.length < chooser.value.length) done();
      chooser.set(left);
      if (!left.length) fresh();
    });
    button.disabled = false;
  } },
  place, el("p", { class: "quiet small", t: "add.about" }), holder,
  el("label", { class: "choice" }, names, el("span", { t: "add.names" })), error,
  el("div", { class: "actions" }, button), results));
}

/** Add each; returns those that were refused. */
async function addAll(pictures, common, names, results) {
  const left = [];
  for (const picture of pictures) {
    const line = el("li", { t: ["add.working", { name: picture.file.name }] });
    results.append(line);
    const added = await told(line, async () => {
      const row = { ...common, picture: await sent(picture) };
      if (names) row.id = picture.file.name;
      const { id } = await post("/v1/rows", row);
      line.append(el("button", { type: "button", class: "link", onclick: () => openRow(id) }, id));
    });
    if (added) line.prepend(el("span", { t: "add.done" }), " ");
    else {
      line.className = "error";
      line.prepend(`${picture.file.name}: `);
      left.push(picture);
    }
  }
  return left;
}
