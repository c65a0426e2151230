/** What was tried with this photo; a click shows it again, with its settings. */

import { byId, make, once, setChildren } from "./element.js";
import { change, listen, store } from "./store.js";
import { runFacts, runTitle } from "./words.js";

const THUMBNAILS = 4;

export function setUpHistory() {
  listen(() => {
    const { photo, run } = store.view;
    const runs = [...(photo?.runs ?? [])].reverse();
    setChildren(byId("history"), runs.map(item));
    for (const each of runs) paint(each, each === run);
  });
}

const item = once((run) => {
  const thumbs = make("div", { className: "thumbs", "aria-hidden": "true" });
  const words = make("span", {}, make("strong", {}, runTitle(run)), make("span", { className: "fine" }));
  return make("li", {}, make("button", { type: "button", onclick: () => show(run) }, thumbs, words));
});

const thumbnail = once((sample) => make("img", { src: sample.url, alt: "" }));

function paint(run, current) {
  const button = item(run).firstChild;
  button.setAttribute("aria-current", current);
  button.querySelector(".fine").textContent = run.status === "failed" ? "failed" : runFacts(run);
  setChildren(button.querySelector(".thumbs"), run.samples.slice(0, THUMBNAILS).map(thumbnail));
}

function show(run) {
  const { settings } = store.view;
  const { seed } = run.fields;
  const own = run.kind === "colorizations" ? { n: run.total, seed, temperature: run.fields.temperature } : {};
  change({ run, settings: { ...settings, ...own } });
}
