/** Earlier runs of this photo; a click shows one again, with its settings. */

import { hintsShown, withMore } from "./actions.js";
import { byId, make, once, set, setChildren } from "./element.js";
import { shownUrl } from "./look.js";
import { change, listen, store } from "./store.js";
import { count, runFacts, runNumbers, runTitle } from "./words.js";

const THUMBNAILS = 4;

export function setUpHistory() {
  listen(() => {
    const { photo, runs } = store.view;
    const first = (photo?.runs ?? []).filter((run) => !run.follows && (!run.superseded || run === runs[0])).reverse();
    setChildren(byId("history"), first.map(item));
    for (const each of first) paint(each, each === runs[0]);
  });
}

const item = once((run) => {
  const thumbs = make("div", { className: "thumbs", "aria-hidden": "true" });
  const words = make("span", {}, make("strong", {}, runTitle(run)), make("span", { className: "fine" }));
  return make("li", {}, make("button", { type: "button", onclick: () => show(run) }, thumbs, words));
});

const thumbnail = once(() => make("img", { alt: "" }));

function paint(run, current) {
  const button = item(run).firstChild;
  set(button, "aria-current", current);
  set(button, "title", runNumbers(run));
  const samples = withMore(run).flatMap((each) => each.samples);
  const facts = [samples.length ? count(samples.length, "coloring") : "", runFacts(run, store.model?.default_temperature)];
  set(button.querySelector(".fine"), "textContent", run.status === "failed" && !samples.length ? "failed" : facts.filter(Boolean).join(" · "));
  const shown = samples.slice(0, THUMBNAILS);
  setChildren(button.querySelector(".thumbs"), shown.map(thumbnail));
  for (const sample of shown) set(thumbnail(sample), "src", shownUrl(sample));
}

function show(run) {
  const { settings } = store.view;
  const patch = { runs: withMore(run), ...hintsShown(run.photo, run) };
  if (run.kind === "colorizations") patch.settings = { ...settings, temperature: run.temperature ?? settings.temperature };
  change(patch);
}
