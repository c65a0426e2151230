/** The grid: the grey photo, then its colorings as they come. */

import { columnsFor } from "./columns.js";
import { byId, icon, make, once, setChildren } from "./element.js";
import { toggleMark } from "./marks.js";
import { greyUrl, removePhoto } from "./photos.js";
import { hintsOf, listen, store } from "./store.js";
import { openPhoto, openSample } from "./viewer.js";
import { errorWords, runFacts, runTitle, sampleTitle } from "./words.js";
import { start, stop } from "./work.js";

export function setUpGallery() {
  byId("stop").onclick = () => stop(store.view.run);
  byId("retry").onclick = () => start(store.view.run);
  new ResizeObserver(arrange).observe(byId("gallery"));
  listen(show);
}

function show() {
  const { photo, run, photos } = store.view;
  byId("welcome").hidden = photos.length > 0;
  byId("work").hidden = !photo;
  if (!photo) return;
  showHead(photo, run);
  const samples = run?.samples ?? [];
  const missing = run && run.status !== "failed" ? run.total - samples.length : 0;
  const places = Array.from({ length: missing }, (_, i) => pending(run, samples.length + i));
  setChildren(byId("cards"), [greyCard(photo), ...samples.map(sampleCard), ...places]);
  arrange();
  paintGrey(photo);
  for (const sample of samples) paintSample(sample);
}

/** Give the cards the photo's shape, and the room there is. */
function arrange() {
  const { photo } = store.view;
  if (!photo) return;
  const cards = byId("cards");
  const ratio = photo.width ? photo.width / photo.height : 1.5;
  const room = { width: cards.clientWidth, height: innerHeight - cards.offsetTop };
  const { columns, width } = columnsFor(cards.children.length, ratio, room);
  for (const [name, value] of [["--ratio", ratio], ["--columns", columns], ["--card", `${width}px`]]) cards.style.setProperty(name, value);
}

function showHead(photo, run) {
  byId("run-title").textContent = run ? runTitle(run) : photo.name;
  byId("run-facts").textContent = run ? runFacts(run) : "";
  const busy = run?.status === "working" || run?.status === "waiting";
  byId("run-progress").hidden = !busy && run?.status !== "stopped";
  byId("stop").hidden = !busy;
  byId("progress").hidden = !busy;
  const bar = byId("progress");
  if (run?.kind === "interpolations") bar.removeAttribute("value");
  else Object.assign(bar, { max: run?.total ?? 1, value: run?.samples.length ?? 0 });
  byId("progress-text").textContent = run ? progressWords(run) : "";
  const halted = run?.status === "failed" || run?.status === "stopped";
  byId("run-error").hidden = !halted;
  if (!halted) return;
  const { title, detail } = run.error ? errorWords(run.error) : { title: "Stopped.", detail: "What had come stays." };
  byId("error-title").textContent = title;
  byId("error-detail").textContent = detail;
  byId("retry").textContent = run.samples.length ? "Go on" : "Try again";
}

function progressWords(run) {
  if (run.wait) return `${errorWords(run.wait.problem).title} Trying again in ${run.wait.seconds} s`;
  if (run.status === "waiting") return "waiting for its turn";
  if (run.status !== "working") return "";
  return run.kind === "interpolations" ? "on the way …" : `${run.samples.length} of ${run.total}`;
}

const greyCard = once((photo) => {
  const open = make("button", { type: "button", className: "open", onclick: () => openPhoto(photo) });
  const words = make("span", {}, "Your photo");
  const remove = make("button", { type: "button", className: "quiet icon", "aria-label": `Remove ${photo.name}`, title: "Remove this photo", onclick: () => removePhoto(photo) }, icon("close"));
  const hint = make("button", { type: "button", className: "quiet icon", "aria-label": "Place colour hints", title: "Place colour hints", onclick: () => openPhoto(photo) }, icon("drop"));
  return make("li", { className: "card" }, open, make("div", { className: "foot" }, words, hint, remove));
});

function paintGrey(photo) {
  const open = greyCard(photo).querySelector(".open");
  const url = greyUrl(photo);
  const count = hintsOf(photo).length;
  const drawn = `${url} ${count}`;
  if (open.dataset.drawn === drawn) return;
  open.dataset.drawn = drawn;
  const label = `${photo.name}, the grey photo: open it and place colour hints`;
  const picture = url ? make("img", { src: url, alt: label, className: "grey" }) : make("span", { className: "none" }, "This browser cannot show this kind of file; its colorings it can.");
  open.replaceChildren(picture);
  if (count) open.append(make("span", { className: "hint-badge" }, count === 1 ? "1 hint" : `${count} hints`));
}

const sampleCard = once((sample) => {
  const title = sampleTitle(sample);
  const picture = make("img", { src: sample.url, alt: `${title}: open it`, decoding: "async" });
  const open = make("button", { type: "button", className: "open", onclick: () => openSample(sample) }, picture);
  const mark = make("button", { type: "button", className: "quiet icon mark", "aria-label": `Mark ${title.toLowerCase()} for interpolation`, title: "Mark for interpolation", onclick: () => toggleMark(sample) }, icon("mark"));
  const bits = make("span", { title: "bits per dimension: smaller is likelier" }, `${sample.bits_per_dim.toFixed(2)} bits`);
  const foot = make("div", { className: "foot" }, make("div", { className: "words" }, title, bits), mark);
  return make("li", { className: "card new" }, open, foot);
});

function paintSample(sample) {
  const marked = store.view.marks.includes(sample);
  const card = sampleCard(sample);
  card.classList.toggle("marked", marked);
  card.querySelector(".mark").setAttribute("aria-pressed", marked);
}

const kept = new WeakMap();

/** The place that a sample will take. */
function pending(run, index) {
  if (!kept.has(run)) kept.set(run, []);
  const open = () => make("div", { className: "open", "aria-hidden": "true" });
  const card = (kept.get(run)[index] ??= make("li", {}, open(), make("div", { className: "foot" }, make("span", {}, String(index + 1)))));
  card.className = run.status === "working" ? "card pending working" : "card pending";
  return card;
}
