/** Opened links: each names a coloring, which opens as soon as it is ready. */

import { followLink } from "./actions.js";
import { byId } from "./element.js";
import { parse } from "./link.js";
import { notice } from "./notices.js";
import { modelId, modelName, modelOf } from "./served.js";
import { amend, change, listen, store } from "./store.js";
import { openSample } from "./viewer.js";
import { addSample, isSample } from "./welcome.js";
import { sampleTitle } from "./words.js";

const DAMAGED = "This link is damaged or incomplete: it names no coloring.";

export function setUpArrival() {
  read(amend); // nothing to undo yet
  addEventListener("hashchange", () => read(change));
  listen(arrive);
}

/** `set` applies changes to the view, as an undo step or not. */
async function read(set) {
  const text = location.hash.slice(1);
  const link = parse(text);
  if (!link) {
    if (text.includes("=")) notice(DAMAGED); // without "=", it is an anchor of the page
    return;
  }
  if (link.example && !isSample(link.example)) return notice(`This link is wrong: the page has no sample named “${link.example}”.`);
  const { seed, temperature } = link.fields;
  const settings = { n: link.total };
  if (link.kind === "colorizations" && temperature !== undefined) settings.temperature = temperature;
  if (link.index === null) { // it names no coloring, and sets what it names
    if (seed !== undefined) settings.seed = seed;
    set({ settings: { ...store.view.settings, ...settings } });
    if (new URLSearchParams(text).has("index")) notice(DAMAGED);
    return;
  }
  set({ settings: { ...store.view.settings, ...settings } });
  store.link = link;
  byId("link-note").hidden = false;
  tell();
  const photo = await findPhoto(link);
  if (store.link !== link || link.run) return; // another link was opened meanwhile, or a photo has come
  if (photo) followLink(photo);
  else if (link.example) addSample(link.example);
  else if (store.view.photos.length) notice(byId("link-note").textContent); // the first look, with the note, is hidden
}

/** Find a link's photo among those present. */
async function findPhoto({ photo: print, example }) {
  await Promise.all(store.view.photos.map((photo) => photo.printed));
  return store.view.photos.find((photo) => (example ? photo.example === example : print && photo.print === print));
}

/** Say what the link shows, and whether the model has changed. */
function tell() {
  const { fields, index, first, model, example } = store.link;
  const title = sampleTitle({ run: store.link, number: first + index - (fields.offset ?? 0) + 1 });
  const what = `This link shows ${title.toLowerCase()} of a photo.`;
  const changed = model && store.model && model !== modelName(store.model);
  const warning = changed ? ` ${warningOf(modelId(model))}` : "";
  byId("link-note").textContent = `${what}${example ? "" : " Add the photo that it was made for."}${warning}`;
  return warning;
}

function warningOf(name) {
  if (name === store.model.id) return `It was made by other weights of ${name}, or by an earlier version: colors may differ.`;
  return `It was made by ${name}, and this service runs ${store.model.id}: colors will differ.`;
}

function arrive() {
  const { link } = store;
  if (!link) return;
  const warning = tell();
  const sample = link.run && store.view.runs.includes(link.run) && link.run.samples.find((each) => each.index === link.index);
  if (!sample) return;
  store.link = null;
  history.replaceState(history.state, "", location.pathname); // a reload shows the session, not the link again
  byId("link-note").hidden = true;
  amend({ looks: new Map(store.view.looks).set(sample, link.look) });
  openSample(sample);
  if (warning && modelOf(sample) !== link.model) notice(warning.trim());
  const { print } = sample.run.photo;
  if (link.photo && print && link.photo !== print) notice("The link was made for another photo, so these colors differ.");
}
