/** The full view of a coloring: compare it with the gray photo, change it, fix its colors, and take it away. */

import { drawsAlike, followsHints, showPhoto, spreadColors, toggleKept, vary } from "./actions.js";
import { openDialog } from "./back.js";
import { saveSample, whileDisabled } from "./download.js";
import { byId, make, once, set, setChildren, slider } from "./element.js";
import { follow, setUpHints, showHints } from "./hints.js";
import { previewer, shownUrl } from "./look.js";
import { announce } from "./notices.js";
import { STRENGTH } from "./options.js";
import { closePalette, isPaletteOpen } from "./palette.js";
import { setUpPeek } from "./peek.js";
import { grayUrl, likelihoodWords, peersOf } from "./photo.js";
import { canSharePictures, sharePictures, shareSample, showShare } from "./share.js";
import { changeLook, isPlain, listen, lookOf, shownSamples, store } from "./store.js";
import { setUpSwipe } from "./swipe.js";
import { MIDDLE, setUpWipe, wipeTo } from "./wipe.js";
import { errorWords, number, percent, sampleTitle } from "./words.js";
import { QUALITY, canGoOn, isBusy, isHalted, start } from "./work.js";
import { fit, setPhoto, setUpZoom, zoomKey } from "./zoom.js";

let photo = null;
let sample = null; // null: the gray photo itself
let fixing = false; // whether a click on the photo fixes a color
let follows = false; // whether the sample is replaced by the one of its number that follows the fixed colors
let preview = null;

const viewer = () => byId("viewer");

export const openSample = (of) => open(of.run.photo, of, false);

/**
 * Open a photo where its colors are fixed: on its first coloring in the grid, or in gray. If variations there keep their
 * colors, open their source.
 */
export function openForHints(of) {
  const anyFollow = store.view.runs.some(followsHints);
  open(of, shownSamples().find((each) => each.run.photo === of && followsHints(each.run) && (isInGrid(each) || !anyFollow)) ?? null, true);
}

const isInGrid = ({ run }) => store.view.runs.includes(run);

function open(ofPhoto, ofSample, toFix) {
  if (!grayUrl(ofPhoto)) return; // there is nothing to look at yet
  if (toFix && ofPhoto !== store.view.photo) showPhoto(ofPhoto);
  if (photo !== ofPhoto) wipeTo(MIDDLE);
  follows = toFix || (follows && sample === ofSample);
  photo = ofPhoto;
  sample = ofSample;
  fixing = toFix;
  setPhoto(photo);
  byId("tools-error").hidden = true;
  byId("after-look").hidden = true;
  closePalette();
  if (!viewer().open) {
    openDialog(viewer());
    fit();
    byId("stage").focus({ preventScroll: true });
  }
  show();
  showShare(sample);
}

