/** The full view of a coloring, or of the grey photo to place hints on. */

import { vary } from "./actions.js";
import { saveSample } from "./download.js";
import { byId, make } from "./element.js";
import { setUpHints, showHints } from "./hints.js";
import { shareSample, showShare } from "./link.js";
import { toggleMark } from "./marks.js";
import { greyUrl } from "./photos.js";
import { slider } from "./settings.js";
import { listen, store } from "./store.js";
import { setUpWipe } from "./wipe.js";
import { errorWords, number, sampleTitle } from "./words.js";
import { fit, setPhoto, setUpZoom, zoomKey } from "./zoom.js";

let photo = null;
let sample = null; // null: the grey photo itself

const viewer = () => byId("viewer");

export function openPhoto(of) {
  open(of, null);
}

export function openSample(of) {
  open(of.run.photo, of);
}

function open(ofPhoto, ofSample) {
  if (!greyUrl(ofPhoto)) return; // there is nothing to look at yet
  photo = ofPhoto;
  sample = ofSample;
  setPhoto(photo);
  const after = byId("after");
  const grey = greyUrl(photo);
  after.src = sample ? sample.url : grey;
  after.alt = sample ? sampleTitle(sample) : "The grey photo";
  after.classList.toggle("grey", !sample);
  byId("before").src = grey;
  for (const each of ["before", "wipe"]) byId(each).hidden = !sample;
  byId("sample-tools").hidden = !sample;
  byId("hint-tools").hidden = Boolean(sample);
  byId("tools-error").hidden = true;
  byId("viewer-title").textContent = sample ? sampleTitle(sample) : photo.name;
  showFacts();
  showShare(sample);
  if (!viewer().open) {
    viewer().showModal();
    fit();
    byId("stage").focus({ preventScroll: true });
  }
  show();
}

export function setUpViewer() {
  setUpWipe();
  setUpHints(() => (sample ? null : photo), () => viewer().close());
  setUpZoom(showHints);
  slider("strength");
  slider("quality");
  byId("viewer-close").onclick = () => viewer().close();
  byId("previous").onclick = () => step(-1);
  byId("next").onclick = () => step(1);
  byId("mark").onclick = () => toggleMark(sample);
  byId("hint-here").onclick = () => openPhoto(photo);
  byId("share").onclick = () => shareSample(sample);
  byId("format").onchange = ({ target }) => (byId("quality").disabled = target.value === "png");
  byId("vary").onclick = () => {
    vary(sample, Number(byId("strength").value));
    viewer().close();
  };
  byId("download").onclick = save;
  viewer().addEventListener("keydown", (event) => {
    if (event.target.matches("input, select") || event.ctrlKey || event.metaKey) return;
    const way = { PageUp: -1, PageDown: 1 }[event.key];
    if (way) step(way);
    if (way || zoomKey(event.key)) event.preventDefault();
  });
  listen(show);
}

function show() {
  if (!viewer().open) return;
  const samples = store.view.run?.samples ?? [];
  for (const each of ["previous", "next"]) byId(each).hidden = !sample || samples.length < 2;
  const marked = store.view.marks.includes(sample);
  byId("mark").setAttribute("aria-pressed", marked);
  byId("mark").textContent = marked ? "Marked for interpolation" : "Mark for interpolation";
  showHints();
}

function step(way) {
  const samples = store.view.run?.samples ?? [];
  const place = samples.indexOf(sample);
  if (place >= 0) openSample(samples[(place + way + samples.length) % samples.length]);
}

function showFacts() {
  const facts = [];
  if (sample) {
    const { run } = sample;
    const likelier = run.samples.filter((each) => each.bits_per_dim < sample.bits_per_dim).length;
    facts.push(["Likelihood", `${sample.bits_per_dim.toFixed(3)} bits/dim`]);
    facts.push(["", likelier ? `${likelier} of ${run.samples.length} here are likelier` : "the likeliest of these"]);
    facts.push(["Latent norm", sample.latent_norm.toFixed(3)]);
    facts.push(["Temperature", number(run.temperature)]);
    if (run.fields.seed !== undefined) facts.push(["Seed, index", `${run.fields.seed}, ${sample.index}`]);
    for (const [i, hint] of (sample.hints ?? []).entries()) facts.push([`Hint ${i + 1}`, `missed by ΔE ${hint.delta_chroma.toFixed(1)}`]);
  }
  if (photo.width) facts.push(["Size", `${photo.width} × ${photo.height}`]);
  byId("facts").replaceChildren(...facts.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
}

async function save() {
  const button = byId("download");
  button.disabled = true;
  byId("tools-error").hidden = true;
  try {
    await saveSample(sample, byId("format").value, Number(byId("quality").value));
  } catch (error) {
    const { title, detail } = errorWords(error);
    byId("tools-error").hidden = false;
    byId("tools-error").textContent = `${title} ${detail}`;
  }
  button.disabled = false;
}
