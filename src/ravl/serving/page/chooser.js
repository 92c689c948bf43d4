// Choosing pictures: dropped, pasted, from a folder, or photographed.
import { byId, el } from "./dom.js";
import { hush, say } from "./language.js";
import { show, thumbnail } from "./pictures.js";

const choosers = [];

/**
 * A place for pictures.
 * Its value is a list of {file} or {id, thumbnail}; `changed` is called after every change.
 */
export class Chooser {
  constructor(root, { many = false, changed = () => {} } = {}) {
    Object.assign(this, { root, many, changed, value: [] });
    this.input = this.#input({ multiple: many });
    this.camera = this.#input({ capture: "environment" });
    this.previews = el("ul", { class: "previews" });
    this.error = el("p", { class: "error", role: "alert" });
    const buttons = el("div", { class: "actions" },
      el("button", { type: "button", t: many ? "choose.many" : "choose", onclick: () => this.input.click() }),
      el("button", { type: "button", class: "camera", t: "photograph", onclick: () => this.camera.click() }));
    this.hint = el("p", { class: "quiet", t: many ? "drop.many" : "drop" });
    root.classList.add("chooser");
    root.append(this.previews, this.hint, buttons, this.input, this.camera, this.error);
    choosers.push(this);
  }

  #input(props) {
    const input = el("input", { type: "file", accept: "image/*", hidden: true, ...props });
    input.addEventListener("change", () => {
      this.take([...input.files]);
      input.value = "";
    });
    return input;
  }

  /** The one picture, if there is any. */
  get picture() {
    return this.value[0] ?? null;
  }

  take(files) {
    if (!files.length) return;
    this.set((this.many ? this.value : []).concat(files.slice(0, this.many ? undefined : 1).map((file) => ({ file }))));
  }

  set(value) {
    this.value = value;
    hush(this.error);
    this.previews.replaceChildren(...value.map((picture) => this.#preview(picture)));
    this.root.classList.toggle("full", value.length > 0);
    this.changed();
  }

  #preview(picture) {
    const name = picture.file?.name ?? picture.id;
    let image = el("img", { alt: name });
    if (picture.file) show(image, picture.file);
    else image = thumbnail(picture, 640, name);
    const remove = el("button", { type: "button", class: "remove", tLabel: ["picture.remove", { name }],
      onclick: () => {
        this.set(this.value.filter((other) => other !== picture));
        this.root.querySelector("button").focus();
      } }, "×");
    return el("li", {}, image, remove);
  }
}

/** The chooser that somebody sees now. */
const visible = () => choosers.find((chooser) => !chooser.root.closest("[hidden]"));

function pictures(data) {
  return [...(data?.files ?? [])].filter((file) => file.type.startsWith("image/") || !file.type);
}

/** Take what is dropped anywhere on the page, and what is pasted. */
export function listen() {
  const over = (on) => visible()?.root.classList.toggle("over", on);
  addEventListener("dragover", (event) => {
    event.preventDefault();
    over(true);
  });
  addEventListener("dragleave", (event) => event.relatedTarget ?? over(false));
  addEventListener("drop", (event) => {
    event.preventDefault();
    over(false);
    take(visible(), event.dataTransfer);
  });
  addEventListener("paste", (event) => {
    if (byId("key-dialog").open || !event.clipboardData?.files.length) return;
    event.preventDefault();
    take(visible(), event.clipboardData);
  });
}

function take(chooser, data) {
  const found = pictures(data);
  if (!chooser) return;
  chooser.root.closest("details")?.setAttribute("open", "");
  if (found.length) chooser.take(found);
  else say(chooser.error, "drop.none");
}
