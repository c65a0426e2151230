/** Actions: each makes a run, shows it and starts it. */

import { between, likeOne } from "./beginnings.js";
import { recipeOf } from "./link.js";
import { MAX_INDEX } from "./options.js";
import { isServed, modelName, modelOf } from "./served.js";
import { change, hintFields, hintsOf, inPlaces, lookOf, looksLike, looksOf, randomSeed, sameHints, store, temperature, withHints } from "./store.js";
import { canGoOn, isBusy, newRun, start, stop } from "./work.js";
import { likeTitle, number } from "./words.js";

const FEW = 2; // colorings of a reference at first

/** Show a run with its photo (in a step that undo takes back) and start it. */
function begin(run, patch = {}) {
  change({ photo: run.photo, runs: [run], ...patch });
  start(run);
  return run;
}

/**
 * Make a run of colorings of a photo by the present settings, or with the seed and reference of another run. Variations are
 * as bold as their source. It follows the photo's fixed colors.
 */
function newColorings(photo, more = {}, like = null) {
  const { n, seed } = store.view.settings;
  const { hints, hint_spread, ...own } = like?.fields ?? { seed: seed ?? randomSeed() };
  const fields = { ...own, temperature: like && varies(like) ? like.temperature : temperature(), ...hintFields(photo) };
  return newRun(photo, like?.kind ?? "colorizations", fields.temperature === 0 ? 1 : like?.total ?? n, fields, more);
}

export const colorize = (photo) => begin(newColorings(photo));

/** Whether "more" of the grid's runs, finished or in work, fits the settings. */
export function canAdd() {
  const { runs } = store.view;
  const [first] = runs;
  if (!first || first.kind === "interpolations" || (!first.samples.length && !isBusy(first))) return false;
  if (isCopy(lends(first) ? { ...first, temperature: temperature() || runs.at(-1).temperature } : first)) return false;
  if (first.recipe && !first.source) return false; // it is being made
  if (first.kind === "variations" && !first.source && first.samples.length) return isServed(first.samples[0]); // with another model, the seed gives another coloring
  return first.kind !== "colorizations" || (isAsked(runs.at(-1)) && moreCount() > 0);
}

/** Whether colorings have the seed, temperature and fixed colors of the settings. */
function isAsked({ photo, temperature: own = store.model?.default_temperature, fields }) { // default: the service chooses it, and the answer says it
  const { seed } = store.view.settings;
  return (seed === null || seed === fields.seed) && own === temperature() && sameHints(fields, hintFields(photo));
}

/** Whether the grid has all colorings of the set seed. */
export function isUsedUp() {
  const { runs } = store.view;
  return runs[0]?.kind === "colorizations" && isAsked(runs.at(-1)) && moreCount() === 0;
}

/** Whether a run uses the colors of another photo, and is no variation of a coloring. */
const lends = (run) => run.kind === "transfers" && !run.source && !run.recipe;

/** Whether a run's samples are variations of a coloring that has a seed and index. */
const varies = (run) => run.kind === "variations";

/**
 * Whether a run follows the fixed colors of its photo as they change. Steps, and variations that begin with a picture, keep
 * those that they begin with.
 */
export const followsHints = (run) => run.kind === "colorizations" || varies(run) || lends(run);

/** The model whose seeds a run of variations names, if that is known. */
const originOf = (run) => (varies(run) ? run.origin ?? (run.samples.length ? modelOf(run.samples[0]) : null) : null);

/** The index after those in the grid. */
const nextIndex = ({ fields, total }) => (fields.offset ?? 0) + total;

/** Number of colorings that "more" makes; of a set seed, at most those left. */
export function moreCount() {
  const { runs, settings: { n, seed } } = store.view;
  if (lends(runs[0]) && temperature() === 0) return 1;
  return runs[0].kind === "colorizations" && seed !== null ? Math.min(n, MAX_INDEX + 1 - nextIndex(runs.at(-1))) : n;
}

/** Add n colorings to the grid, of a new seed; of a set seed, the next ones. */
export function addMore() {
  const { photo, runs, settings } = store.view;
  const [first] = runs;
  const last = runs.at(-1);
  const { offset, ...fields } = first.fields;
  const fresh = first.kind === "variations" ? { noise_seed: randomSeed() } : { seed: randomSeed() };
  if (first.kind === "colorizations" && settings.seed !== null) Object.assign(fresh, { seed: settings.seed, offset: nextIndex(last) });
  if (lends(first)) Object.assign(fresh, { temperature: temperature(), ...hintFields(photo) });
  const { title, strength, source, looks } = first;
  const made = source ? { ...likeOne(source, strength, first.fields), ends: [source] } : { kind: first.kind, fields: { ...fields, ...fresh }, origin: originOf(first) };
  const more = { title, strength, source, looks, origin: made.origin, picture: made.picture, ends: made.ends };
  const run = newRun(photo, made.kind, moreCount(), made.fields, { ...more, first: last.first + last.total, follows: first });
  begin(run, { runs: [...runs, run] });
}

