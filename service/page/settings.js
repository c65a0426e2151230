/** The panel: how many, how bold, and the numbers under Details. */

import { addMore, canAdd, colorize, isMade, isUsedUp, moreCount } from "./actions.js";
import { byId, clamp, make, slider } from "./element.js";
import { MAX_SEED } from "./options.js";
import { changeSettings, hintFields, hintsOf, listen, sameHints, store, temperature } from "./store.js";
import { boldness, boldnessWords, count, number } from "./words.js";

export function setUpSettings() {
  slider("number", store.view.settings.n, (n) => changeSettings({ n }));
  slider("boldness", 1, (value) => changeSettings({ temperature: value }), showBoldness);
  byId("temperature").onchange = ({ target }) => {
    changeSettings({ temperature: target.value === "" ? null : clamp(Number(target.value) || 0, 0, 2) });
  };
  byId("seed").onchange = ({ target }) => {
    changeSettings({ seed: target.value === "" ? null : clamp(Math.round(Number(target.value) || 0), 0, MAX_SEED) });
  };
  byId("settings").onsubmit = (event) => {
    event.preventDefault();
    goOn();
  };
  listen(show);
}

/** Action of the main button. */
export function goOn() {
  if (canAdd()) addMore();
  else if (!isMade()) colorize(store.view.photo);
}

/** Text of the main button. */
export function goOnWords() {
  if (!canAdd()) return "Colorize";
  return isLikeOne(store.view.runs[0]) ? `${moreCount()} more like it` : `${moreCount()} more`;
}

const isLikeOne = (run) => run?.kind === "variations" || Boolean(run?.source);

function showBoldness(value) {
  const recommended = store.model?.default_temperature;
  byId("boldness-out").textContent = boldness(value, recommended);
  byId("boldness-words").textContent = boldnessWords(value, recommended);
  byId("boldness").setAttribute("aria-valuetext", `${boldness(value, recommended)}: ${boldnessWords(value, recommended)}`);
}

function show() {
  const { photo, photos, settings } = store.view;
  const value = temperature() ?? 1;
  byId("panel").hidden = byId("add").hidden = !photos.length;
  byId("number").value = settings.n;
  byId("number-out").textContent = settings.n;
  byId("boldness").value = value;
  showBoldness(value);
  byId("temperature").value = number(value);
  byId("seed").value = settings.seed ?? "";
  byId("colorize").textContent = goOnWords();
  byId("colorize").disabled = isMade(); // the words of the slider say why, or the note
  byId("seed-note").hidden = !isUsedUp();
  byId("seed-note").textContent = `Seed ${settings.seed} has no further colorings. Set another below, or clear it.`;
  byId("source-note").hidden = !canAdd() || !isLikeOne(store.view.runs[0]);
  const hints = photo ? hintsOf(photo).length : 0;
  byId("hint-count").hidden = !hints || (store.view.runs.length > 0 && !sameHints(store.view.runs[0].fields, hintFields(photo)));
  byId("hint-count").textContent = `Every coloring follows ${count(hints, "fixed color")}.`;
  if (!store.model) return;
  byId("model").textContent = `· ${store.model.id} on ${store.model.device}`;
  byId("boldness-default").replaceChildren(make("option", { value: store.model.default_temperature }));
}
