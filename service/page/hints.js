/** "Fix a color": points on the photo, each with a color that all colorings follow. The interface calls them hints. */

import { followHints } from "./actions.js";
import { colorAt } from "./canvas.js";
import { byId, clamp, iconButton, make, slider } from "./element.js";
import { askForIdeas } from "./ideas.js";
import { atLightness, hexToLab } from "./lab.js";
import { notice } from "./notices.js";
import { MAX_HINTS, SPREAD } from "./options.js";
import { closePalette, isPaletteOpen, openPalette, placePalette, setUpPalette } from "./palette.js";
import { isPeeking } from "./peek.js";
import { amend, canRedo, change, hintFields, hintsOf, hintsSet, point, sameHints, spreadOf, spreadSet, store } from "./store.js";
import { percent, spreadWords } from "./words.js";
import { isBusy, start } from "./work.js";
import { dragged, toPhoto, toStage } from "./zoom.js";

const NUDGE = 0.01; // of the photo's side, for an arrow key
const CLICK = 4; // pixels that a pointer may move in a click
const PAUSE = 500; // milliseconds after a change, in which another may come
const WAYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

let fixed = () => null; // the photo whose colors are fixed now
let looked = () => null; // the coloring that is looked at meanwhile
let timer = null;
let changed = null; // the photo whose colorings do not follow its last change yet
let recolored = null; // the point that the palette was opened for, if it is not a new one
let place = null; // where on the photo the palette was opened
let spread = null; // how far colors spread by the slider
let peeked = false; // the click that is coming ends a look at the gray photo
const dots = [];

export function setUpHints(photo, sample) {
  fixed = photo;
  looked = sample;
  setUpPalette();
  const stage = byId("stage");
  slider("hint-spread", SPREAD, (value) => alter(spreadSet(fixed(), value)), showSpread);
  byId("hint-add").onclick = () => ask({ x: 0.5, y: 0.5 });
  addEventListener("pagehide", followChange); // before the session is stored
  stage.addEventListener("pointerup", () => (peeked = isPeeking()), { capture: true });
  stage.addEventListener("click", (event) => {
    if (!fixed() || event.target !== stage || dragged() || peeked) return;
    if (isPaletteOpen()) return closePalette();
    const { x, y } = toPhoto(event);
    if (x >= 0 && x <= 1 && y >= 0 && y <= 1) ask({ x, y });
  });
}

/**
 * Change the fixed colors. Changes that colorings follow together are one undo step: undo would otherwise lead to fixed
 * colors that no colorings follow. After an undo, a change begins a new step.
 */
const alter = (patch) => (changed === fixed() && !canRedo() ? amend : change)(patch);

/** Open the palette for a new point. */
function ask(at) {
  const photo = fixed();
  if (hintsOf(photo).length >= MAX_HINTS) return notice(`A photo takes at most ${MAX_HINTS} fixed colors. Move or remove one.`);
  const { x, y } = (place = rounded(at));
  recolored = null;
  openPalette(toStage(place), lightness({ x, y }), (choice) => {
    alter(hintsSet(photo, [...hintsOf(photo), { x, y, ...choice }]));
    dots[hintsOf(photo).length - 1].focus({ preventScroll: true });
  }, { used: used(), ideas: ideasAt(place) });
}

/** The names and colors that points have. */
const used = () => hintsOf(fixed()).map((hint) => ({ name: hint.name, color: asked(hint) }));

/** What ideas for a point begin with: the photo's other fixed colors. */
function ideasAt(at) {
  const photo = fixed();
  const others = hintsOf(photo).filter((hint) => hint !== at);
  const isReady = () => isFollowed(photo) && !store.view.runs.some(isBusy);
  return { photo: photo.file, x: at.x, y: at.y, looked, isReady, hints: { hints: others.map(point), hint_spread: spreadOf(photo) } };
}

/** The color that was chosen for a point; of a link, the one adapted to the point. */
const asked = ({ color, chosen = color }) => chosen;

/** The lightness L* of a point; a middle one where it cannot be read. */
function lightness(at) {
  const color = colorAt(byId("before"), at);
  return color ? hexToLab(color)[0] : 50;
}

/** Round to the precision of links. */
const rounded = ({ x, y }) => ({ x: Math.round(clamp(x, 0, 1) * 10_000) / 10_000, y: Math.round(clamp(y, 0, 1) * 10_000) / 10_000 });

const replace = (i, patch) => alter(hintsSet(fixed(), hintsOf(fixed()).map((hint, j) => (i === j ? { ...hint, ...patch } : hint))));

/** Move a point: adapt the chosen color to the new lightness. A link holds only the adapted color. */
function move(i, to) {
  const at = rounded(to);
  const chosen = asked(hintsOf(fixed())[i]);
  replace(i, { ...at, chosen, color: atLightness(chosen, lightness(at)).hex });
}