/** Make the first colorings of newly added photos. A link may determine those of the first photo. */
export function colorizeFirst(photos) {
  const { link } = store;
  if (!link) return workOn(photos);
  const { kind, total, fields, strength, first, recipe } = link;
  const title = kind === "transfers" ? titleOf(recipe) : undefined;
  link.run = newRun(photos[0], kind, total, { ...fields }, { strength, title, first, recipe: recipe.length ? recipe : undefined });
  start(link.run);
  return [link.run, ...workOn(photos.slice(1))];
}

/** Title of variations of a recipe's last step. */
function titleOf(recipe) {
  const { index, ...step } = recipe.at(-1);
  return likeTitle({ run: { ...step, recipe: recipe.slice(0, -1) }, number: index + 1 });
}

/** Show a link's coloring of a photo that is already here, or make the run that draws it. */
export function followLink(photo) {
  const { link } = store;
  link.run = photo.runs.find((run) => holds(run, link)) ?? colorizeFirst([photo])[0];
  change({ photo, runs: withMore(link.run.follows ?? link.run), ...hintsShown(photo, link) });
}

/** The part of the view in which a photo has the fixed colors of a run or link that is shown. */
export const hintsShown = (photo, run) => (followsHints(run) || run.fields.hints ? withHints(photo, run.fields) : {});

/** Whether a run has made, or is making, a link's coloring with the link's model. */
function holds(run, { kind, fields, index, recipe, model }) {
  const { offset, temperature, hints, hint_spread, ...named } = fields;
  const drawnBy = model ?? (store.model && modelName(store.model));
  const comes = run.status !== "done" && index - (run.fields.offset ?? 0) in run.slots && JSON.stringify(run.recipe ?? []) === JSON.stringify(recipe);
  return run.kind === kind && (temperature === undefined || run.temperature === temperature)
    && Object.entries(named).every(([name, value]) => run.fields[name] === value) && sameHints(run.fields, fields)
    && (comes || run.samples.some((sample) => sample.index === index && JSON.stringify(recipeOf(sample)) === JSON.stringify(recipe) && (!drawnBy || modelOf(sample) === drawnBy)));
}

function workOn(photos) {
  const album = photos.length > 1;
  const runs = photos.map((photo) => newColorings(photo, { album }));
  if (album) store.album = [...(isAlbumOpen() ? store.album : []), ...runs];
  runs.forEach(start);
  return runs;
}

/** Whether work on all photos is unfinished: in work, able to continue, or failed and shown with its photo. */
export const isAlbumOpen = () => store.album.some((run) => store.view.photos.includes(run.photo) && (isBusy(run) || canGoOn(run) || isShownFailed(run)));

const isShownFailed = (run) => run.status === "failed" && store.view.grids.get(run.photo)?.includes(run);

/** Make new colorings of all photos, each with its own seed. */
export function colorizeAll() {
  endAlbum();
  change(showing(workOn(store.view.photos)));
}

/** What the grid shows once each of these runs is shown with its photo. */
export function showing(runs) {
  const grids = new Map(store.view.grids);
  for (const run of runs) grids.set(run.photo, [run]);
  return { grids, runs: grids.get(store.view.photo) };
}

export const cancelAlbum = () => stop(...store.album.filter(isBusy));
export const resumeAlbum = () => store.album.filter((run) => canGoOn(run) && store.view.photos.includes(run.photo)).forEach(start);

/** Drop the remaining work on all photos in favor of other work on them. */
function endAlbum() {
  cancelAlbum();
  store.album = [];
}

/**
 * Make colorings with the colors of another photo. `closeness` is how much of the reference's two coarse levels is kept;
 * the finer ones are drawn anew. Few at first, because people move the slider until the colors fit; the main button adds
 * more. At 1 colorings hardly differ, so one is enough.
 */
export function transfer(reference, closeness) {
  const { photo, settings } = store.view;
  const total = closeness === 1 || temperature() === 0 ? 1 : Math.min(settings.n, FEW);
  const title = `Colors of ${reference.name || "a pasted photo"}`;
  return begin(newRun(photo, "transfers", total, transferFields(photo, reference, closeness), { title }));
}

/** Whether further colorings with a run's fields would look the same: at temperature 0, or with a reference's own colors. */
export function isCopy({ temperature, fields: { weights } }) {
  return temperature === 0 || (Boolean(weights) && weights.split(",").slice(0, 2).every((weight) => Number(weight) === 1));
}

/** Whether the grid has all colorings of the settings: the one of temperature 0, or all of a seed. */
export function isMade() {
  const { photo, runs: [first] } = store.view;
  if (isUsedUp()) return true;
  return first?.kind === "colorizations" && first.temperature === 0 && temperature() === 0 && first.samples.length > 0 && sameHints(first.fields, hintFields(photo));
}

