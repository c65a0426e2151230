/** Two marked colorings, and the way from one to the other. */

import { canInterpolate, interpolate } from "./actions.js";
import { byId, make, setChildren, once } from "./element.js";
import { announce } from "./notices.js";
import { change, listen, store } from "./store.js";
import { slider } from "./settings.js";
import { sampleTitle } from "./words.js";

/** Mark a sample, or take its mark away; of three marks the oldest goes. */
export function toggleMark(sample) {
  const { marks } = store.view;
  const kept = marks.includes(sample) ? marks.filter((each) => each !== sample) : [...marks, sample].slice(-2);
  change({ marks: kept });
  announce(kept.length === 1 ? "1 coloring marked" : `${kept.length} colorings marked`);
}

export function setUpMarks() {
  slider("steps");
  byId("interpolate").onclick = () => interpolate(store.view.marks, Number(byId("steps").value));
  byId("unmark").onclick = () => change({ marks: [] });
  listen(show);
}

const picture = once((sample) => make("img", { src: sample.url, alt: "" }));

function show() {
  const { marks } = store.view;
  byId("marked").hidden = !marks.length;
  setChildren(byId("marked-pictures"), marks.map(picture));
  const possible = canInterpolate(marks);
  for (const id of ["steps", "steps-label", "interpolate"]) byId(id).hidden = !possible;
  byId("marked-words").textContent = possible ? "" : marks.length === 1 ? `${sampleTitle(marks[0])} is marked. Mark another to go from one to the other.` : "One of the two must be drawn from a seed, without hints or reference.";
}
