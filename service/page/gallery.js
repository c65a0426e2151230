/** The grid: the gray photo, then its colorings as they come. */

import { grayCard, moreCard, paintGray, paintSlot, paintSource, slotCard, sourceCard } from "./cards.js";
import { FLAT, UPRIGHT, columnsFor } from "./columns.js";
import { saveAllFrom, stemOf } from "./download.js";
import { byId, clamp, keepFocus, setChildren } from "./element.js";
import { explain, explained } from "./explain.js";
import { listen, shownSamples, store } from "./store.js";
import { errorWords, runFacts, runNumbers, runTitle, waitWords } from "./words.js";
import { canGoOn, isBusy, isHalted, start, stop } from "./work.js";

const [facts, numbers] = explained({ id: "run-facts" });
let latest = null; // the run that was asked for last

export function setUpGallery() {
  byId("run-title").after(facts, numbers);
  byId("stop").onclick = () => stop(...store.view.runs.filter(isBusy));
  byId("retry").onclick = () => store.view.runs.filter(isHalted).forEach(start);
  byId("download-all").onclick = ({ currentTarget }) => saveAllFrom(currentTarget, shownSamples(), stemOf(store.view.photo));
  new ResizeObserver(arrange).observe(byId("gallery"));
  listen(() => keepFocus(show));
}

function show() {
  const { photo, photos, runs } = store.view;
  byId("welcome").hidden = photos.length > 0;
  byId("work").hidden = !photo;
  if (!photo) return;
  showHead(photo, runs);
  const shown = runs.map((run) => ({ run, slots: run.slots.flatMap((sample, i) => (sample || !isHalted(run) ? [i] : [])) }));
  const source = runs[0]?.source ? [sourceCard(runs[0])] : [];
  const more = moreCard();
  setChildren(byId("cards"), [grayCard(photo), ...source, ...shown.flatMap(({ run, slots }) => slots.map((slot) => slotCard(run, slot))), ...(more.hidden ? [] : [more])]);
  arrange();
  paintGray(photo);
  if (source.length) paintSource(runs[0]);
  for (const { run, slots } of shown) for (const slot of slots) paintSlot(run, slot);
  showBeginning(runs.at(-1));
}

/** Scroll to the first place of a new run: on a phone, the panel with the button is far below. */
function showBeginning(run) {
  if (run !== latest && isBusy(run)) byId("cards").querySelector(".pending")?.scrollIntoView({ block: "nearest" });
  latest = run;
}

/** Fit the cards to the photo's shape and the available room. */
function arrange() {
  const { photo } = store.view;
  if (!photo) return;
  const cards = byId("cards");
  const ratio = photo.width ? clamp(photo.width / photo.height, UPRIGHT, FLAT) : 1.5;
  const text = parseFloat(getComputedStyle(document.documentElement).fontSize) / 16; // cards grow with it
  const room = { width: cards.clientWidth / text, height: (innerHeight - cards.offsetTop) / text };
  const { columns, width } = columnsFor(cards.children.length, ratio, room);
  for (const [name, value] of [["--ratio", ratio], ["--columns", columns], ["--card", `${width * text}px`]]) cards.style.setProperty(name, value);
}

function showHead(photo, runs) {
  const [first] = runs;
  byId("run-title").textContent = first ? runTitle(first) : photo.name;
  const name = store.view.photos.length > 1 ? photo.name : "";
  const words = first ? [name, runFacts(first, store.model?.default_temperature)].filter(Boolean).join(" · ") : "";
  explain(facts, words, first ? runNumbers(first) : "");
  const samples = runs.flatMap((run) => run.samples);
  byId("download-all").hidden = shownSamples().length < 2;
  showProgress(runs);
  const halted = runs.find(isHalted);
  const isNew = byId("run-error").hidden && Boolean(halted?.error);
  byId("run-error").hidden = !halted;
  if (!halted) return;
  const { title, detail } = halted.error ? errorWords(halted.error) : { title: "Stopped.", detail: "The colorings made so far stay." };
  byId("run-error").classList.toggle("calm", halted.status === "stopped");
  byId("error-title").textContent = title;
  byId("error-detail").textContent = detail;
  byId("retry").textContent = samples.length ? "Continue" : "Try again";
  byId("retry").hidden = !canGoOn(halted);
  if (isNew) byId("run-error").scrollIntoView({ block: "nearest" });
}

/** Total progress of the runs in the grid. */
function showProgress(runs) {
  const run = runs.find((each) => each.status === "working") ?? runs.find(isBusy);
  byId("run-progress").hidden = !run;
  if (!run) return;
  const bar = byId("progress");
  const done = runs.flatMap((each) => each.samples).length;
  const total = runs.flatMap((each) => (isBusy(each) ? each.slots : each.samples)).length;
  if (done) Object.assign(bar, { max: total, value: done });
  else bar.removeAttribute("value");
  byId("progress-text").textContent = progressWords(run, done, total);
}

function progressWords(run, done, total) {
  if (run.wait) return waitWords(run.wait);
  return run.status === "waiting" ? "waiting for its turn" : `${done} of ${total}`;
}
