/** The panel: how many, how daring, which seed. */

import { colorize, reroll } from "./actions.js";
import { byId, clamp, make } from "./element.js";
import { MAX_SEED, changeSettings, hintsOf, listen, store, temperature } from "./store.js";
import { number, temperatureWords } from "./words.js";

export function setUpSettings() {
  slider("number", (n) => changeSettings({ n }));
  slider("temperature", (value) => changeSettings({ temperature: value }), showTemperature);
  byId("seed").onchange = ({ target }) => {
    changeSettings({ seed: clamp(Math.round(Number(target.value) || 0), 0, MAX_SEED) });
  };
  byId("die").onclick = () => reroll(store.view.photo);
  byId("settings").onsubmit = (event) => {
    event.preventDefault();
    colorize(store.view.photo);
  };
  listen(show);
}

/** While it is dragged a slider shows its value; where it is let go, the value counts. */
export function slider(id, set = () => {}, show = (value) => (byId(`${id}-out`).textContent = number(value))) {
  const input = byId(id);
  input.oninput = () => show(Number(input.value));
  input.onchange = () => set(Number(input.value));
}

function showTemperature(value) {
  byId("temperature-out").textContent = number(value);
  byId("temperature-words").textContent = temperatureWords(value, store.model?.default_temperature);
}

function show() {
  const { photo, photos, settings } = store.view;
  byId("panel").hidden = byId("add").hidden = !photos.length;
  byId("number").value = settings.n;
  byId("number-out").textContent = settings.n;
  byId("temperature").value = temperature();
  showTemperature(temperature());
  byId("seed").value = settings.seed;
  const hints = photo ? hintsOf(photo).length : 0;
  byId("hint-count").hidden = !hints;
  byId("hint-count").textContent = hints === 1 ? "1 colour hint will be followed" : `${hints} colour hints will be followed`;
  if (store.model) {
    byId("model").textContent = `· ${store.model.id} on ${store.model.device}`;
    byId("temperature-default").replaceChildren(make("option", { value: store.model.default_temperature }));
  }
}
