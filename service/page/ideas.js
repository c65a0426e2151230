/** Ideas from the model: the coloring that is looked at, with other colors for the thing at a point, as small pictures. */

import { colorAt } from "./canvas.js";
import { byId, make } from "./element.js";
import { hexToLab } from "./lab.js";
import { colorings } from "./service.js";
import { lookOf, temperature } from "./store.js";
import { colorWords } from "./words.js";

const SHOWN = 6;
const DRAWN = 12; // of which the first that differ are shown
const SIDE = 512; // pixels of the longer side of the ideas: enough for small pictures
const ALIKE = 6; // ΔE of a*b* between colors that look the same
const TONE = /^(light|dark) /; // no part of a chosen color's name: points differ in lightness
const NOISE_SEED = 0; // the same each time, so that a user finds an idea again

let wish = null; // what to ask for, until the answer has come
let asking = null; // the request that is on its way

/**
 * Show places for the ideas for a point, then these. `photo`: its file. `looked` returns the coloring that is looked at, if
 * there is one, `isReady` whether it is time to ask: ideas wait for the colorings that are being made. `hints`: fields of the
 * photo's other fixed colors. `choose` gets the chosen color and its name.
 */
export function offerIdeas({ photo, x, y, looked, isReady, hints }, choose) {
  dropIdeas();
  wish = { photo, x, y, looked, isReady, hints, choose };
  byId("ideas").style.setProperty("--point", `${100 * x}% ${100 * y}%`);
  byId("palette-ideas").hidden = false;
  askForIdeas();
}

export function dropIdeas() {
  wish = null;
  takeBack();
}

function takeBack() {
  asking?.abort();
  asking = null;
  byId("ideas").replaceChildren(...Array.from({ length: SHOWN }, () => make("i")));
}

/** Ask, if it is time. Without an answer, there are no ideas, and no message. */
export async function askForIdeas() {
  if (!wish) return;
  if (!wish.isReady()) return takeBack();
  if (asking) return;
  const request = (asking = new AbortController());
  const { photo, x, y, looked, hints, choose } = wish;
  const list = byId("ideas");
  const seen = [];
  try {
    const sample = looked();
    const fields = { ...begunBy(sample), ...hints, at: [{ x, y }], n: DRAWN, noise_seed: NOISE_SEED, image: photo, output_max_side: SIDE };
    const own = sample && (await ownColor(sample, { x, y }));
    if (own) seen.push(hexToLab(own));
    const onColoring = ({ at: [color], blob }) => {
      const [, a, b] = hexToLab(color);
      const place = list.querySelector("i");
      if (asking !== request || !place || seen.some(([, c, d]) => Math.hypot(a - c, b - d) < ALIKE)) return;
      seen.push([, a, b]);
      place.replaceWith(picture(color, blob, choose));
    };
    await colorings("variations", fields, { signal: request.signal, quiet: true, onWait: () => request.abort(), onColoring });
  } catch {
    // there may be some, or none
  }
  if (asking !== request) return;
  wish = asking = null;
  list.querySelectorAll("i").forEach((place) => place.remove());
  byId("palette-ideas").hidden = !list.childElementCount;
}

/** The fields of the coloring that ideas begin with: the one that is looked at, or any. */
function begunBy(sample) {
  if (!sample) return { seed: 0, index: 0, temperature: temperature() };
  const { run: { kind, fields, temperature: own }, index } = sample;
  if (kind !== "colorizations") throw new Error("It has no seed and index by which the service could draw it again.");
  return { seed: fields.seed, index, temperature: own, ...lookOf(sample) };
}

/** The color of a sample at a point, without its look; null if it cannot be read. */
async function ownColor(sample, point) {
  const image = Object.assign(new Image(), { src: sample.url });
  await image.decode();
  return colorAt(image, point);
}

function picture(color, blob, choose) {
  const name = colorWords(color);
  const image = make("img", { alt: "", src: URL.createObjectURL(blob), onload: ({ target }) => URL.revokeObjectURL(target.src) });
  return make("button", { type: "button", "aria-label": `${name}, ${color}`, title: name, onclick: () => choose(color, name.replace(TONE, "")) }, image);
}
