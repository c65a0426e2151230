/**
 * The page's state. `view` is what is shown and set, and is immutable: each change makes a new one, so undo returns to
 * an earlier one. Runs and their samples stay with their photo, regardless of undo.
 */

import { COUNT, SPREAD } from "./options.js";

const PLAIN = { saturation: 1, warmth: 0 };

/** How far fixed colors spread that links and sessions of earlier versions hold, which do not say it. */
export const EARLIER_SPREAD = 1;

/** Six digits: short enough to be read out, and enough to be new each time. */
export const randomSeed = () => crypto.getRandomValues(new Uint32Array(1))[0] % 1_000_000;

export const store = {
  model: null,
  link: null, // the coloring that the address asks for, until it has come
  album: [], // runs of the latest work on all photos
  reference: null, // {file, closeness}: the photo that lends its colors, and how closely they are followed
  view: {
    photos: [],
    photo: null,
    runs: [], // those in the grid: one, and what "more" added to it
    grids: new Map(), // of each photo, the runs that the grid shows with it, or showed last
    kept: [], // samples of any photo, in the order they were kept
    hints: new Map(), // of each photo, an array of {x, y, color, chosen, name}: `color` is the chosen one at the lightness there
    spreads: new Map(), // of each photo, how far these spread, if it was set
    looks: new Map(), // of each sample that has one, {saturation, warmth}
    settings: { n: COUNT, temperature: null, seed: null }, // null: the model's own temperature, a new seed each time
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

/** Change the view, as an undo step. */
export function change(patch) {
  past.push(store.view);
  future.length = 0;
  amend(patch);
}

/** Change the view without an undo step of its own. */
export function amend(patch) {
  const view = { ...store.view, ...patch };
  if (view.photo) view.grids = new Map(view.grids).set(view.photo, view.runs);
  store.view = view;
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

/** The temperature to request; undefined, while the model is unknown, lets the service choose. */
export const temperature = () => store.view.settings.temperature ?? store.model?.default_temperature;

export function changeSettings(patch) {
  change({ settings: { ...store.view.settings, ...patch } });
}

export const hintsOf = (photo) => store.view.hints.get(photo) ?? [];

export const spreadOf = (photo) => store.view.spreads.get(photo) ?? SPREAD;

/** The fields of a fixed color for the service, without its name and the chosen color. */
export const point = ({ x, y, color }) => ({ x, y, color });

/** Those of a request's fields that hold its fixed colors, if it has any. */
export const hintsIn = ({ hints, hint_spread }) => (hints?.length ? { hints, hint_spread } : {});

/** The fields of a request that follows a photo's fixed colors. */
export const hintFields = (photo) => hintsIn({ hints: hintsOf(photo), hint_spread: spreadOf(photo) });

const hintText = ({ hints, hint_spread }) => JSON.stringify(hintsIn({ hints: hints?.map(point), hint_spread }));

/** Whether two requests' fields hold the same fixed colors, which spread as far. */
export const sameHints = (some, others) => hintText(some) === hintText(others);

/** The part of the view in which a photo has these fixed colors. */
export const hintsSet = (photo, hints) => ({ hints: new Map(store.view.hints).set(photo, hints) });

/** The part of the view in which a photo's fixed colors spread as far as this. */
export const spreadSet = (photo, spread) => ({ spreads: new Map(store.view.spreads).set(photo, spread) });

/** The part of the view in which a photo has the fixed colors of a request's fields. */
export const withHints = (photo, { hints = [], hint_spread = SPREAD }) => ({ ...hintsSet(photo, hints), ...spreadSet(photo, hint_spread) });

/** A sample's look: its own adjustment, or else the look of its run's sources. */
export const lookOf = (sample) => store.view.looks.get(sample) ?? firstLook(sample);

/**
 * A run that begins with one sample has its look; between two, the looks change step by step. One that follows fixed
 * colors has a look for each place: that of the coloring there before.
 */
function firstLook({ run, number }) {
  if (run.ownLooks) return run.ownLooks[number - run.first - 1] ?? PLAIN;
  if (!run.looks) return PLAIN;
  const [from, to = from] = run.looks;
  const share = (number - run.first - 1) / Math.max(1, run.total - 1);
  const between = (name) => Math.round(100 * (from[name] + share * (to[name] - from[name]))) / 100;
  return { saturation: between("saturation"), warmth: between("warmth") };
}

/** The look of each place of a run: of its sample, of the one that it is going to replace, or of a sample still to come. */
export const looksOf = (run) => inPlaces(run).map((sample, i) => (sample ? lookOf(sample) : firstLook({ run, number: run.first + i + 1 })));

/** The sample of each place, or the one that it is going to replace. */
export const inPlaces = ({ slots, replaces }) => slots.map((sample, i) => sample ?? replaces?.[i] ?? null);

/** All samples' looks, present or given, after a run's samples get the looks of its places. */
export function looksLike(places, run, before = store.view.looks) {
  const looks = new Map(before);
  for (const [i, sample] of run.slots.entries()) if (sample) setLook(looks, sample, places[i] ?? PLAIN);
  return looks;
}

const isSame = (some, other) => some.saturation === other.saturation && some.warmth === other.warmth;
export const isPlain = (look) => isSame(look, PLAIN);

export function changeLook(sample, patch) {
  const looks = new Map(store.view.looks);
  setLook(looks, sample, { ...lookOf(sample), ...patch });
  change({ looks });
}

/** Give a new sample the heart and the look of the one that it replaces, also where undo and redo lead. */
export function succeed(sample, before) {
  const after = (view) => {
    if (!view.grids.get(sample.run.photo)?.includes(sample.run)) return view;
    const looks = new Map(view.looks);
    setLook(looks, sample, looks.get(before) ?? firstLook(before));
    return { ...view, kept: view.kept.map((each) => (each === before ? sample : each)), looks };
  };
  for (const views of [past, future]) views.splice(0, views.length, ...views.map(after));
  store.view = after(store.view);
  notify();
}

function setLook(looks, sample, look) {
  if (isSame(look, firstLook(sample))) looks.delete(sample);
  else looks.set(sample, look);
}

/** The samples in the grid, in order: the source of variations, then the samples that have arrived. */
export function shownSamples() {
  const { runs } = store.view;
  const source = runs[0]?.source;
  return [...(source ? [source] : []), ...runs.flatMap((run) => run.samples)];
}
