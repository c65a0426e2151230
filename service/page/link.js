/** Links: the parameters that make a coloring again, after the address's #. The photo itself is in no link. */

import { isNamed } from "./actions.js";
import { byId, clamp } from "./element.js";
import { MAX_SEED, changeSettings, listen, store } from "./store.js";
import { openSample } from "./viewer.js";

let wanted = null; // the index to open as soon as it is there

export function setUpLink() {
  read();
  addEventListener("hashchange", read);
  listen(() => {
    const { run } = store.view;
    if (wanted === null || run?.kind !== "colorizations") return;
    const sample = run.samples.find((each) => each.index === wanted);
    if (!sample) return;
    wanted = null;
    byId("link-note").hidden = true;
    openSample(sample);
  });
}

function read() {
  const given = new URLSearchParams(location.hash.slice(1));
  const numberIn = (name, low, high) => {
    const value = given.get(name);
    return value === null || value.trim() === "" || !Number.isFinite(Number(value)) ? undefined : clamp(Number(value), low, high);
  };
  const whole = (name, low, high) => (numberIn(name, low, high) === undefined ? undefined : Math.round(numberIn(name, low, high)));
  const index = whole("index", 0, 15);
  const settings = { seed: whole("seed", 0, MAX_SEED), temperature: numberIn("temperature", 0, 2), n: whole("n", 1, 16) };
  if (index !== undefined) settings.n = Math.max(settings.n ?? store.view.settings.n, index + 1);
  const known = Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));
  if (!Object.keys(known).length) return;
  changeSettings(known);
  wanted = index ?? null;
  const note = byId("link-note");
  note.hidden = false;
  const which = index === undefined ? `Colorings of seed ${store.view.settings.seed}` : `Coloring ${index + 1} of seed ${store.view.settings.seed}`;
  note.textContent = `${which}: drop the photo that this link was made for.`;
}

const linkTo = ({ run, index }) => {
  const { seed } = run.fields;
  const parameters = new URLSearchParams({ seed, temperature: run.temperature, n: run.total, index });
  return `${location.origin}${location.pathname}#${parameters}`;
};

export function showShare(sample) {
  const possible = Boolean(sample) && isNamed(sample);
  byId("share").hidden = !possible;
  byId("share-note").textContent = possible ? "The link holds seed, temperature and index, not the photo." : "This one has no link: it comes of more than a seed.";
}

export async function shareSample(sample) {
  const link = linkTo(sample);
  const note = byId("share-note");
  try {
    await navigator.clipboard.writeText(link);
    note.textContent = "Copied. It holds seed, temperature and index, not the photo.";
  } catch { // no clipboard outside of a secure context
    note.textContent = link;
  }
}
