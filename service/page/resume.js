/** Continuation of work that lost its connection, once the service answers again. */

import { listen, notify, store } from "./store.js";
import { start } from "./work.js";

const PAUSE = 5000; // milliseconds from one look at the service to the next
const WAKING = 1000; // milliseconds in which a browser that slept reports its broken connections
const MOST = 3; // continuations of one run, which may itself be what breaks connections
const WAITS = "The page goes on by itself as soon as one does.";

const continued = new WeakMap(); // how often, of each run
const seen = new WeakSet(); // errors after which the service was looked at
let timer = null;

export function setUpResume() {
  listen(() => {
    const fresh = cutRuns().filter(({ error }) => !seen.has(error));
    for (const { error } of fresh) seen.add(error);
    if (fresh.length && !timer) look(false);
  });
  addEventListener("online", () => look(true));
  document.addEventListener("visibilitychange", () => document.hidden || setTimeout(look, WAKING, true)); // of a phone that was locked
}

/** Runs in a grid that lost their connection. */
function cutRuns() {
  const isCut = (run) => run.status === "failed" && run.error.code === "unreachable" && (continued.get(run) ?? 0) < MOST;
  return [...new Set([...store.view.grids.values()].flat())].filter((run) => isCut(run) && store.view.photos.includes(run.photo));
}

/** Go on if the connection was away and is back. Something that only breaks some requests is no reason to repeat them. */
async function look(wasAway) {
  clearTimeout(timer);
  timer = null;
  if (!cutRuns().length) return;
  const answers = await fetch("readyz", { cache: "no-store" }).then(({ ok }) => ok, () => false);
  const cut = cutRuns();
  if (!answers) {
    for (const { error } of cut) error.detail = `No answer came back. ${WAITS}`;
    timer ??= setTimeout(look, PAUSE, true);
    notify();
  } else if (wasAway) {
    for (const run of cut) {
      continued.set(run, (continued.get(run) ?? 0) + 1);
      start(run);
    }
  }
}
