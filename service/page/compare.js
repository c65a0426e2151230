/** Two kept colorings side by side, and the steps between them. */

import { interpolate, toggleKept } from "./actions.js";
import { openDialog } from "./back.js";
import { canInterpolate } from "./beginnings.js";
import { byId, iconButton, make, set, slider } from "./element.js";
import { explain, explained } from "./explain.js";
import { shownUrl } from "./look.js";
import { STEPS } from "./options.js";
import { explainLikelihood, likelihoodWords } from "./photo.js";
import { listen, store } from "./store.js";
import { hintWords, sampleTitle } from "./words.js";
import { mostOf } from "./work.js";

const MOST_STEPS = Number(byId("steps").max);
const NO_START = "There are no steps between these two. One of them must be a coloring by the present model: no variation, not in the colors of another photo, and without fixed colors unless the other has the same ones, spread by at most 50 %.";
const TOO_LARGE = "There are no steps between these two: the photo is too large for three colorings in one answer.";
let samples = [];
let sides = [0, 1]; // places in `samples`

export function setUpCompare() {
  slider("steps", STEPS);
  byId("compare-close").onclick = () => byId("compare").close();
  byId("interpolate").onclick = () => {
    byId("compare").close();
    interpolate(sides.map((place) => samples[place]), Number(byId("steps").value));
  };
  for (const side of [0, 1]) {
    const turn = (way) => () => step(side, way);
    const buttons = make("div", { className: "buttons turn" }, iconButton("previous", "Previous kept coloring", turn(-1)), iconButton("next", "Next kept coloring", turn(1)));
    const keep = iconButton("heart", "No longer keep this coloring", () => toggleKept(samples[sides[side]]), { className: "quiet icon keep", "aria-pressed": "true" });
    const caption = make("figcaption", {}, make("strong"), ...explained({ className: "likelihood" }), keep, buttons);
    byId("compare-pair").append(make("figure", {}, make("img", { alt: "" }), caption));
  }
  listen(() => {
    if (!byId("compare").open) return;
    if (samples.every((sample) => store.view.kept.includes(sample))) show();
    else drop();
  });
}

/** Compare the last two of these. */
export function compare(kept) {
  samples = kept;
  sides = [kept.length - 2, kept.length - 1];
  show();
  openDialog(byId("compare"));
}

/** Compare the rest after one of them is no longer kept, by its heart or by undo. */
function drop() {
  const [first, second] = sides.map((place) => samples[place]);
  samples = samples.filter((sample) => store.view.kept.includes(sample));
  if (samples.length < 2) return byId("compare").close();
  const places = [first, second].map((sample) => samples.indexOf(sample));
  sides = places.map((place, side) => (place < 0 ? samples.findLastIndex((_, i) => i !== places[1 - side]) : place));
  if (sides[0] === sides[1]) sides = [samples.length - 2, samples.length - 1]; // both are gone
  show();
}

/** Turn to the next coloring, skipping the other side's. */
function step(side, way) {
  do sides[side] = (sides[side] + way + samples.length) % samples.length;
  while (sides[side] === sides[1 - side]);
  show();
}

function show() {
  for (const [side, figure] of [...byId("compare-pair").children].entries()) {
    const sample = samples[sides[side]];
    set(figure.querySelector("img"), "src", shownUrl(sample));
    set(figure.querySelector("img"), "alt", sampleTitle(sample));
    figure.querySelector("strong").textContent = [sampleTitle(sample), hintWords(sample.run.fields)].filter(Boolean).join(", ");
    explain(figure.querySelector(".likelihood"), likelihoodWords(sample), explainLikelihood(sample));
    figure.querySelector(".turn").hidden = samples.length < 3;
  }
  const most = store.model ? Math.min(MOST_STEPS, mostOf(samples[0].run.photo)) : MOST_STEPS;
  const fits = most >= Number(byId("steps").min);
  const possible = fits && canInterpolate(sides.map((place) => samples[place]));
  byId("steps").max = most;
  byId("steps").oninput(); // the value is no more than that
  byId("between").hidden = !possible;
  byId("between-not").hidden = possible;
  byId("between-not").textContent = fits ? NO_START : TOO_LARGE;
}
