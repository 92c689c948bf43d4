// What can be filtered by: the language in an example, and the memory's own columns.
import { byId, el } from "./dom.js";
import { server } from "./server.js";

/** Add the columns to the line that explains a filter. */
export function explain(id) {
  const { columns } = server.memory;
  if (columns.length) byId(id).append(el("span", { t: ["where.columns", { columns: columns.join(", ") }] }));
}
