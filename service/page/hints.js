/** Colour hints: dots on the photo, and the colour of the next one. */

import { colorize } from "./actions.js";
import { byId, clamp, icon, make } from "./element.js";
import { MAX_HINTS, changeHints, hintsOf } from "./store.js";
import { dragged, toPhoto, toStage } from "./zoom.js";

const SWATCHES = [
  ["light skin", "#d9a98c"], ["dark skin", "#8a5a3c"], ["hair, wood", "#7a5230"], ["brick, rust", "#a03c28"], ["red", "#c8202c"], ["orange", "#d97a26"],
  ["straw, sand", "#cfb271"], ["grass", "#6f8f3c"], ["leaves", "#3f6b3a"], ["sea", "#2f7f86"], ["sky", "#7aaedb"], ["denim, navy", "#34507f"],
];
const NUDGE = 0.01; // of the photo's side, for an arrow key
const WAYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

let shownPhoto = () => null; // the photo on which hints are placed now
const dots = [];

export function setUpHints(photo, close) {
  shownPhoto = photo;
  byId("swatches").replaceChildren(...SWATCHES.map(swatch));
  byId("hint-color").oninput = ({ target }) => choose(target.value);
  byId("hint-add").onclick = () => {
    add({ x: 0.5, y: 0.5 });
    dots[hintsOf(shownPhoto()).length - 1].focus();
  };
  byId("hint-run").onclick = () => {
    colorize(shownPhoto());
    close();
  };
  byId("stage").addEventListener("click", (event) => {
    if (shownPhoto() && event.target === byId("stage") && !dragged()) add(toPhoto(event));
  });
  choose(SWATCHES[3][1]);
}

function swatch([name, color]) {
  const button = make("button", { type: "button", role: "radio", "aria-label": name, title: name, onclick: () => choose(color), onkeydown: walk });
  button.dataset.color = color;
  button.style.setProperty("--dot", color);
  return button;
}

/** Arrow keys go from swatch to swatch, as in any group of radio buttons. */
function walk(event) {
  const way = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 }[event.key];
  if (!way) return;
  event.preventDefault();
  const all = [...byId("swatches").children];
  const next = all[(all.indexOf(event.target) + way + all.length) % all.length];
  choose(next.dataset.color);
  next.focus();
}

function choose(color) {
  byId("hint-color").value = color;
  const all = [...byId("swatches").children];
  for (const each of all) each.setAttribute("aria-checked", each.dataset.color === color);
  const entry = all.find((each) => each.dataset.color === color) ?? all[0];
  for (const each of all) each.tabIndex = each === entry ? 0 : -1;
}

function add({ x, y }) {
  const hints = hintsOf(shownPhoto());
  if (x < 0 || x > 1 || y < 0 || y > 1 || hints.length >= MAX_HINTS) return;
  changeHints(shownPhoto(), [...hints, { x, y, color: byId("hint-color").value }]);
}

function place(i, { x, y }) {
  const moved = { x: clamp(x, 0, 1), y: clamp(y, 0, 1) };
  changeHints(shownPhoto(), hintsOf(shownPhoto()).map((hint, j) => (i === j ? { ...hint, ...moved } : hint)));
}

function remove(i) {
  changeHints(shownPhoto(), hintsOf(shownPhoto()).filter((_, j) => i !== j));
  byId("stage").focus({ preventScroll: true });
}

/** Paint the dots and their list. */
export function showHints() {
  const photo = shownPhoto();
  byId("stage").classList.toggle("hinting", Boolean(photo));
  const hints = photo ? hintsOf(photo) : [];
  while (dots.length < hints.length) dots.push(dot(dots.length));
  for (const [i, each] of dots.entries()) {
    each.hidden = i >= hints.length;
    if (!each.isConnected) byId("dots").append(each);
    if (each.hidden) continue;
    const { left, top } = toStage(hints[i]);
    each.style.left = `${left}px`;
    each.style.top = `${top}px`;
    each.style.setProperty("--dot", hints[i].color);
    each.setAttribute("aria-label", `Hint ${i + 1}, ${words(hints[i])}. Arrow keys move it, Delete removes it.`);
  }
  byId("hint-list").replaceChildren(...hints.map(listed));
  byId("hint-run").textContent = hints.length ? "Colorize with hints" : "Colorize without hints";
}

const words = ({ x, y, color }) => `${color} at ${Math.round(100 * x)} %, ${Math.round(100 * y)} %`;

function listed(hint, i) {
  const sample = make("i", { "aria-hidden": "true" });
  sample.style.setProperty("--dot", hint.color);
  const button = make("button", { type: "button", className: "quiet icon", "aria-label": `Remove hint ${i + 1}`, onclick: () => remove(i) }, icon("remove"));
  return make("li", {}, sample, words(hint), button);
}

function dot(i) {
  const button = make("button", { type: "button", className: "dot" });
  let last = null;
  button.addEventListener("pointerdown", (event) => button.setPointerCapture(event.pointerId));
  button.addEventListener("pointermove", (event) => {
    if (!button.hasPointerCapture(event.pointerId)) return;
    last = toPhoto(event);
    const { left, top } = toStage(last);
    button.style.left = `${left}px`;
    button.style.top = `${top}px`;
  });
  button.addEventListener("pointerup", () => {
    if (last) place(i, last);
    last = null;
  });
  button.addEventListener("keydown", (event) => {
    const way = WAYS[event.key];
    const hint = hintsOf(shownPhoto())[i];
    if (way) place(i, { x: hint.x + NUDGE * way[0], y: hint.y + NUDGE * way[1] });
    else if (event.key === "Delete" || event.key === "Backspace") remove(i);
    else return;
    event.preventDefault();
  });
  return button;
}
