/** The cards of the grid: the gray photo, the source of variations, a place for each sample, and "more". */

import { isCopy, isUsedUp, toggleKept } from "./actions.js";
import { saveSample } from "./download.js";
import { byId, icon, iconButton, make, once, set } from "./element.js";
import { explain, explained } from "./explain.js";
import { shownUrl } from "./look.js";
import { errorNotice, notice } from "./notices.js";
import { explainLikelihood, grayUrl, likelihoodWords } from "./photo.js";
import { removePhoto } from "./photos.js";
import { goOn, goOnWords } from "./settings.js";
import { hintsOf, store } from "./store.js";
import { openForHints, openSample } from "./viewer.js";
import { UNDO, count, sampleTitle } from "./words.js";
import { isBusy } from "./work.js";

export const grayCard = once((photo) => {
  const open = make("button", { type: "button", className: "open", onclick: () => openForHints(photo) });
  const fix = make("button", { type: "button", className: "quiet small fix", onclick: () => openForHints(photo) }, icon("drop"), "Fix a color");
  const remove = iconButton("close", `Remove ${photo.name}`, () => {
    removePhoto(photo);
    byId("undo").focus();
    notice(`${photo.name} and its colorings are removed. ${UNDO}`);
  });
  return make("li", { className: "card" }, open, make("div", { className: "foot" }, make("div", { className: "words" }, "Original"), fix, remove));
});

export function paintGray(photo) {
  const open = grayCard(photo).querySelector(".open");
  const url = grayUrl(photo);
  const hints = hintsOf(photo).length;
  const failed = photo.runs.at(-1)?.status === "failed";
  const drawn = `${url} ${hints} ${failed}`;
  if (open.dataset.drawn === drawn) return;
  open.dataset.drawn = drawn;
  const label = `${photo.name}, the gray photo: open it and fix a color`;
  const picture = url ? make("img", { src: url, alt: label, className: "gray" }) : make("span", { className: "none" }, `Your browser cannot preview this file type.${failed ? "" : " Colorings will show normally."}`);
  open.disabled = grayCard(photo).querySelector(".fix").disabled = !url; // there is nothing to look at
  open.replaceChildren(picture);
  if (hints) open.append(make("span", { className: "badge" }, count(hints, "fixed color")));
}

const slots = new WeakMap();

/** The card of one slot of a run: a placeholder until its sample arrives. */
export function slotCard(run, slot) {
  if (!slots.has(run)) slots.set(run, []);
  return (slots.get(run)[slot] ??= make("li", { className: "card pending" }, make("div", { className: "open", "aria-hidden": "true" }), make("div", { className: "foot" }, String(run.first + slot + 1))));
}

export function paintSlot(run, slot) {
  const card = slotCard(run, slot);
  const sample = run.slots[slot];
  if (!sample) {
    set(card, "className", run.status === "working" ? "card pending working" : "card pending");
    return;
  }
  if (card.classList.contains("pending")) fill(card, sample, sampleTitle(sample), "new arriving");
  paintSample(card, sample);
}

/** The card of the source of variations, before them. */
export const sourceCard = once((run) => {
  const card = make("li");
  fill(card, run.source, `Source: ${sampleTitle(run.source).toLowerCase()}`, "source");
  return card;
});

export const paintSource = (run) => paintSample(sourceCard(run), run.source);

function fill(card, sample, title, kind) {
  const lower = title.toLowerCase();
  const picture = make("img", { src: sample.url, alt: `${title}: open it`, decoding: "async" });
  const open = make("button", { type: "button", className: "open", onclick: () => openSample(sample) }, picture);
  const keep = iconButton("heart", `Keep ${lower}`, () => toggleKept(sample), { className: "quiet icon keep" });
  const save = iconButton("download", `Download ${lower}`, () => download(sample), { className: "quiet icon save" });
  card.className = `card ${kind}`;
  card.replaceChildren(open, make("div", { className: "foot" }, make("div", { className: "words" }, make("span", { className: "title" }, title), ...explained({ className: "likelihood" })), keep, save));
  card.addEventListener("animationend", () => card.classList.remove("arriving"));
}

function paintSample(card, sample) {
  set(card.querySelector("img"), "src", shownUrl(sample));
  const kept = store.view.kept.includes(sample);
  card.classList.toggle("kept", kept);
  set(card.querySelector(".keep"), "aria-pressed", kept);
  explain(card.querySelector(".likelihood"), likelihoodWords(sample), explainLikelihood(sample));
}

async function download(sample) {
  try {
    await saveSample(sample);
  } catch (error) {
    errorNotice(error);
  }
}

const more = once(() => make("li", { className: "card more" }, make("button", { type: "button", className: "open", onclick: goOn }, icon("plus"), make("span", {})), make("div", { className: "foot" })));

/** The last card: the main button again, after the last coloring. */
export function moreCard() {
  const card = more(byId("cards"));
  set(card.querySelector("span"), "textContent", goOnWords());
  const { runs } = store.view;
  card.hidden = runs.some(isBusy) || !runs[0]?.samples.length || runs[0].kind === "interpolations" || isCopy(runs[0]) || isUsedUp();
  return card;
}