export function setUpViewer() {
  preview = previewer(byId("after-look"));
  setUpWipe();
  setUpHints(() => (fixing && viewer().open ? photo : null), () => sample);
  setUpZoom(showHints);
  setUpPeek(viewer());
  setUpSwipe(step);
  slider("strength", STRENGTH, undefined, (value) => (byId("strength-out").textContent = percent(value)));
  slider("quality", QUALITY);
  slideLook("saturation", percent);
  slideLook("warmth", (value) => (value === 0 ? "0" : `${value > 0 ? "+" : "−"}${Math.round(100 * Math.abs(value))}`));
  byId("after").addEventListener("load", () => (byId("after-look").hidden = true)); // the finished picture has come
  byId("look-reset").onclick = () => changeLook(sample, { saturation: 1, warmth: 0 });
  byId("viewer-close").onclick = () => viewer().close();
  byId("previous").onclick = () => step(-1);
  byId("next").onclick = () => step(1);
  byId("keep").onclick = () => toggleKept(sample);
  byId("fix").onclick = () => open(photo, sample, true);
  byId("view-retry").onclick = () => store.view.runs.filter(isHalted).forEach(start);
  byId("fix-done").onclick = () => (sample ? open(photo, sample, false) : viewer().close());
  byId("share").onclick = () => shareSample(sample);
  byId("format").onchange = ({ target }) => (byId("quality").disabled = target.value === "png");
  byId("vary").onclick = () => {
    viewer().close(); // first, so that the focus is back where it was
    vary(sample, Number(byId("strength").value));
  };
  byId("spread").onclick = () => {
    spreadColors(sample);
    viewer().close();
    announce("All other photos get these colors");
  };
  byId("download").onclick = ({ currentTarget }) => makeFile(currentTarget, saveSample);
  byId("share-picture").hidden = !canSharePictures();
  byId("share-picture").onclick = ({ currentTarget }) => makeFile(currentTarget, (of, options) => sharePictures([of], options));
  viewer().addEventListener("keydown", keys);
  viewer().addEventListener("click", backToStage);
  viewer().addEventListener("cancel", (event) => {
    if (!isPaletteOpen()) return;
    event.preventDefault(); // Back, too, closes the palette first
    closePalette();
    byId("stage").focus({ preventScroll: true });
  });
  viewer().addEventListener("close", () => {
    fixing = follows = false;
    follow();
  });
  listen(() => {
    if (!viewer().open) return;
    if (!store.view.photos.includes(photo) || (fixing && store.view.photo !== photo)) return viewer().close(); // undo took the photo away, or returned to another
    show();
    if (!document.activeElement.checkVisibility()) byId("stage").focus({ preventScroll: true }); // undo took a point away
  });
}

function keys(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, select, .dot")) return;
  const slides = event.target.matches("[role=slider]"); // the wipe has arrow keys of its own
  const way = event.shiftKey ? null : { PageUp: -1, PageDown: 1, ...(slides ? {} : { ArrowLeft: -1, ArrowRight: 1 }) }[event.key];
  if (way) step(way);
  if (way || zoomKey(event.key)) event.preventDefault();
}

/** Focus the photo after a pointer press on a button, or after a button disappears, so that the viewer's keys work. */
function backToStage(event) {
  const button = event.target.closest("button");
  if (!button || isPaletteOpen() || document.activeElement.matches(".dot")) return;
  if (event.detail || !button.checkVisibility()) byId("stage").focus({ preventScroll: true });
}

/** The samples that next and previous go through. The source of variations does not follow their fixed colors. */
const others = () => shownSamples().filter((each) => each.run.photo === photo && (!fixing || isInGrid(each)));

function step(way) {
  const samples = others();
  const place = samples.indexOf(sample);
  if (place >= 0 && samples.length > 1) open(photo, samples[(place + way + samples.length) % samples.length], fixing);
}

function show() {
  if (follows) sample = successor() ?? sample;
  const title = sample ? sampleTitle(sample) : photo.name;
  set(byId("viewer-title"), "textContent", title);
  const gray = grayUrl(photo);
  const after = byId("after");
  set(after, "src", new URL(sample ? shownUrl(sample) : gray).href);
  set(after, "alt", sample ? title : "The gray photo");
  after.classList.toggle("gray", !sample);
  set(byId("before"), "src", new URL(gray).href);
  byId("stage").classList.toggle("comparing", Boolean(sample) && !fixing);
  byId("wipe").hidden = !sample || fixing;
  byId("actions").hidden = !sample || fixing;
  byId("sample-tools").hidden = !sample || fixing;
  byId("hint-tools").hidden = !fixing;
  const samples = others();
  for (const each of ["previous", "next"]) byId(each).hidden = samples.length < 2 || !samples.includes(sample);
  if (sample) showSample();
  if (fixing) showFixing();
  showFailure();
  showHints();
  follow();
}

/** The sample of the same number in the runs that the grid has now: the one that follows the fixed colors. */
function successor() {
  return others().find(({ run, index }) => followsHints(run) && index === (sample?.index ?? run.fields.offset ?? 0) && (!sample || drawsAlike(run, sample.run)));
}