function remove(i) {
  alter(hintsSet(fixed(), hintsOf(fixed()).filter((_, j) => i !== j)));
  byId("stage").focus({ preventScroll: true });
}

/** Open the palette for an existing point. */
function recolor(i) {
  const hint = (recolored = place = hintsOf(fixed())[i]);
  openPalette(toStage(hint), lightness(hint), (choice) => {
    replace(i, choice);
    dots[i].focus({ preventScroll: true });
  }, { used: used(), now: asked(hint), remove: () => remove(i), ideas: ideasAt(hint) });
}

/** Paint the points and their list. */
export function showHints() {
  const photo = fixed();
  byId("stage").classList.toggle("hinting", Boolean(photo));
  const hints = photo ? hintsOf(photo) : [];
  if (!photo || (recolored && !hints.includes(recolored))) closePalette(); // undo may take the point away
  if (isPaletteOpen()) placePalette(toStage(place)); // the photo may have another size or place now
  askForIdeas(); // the colorings that these wait for may have come
  while (dots.length < hints.length) dots.push(dot(dots.length));
  for (const [i, each] of dots.entries()) {
    each.hidden = i >= hints.length;
    if (!each.isConnected) byId("dots").append(each);
    if (each.hidden) continue;
    const { left, top } = toStage(hints[i]);
    each.style.left = `${left}px`;
    each.style.top = `${top}px`;
    each.style.setProperty("--dot", hints[i].color);
    each.setAttribute("aria-label", `Fixed color ${i + 1}, ${words(hints[i])}. Enter changes it, arrow keys move it, Delete removes it.`);
  }
  byId("hint-list").replaceChildren(...hints.map(listed));
  byId("hint-spread-field").hidden = !hints.length;
  if (!photo || spread === spreadOf(photo)) return; // the slider may be held while colorings come
  spread = spreadOf(photo);
  closePalette(); // its ideas spread as far as before
  byId("hint-spread").value = spread;
  showSpread(spread);
}

function showSpread(value) {
  byId("hint-spread-out").textContent = percent(value);
  byId("hint-spread-words").textContent = spreadWords(value);
  byId("hint-spread").setAttribute("aria-valuetext", `${percent(value)}: ${spreadWords(value)}`);
}

/** Make the colorings follow the fixed colors: a moment after each change, at once when fixing ends. */
export function follow() {
  clearTimeout(timer);
  const photo = fixed();
  if (!photo) return followChange();
  changed = isFollowed(photo) ? null : photo;
  if (!changed) return store.view.runs.filter((run) => run.superseded && run.status === "stopped").forEach(start); // undo brought them back
  timer = setTimeout(followChange, PAUSE);
}

function followChange() {
  const photo = changed;
  changed = null;
  if (photo && photo === store.view.photo && !isFollowed(photo)) followHints(photo, looked(), (runs, looks, kept) => amend({ runs, looks, kept }));
}

function isFollowed(photo) {
  return sameHints(store.view.runs.at(-1)?.fields ?? {}, hintFields(photo));
}

function words(hint) {
  const { x, y, color, name } = hint;
  const what = name ?? asked(hint);
  return `${what}${what[0] === "#" && what !== color ? ` (here ${color})` : ""}, at ${Math.round(100 * x)} %, ${Math.round(100 * y)} %`;
}

function listed(hint, i) {
  const sample = make("i", { "aria-hidden": "true" });
  sample.style.setProperty("--dot", hint.color);
  return make("li", {}, sample, words(hint), iconButton("remove", `Remove fixed color ${i + 1}`, () => remove(i)));
}

function dot(i) {
  const button = make("button", { type: "button", className: "dot" });
  let last = null; // where it was dragged to, if it was
  let from = null;
  button.addEventListener("pointerdown", (event) => {
    button.setPointerCapture(event.pointerId);
    last = null;
    from = event;
  });
  button.addEventListener("pointermove", (event) => {
    if (!button.hasPointerCapture(event.pointerId)) return;
    if (!last && Math.hypot(event.clientX - from.clientX, event.clientY - from.clientY) < CLICK) return;
    closePalette();
    last = toPhoto(event);
    const { left, top } = toStage(last);
    button.style.left = `${left}px`;
    button.style.top = `${top}px`;
  });
  button.addEventListener("pointerup", ({ pointerId }) => last && button.hasPointerCapture(pointerId) && move(i, last)); // no click follows where a finger has dragged
  button.addEventListener("click", () => last || recolor(i));
  button.addEventListener("keydown", (event) => {
    const way = WAYS[event.key];
    const hint = hintsOf(fixed())[i];
    if (event.key === "Enter" || event.key === " ") last = null;
    else if (way) move(i, { x: hint.x + NUDGE * way[0], y: hint.y + NUDGE * way[1] });
    else if (event.key === "Delete" || event.key === "Backspace") remove(i);
    if (way || event.key === "Delete" || event.key === "Backspace") event.preventDefault();
  });
  return button;
}
