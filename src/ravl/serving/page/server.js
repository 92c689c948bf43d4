// What the server offers, and what the key may do.
import { get } from "./api.js";

export const server = { memory: null, tasks: [], about: [], runs: [], scope: "read" };

export async function learn() {
  const [offered, caller] = await Promise.all([get("/v1/runs"), get("/v1/caller")]);
  Object.assign(server, offered, { scope: caller.scope });
}

export const mayWrite = () => server.scope !== "read";

/** What answers a task; the first is the default. */
export const answering = (task) => server.runs.filter((run) => run.task === task);