function showSample() {
  const kept = store.view.kept.includes(sample);
  set(byId("keep"), "aria-pressed", kept);
  byId("keep").lastElementChild.textContent = kept ? "Kept" : "Keep";
  const { saturation, warmth } = lookOf(sample);
  for (const [id, value] of Object.entries({ saturation, warmth })) {
    byId(id).value = value;
    byId(id).oninput({ preview: false });
  }
  const plain = isPlain({ saturation, warmth });
  byId("look-reset").hidden = plain;
  byId("look-note").hidden = plain || !sample.hints?.length;
  byId("vary").disabled = sample.run.temperature === 0; // all would be equal to it
  byId("vary-tools").hidden = sample.run.temperature === 0;
  byId("vary-not").hidden = sample.run.temperature !== 0;
  byId("fix").hidden = !followsHints(sample.run);
  byId("fix-not").hidden = !byId("fix").hidden;
  byId("spread-tools").hidden = store.view.photos.length < 2;
  const words = likelihoodWords(sample);
  const all = peersOf(sample);
  const likelier = all.filter((each) => each.bits_per_dim < sample.bits_per_dim).length;
  byId("chance").hidden = !words;
  byId("chance").textContent = words ? `The model finds these colors ${words}: of this photo's ${all.length} colorings, ${likelier || "none"} ${likelier > 1 ? "are" : "is"} likelier.` : "";
  setChildren(byId("facts"), factsOf(sample).flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
}

function factsOf({ run, index, bits_per_dim: bits, latent_norm: norm, hints }) {
  const facts = [["Bits per dimension", bits.toFixed(3)], ["Latent norm", norm.toFixed(3)]];
  if (run.temperature !== undefined) facts.push(["Temperature", number(run.temperature)]);
  if (run.fields.seed !== undefined) facts.push(["Seed, index", `${run.fields.noise_seed ?? run.fields.seed}, ${index}`]);
  for (const [i, hint] of (hints ?? []).entries()) facts.push([`Fixed color ${i + 1}`, `missed by ΔE ${hint.delta_chroma.toFixed(1)}`]);
  if (hints) facts.push(["Spread of fixed colors", percent(run.fields.hint_spread)]);
  if (photo.width) facts.push(["Size", `${photo.width} × ${photo.height}`]);
  return facts;
}

const thumbnail = once((of) => make("li", {}, make("button", { type: "button", "aria-label": sampleTitle(of), title: sampleTitle(of), onclick: () => open(photo, of, true) }, make("img", { alt: "" }))));

function showFixing() {
  setChildren(byId("fix-colorings"), others().map(thumbnail));
  for (const each of others()) {
    set(thumbnail(each).firstChild, "aria-current", each === sample);
    set(thumbnail(each).querySelector("img"), "src", shownUrl(each));
  }
  byId("fix-status").textContent = store.view.runs.some(isBusy) ? "Coloring again …" : "";
}

/** Say why the sample does not follow the fixed colors. */
function showFailure() {
  const failed = follows && store.view.runs.find(({ status }) => status === "failed");
  byId("view-error").hidden = !failed;
  if (!failed) return;
  byId("view-error-words").textContent = errorWords(failed.error).title;
  byId("view-retry").hidden = !canGoOn(failed);
}

/** Couple a slider with the sample's look: previewed while dragged, applied on release. */
function slideLook(id, words) {
  const input = byId(id);
  input.oninput = ({ preview: live = true }) => {
    byId(`${id}-out`).textContent = words(Number(input.value));
    if (!live) return;
    const now = { saturation: Number(byId("saturation").value), warmth: Number(byId("warmth").value) };
    const of = sample;
    preview(of, now).then(() => of === sample && (byId("after-look").hidden = false), fail);
  };
  input.onchange = () => changeLook(sample, { [id]: Number(input.value) });
}

/** Make a file of the sample as the tools say. */
async function makeFile(button, work) {
  byId("tools-error").hidden = true;
  const options = { format: byId("format").value, quality: Number(byId("quality").value), beside: byId("beside").checked };
  const error = await whileDisabled(button, () => work(sample, options));
  if (error) fail(error);
}

function fail(error) {
  const { title, detail } = errorWords(error);
  byId("tools-error").hidden = false;
  byId("tools-error").textContent = `${title} ${detail}`;
}