function transferFields(photo, reference, closeness) {
  const weights = [closeness, closeness ** 2, 0, 0].map(number).join(",");
  return { reference, weights, seed: randomSeed(), temperature: temperature(), ...hintFields(photo) };
}

/** Give all other photos the colors of a sample, as it looks. */
export function spreadColors(sample) {
  const title = `Colors of ${sample.run.photo.name}`;
  const others = store.view.photos.filter((photo) => photo !== sample.run.photo);
  endAlbum();
  const runs = others.map((photo) => newRun(photo, "transfers", 1, transferFields(photo, sample.blob, 1), { title, looks: [lookOf(sample)], album: true }));
  store.album = runs;
  change(showing(runs));
  runs.forEach(start);
}

/** More like one. Whether by its name or its picture is settled before the first request, for the model may have changed. */
export function vary(sample, strength) {
  const { run } = sample;
  const { kind, fields, ...begun } = likeOne(sample, strength);
  const more = { title: likeTitle(sample), strength, source: sample, ends: [sample], looks: [lookOf(sample)], ...begun };
  const made = newRun(run.photo, kind, store.view.settings.n, fields, more);
  return begin(made, followsHints(made) ? withHints(run.photo, fields) : {});
}

export function interpolate(pair, steps) {
  const { kind, fields, ...more } = between(pair, steps);
  return begin(newRun(more.ends[0].run.photo, kind, steps, fields, more));
}

/**
 * Make the colorings in the grid, or those beside a sample of another grid, follow the photo's fixed colors as they are
 * now: the same seeds and numbers, those of the sample's seed first. Without fixed colors, the earlier colorings come back,
 * with the present looks. A kept coloring passes its heart on. This is no undo step of its own; the change of the colors
 * was one.
 */
export function followHints(photo, sample, show) {
  const { runs } = store.view;
  const hints = hintsOf(photo);
  const own = sample && followsHints(sample.run) ? firstOf(sample.run) : null;
  const grid = runs.filter((run) => followsHints(run) && run.photo === photo);
  const isHere = !own || grid.some((run) => firstOf(run) === own);
  const all = isHere ? grid : withMore(own.follows ?? own);
  const shown = hints.length && temperature() === 0 && !all.some(varies) ? all.slice(0, 1) : all; // more would be equal
  stop(...grid.filter((run) => run.fields.hints && isBusy(run)));
  for (const run of hints.length ? shown : []) if (run.fields.hints) run.superseded = true;
  let { looks, kept } = store.view;
  const made = [];
  const fresh = [];
  for (const run of shown.length ? shown : [null]) {
    const first = run && firstOf(run);
    const base = first?.fields.hints ? photo.runs.findLast((each) => isFirstOf(each, first)) : first; // a link's first may have fixed colors
    if (!hints.length && base) {
      looks = looksLike(looksOf(run), base, looks);
      kept = kept.map((each) => (each.run === run && base.slots[run.slots.indexOf(each)]) || each);
      made.push(base);
      continue;
    }
    const { title, source = null, strength, looks: sourceLooks } = first ?? {};
    const origin = first && originOf(first);
    const more = { title, source, strength, origin, looks: sourceLooks, base, ownLooks: run && looksOf(run), replaces: run && inPlaces(run), first: first?.first ?? 0, follows: made[0] ?? null };
    const next = newColorings(photo, more, first);
    made.push(next);
    if (own && first === own) fresh.unshift(next);
    else fresh.push(next);
  }
  show(made, looks, kept);
  fresh.forEach(start);
}

/** The run before it followed fixed colors. */
const firstOf = (run) => run.base ?? run;

/** Whether a run is another one without its fixed colors. */
const isFirstOf = (run, other) => drawsAlike(run, other) && !run.fields.hints && run.temperature === other.temperature
  && run.total === other.total && run.fields.offset === other.fields.offset;

/** Whether samples of the same index in two runs differ in nothing but their temperature and fixed colors. */
export const drawsAlike = ({ kind, fields }, other) => kind === other.kind
  && ["seed", "index", "strength", "noise_seed", "reference", "weights"].every((name) => fields[name] === other.fields[name]);

/** A run and what was added to it. */
export const withMore = (run) => [run, ...run.photo.runs.filter((each) => each.follows === run)];

/** What the grid last showed of a photo. */
export const lookAt = (photo) => ({ photo, runs: store.view.grids.get(photo) ?? [] });

export const showPhoto = (photo) => change(lookAt(photo));

/** Keep a sample, or no longer keep it. */
export function toggleKept(sample) {
  const { kept } = store.view;
  change({ kept: kept.includes(sample) ? kept.filter((each) => each !== sample) : [...kept, sample] });
}

