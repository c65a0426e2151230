/**
 * What the page knows. `view` is what is looked at and set, and is never written into: each change makes a new one, so
 * that undo only goes back to a former one. Runs and their samples stay with their photo, whatever is undone.
 */

export const MAX_SEED = 2 ** 32 - 1;
export const MAX_HINTS = 32;

/** Six digits: short enough to be read out, and enough to be new each time. */
export const randomSeed = () => crypto.getRandomValues(new Uint32Array(1))[0] % 1_000_000;

export const store = {
  model: null,
  view: {
    photos: [],
    photo: null,
    run: null,
    marks: [], // samples of the photo, at most two
    hints: new Map(), // of each photo, an array of {x, y, color}
    settings: { n: 4, temperature: null, seed: randomSeed() },
  },
};

const past = [];
const future = [];
const listeners = [];

export function listen(listener) {
  listeners.push(listener);
  listener();
}

/** Tell everyone that something changed. */
export function notify() {
  for (const listener of listeners) listener();
}

/** Change what is seen, in a step that undo takes back. */
export function change(patch) {
  past.push(store.view);
  future.length = 0;
  amend(patch);
}

/** Change what is seen without a step of its own. */
export function amend(patch) {
  store.view = { ...store.view, ...patch };
  notify();
}

export const canUndo = () => past.length > 0;
export const canRedo = () => future.length > 0;
export const undo = () => travel(past, future);
export const redo = () => travel(future, past);

function travel(from, to) {
  if (!from.length) return;
  to.push(store.view);
  store.view = from.pop();
  notify();
}

export const hintsOf = (photo) => store.view.hints.get(photo) ?? [];

export function changeHints(photo, hints) {
  change({ hints: new Map(store.view.hints).set(photo, hints) });
}

export function changeSettings(patch) {
  change({ settings: { ...store.view.settings, ...patch } });
}

export const temperature = () => store.view.settings.temperature ?? store.model?.default_temperature ?? 1;
