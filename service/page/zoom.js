/** Zoom and pan: a scale and an offset of the photo's pixels on the stage. */

import { byId, clamp } from "./element.js";

const STEP = 1.25;
const MAX_SCALE = 16; // screen pixels for one of the photo
const PAN = 60; // pixels, for an arrow key

const at = { scale: 1, x: 0, y: 0 };
const pointers = new Map();
let photo = null; // whose size may be known before its picture has come
let fitted = true;
let moved = 0;
let onChange = () => {};

const stage = () => byId("stage");
const images = () => [byId("after"), byId("after-look"), byId("before")];
const size = () => (photo?.width ? photo : { width: byId("after").naturalWidth || 1, height: byId("after").naturalHeight || 1 });

export function setUpZoom(listener) {
  onChange = listener;
  byId("zoom-in").onclick = () => zoom(STEP);
  byId("zoom-out").onclick = () => zoom(1 / STEP);
  byId("zoom-fit").onclick = fit;
  byId("zoom-full").onclick = full;
  byId("after").addEventListener("load", () => (fitted ? fit() : paint()));
  new ResizeObserver(() => (fitted ? fit() : paint())).observe(stage());
  stage().addEventListener("wheel", (event) => {
    if (byId("palette").contains(event.target)) return; // it scrolls
    event.preventDefault();
    zoom(Math.exp(-event.deltaY / 400), event);
  }, { passive: false });
  let pinched = 1; // scale of the pinch so far
  for (const name of ["gesturestart", "gesturechange"]) stage().addEventListener(name, (event) => {
    event.preventDefault(); // Safari's event of a trackpad, where others send a wheel: it would zoom the page
    if (name === "gesturechange" && !pointers.size) zoom(event.scale / pinched, event); // fingers on the screen are pointers
    pinched = event.scale;
  });
  stage().addEventListener("dblclick", (event) => {
    if (event.target !== stage()) return; // "next" was pressed twice
    if (fitted) full(event);
    else fit();
  });
  stage().addEventListener("pointerdown", down);
  stage().addEventListener("pointermove", move);
  for (const name of ["pointerup", "pointercancel"]) stage().addEventListener(name, (event) => pointers.delete(event.pointerId));
  stage().addEventListener("keydown", pan);
}

/** Whether the pointer that was just let go has dragged, and not clicked. */
export const dragged = () => moved > 5;

/** Keys of the whole viewer. Returns whether it was one. */
export function zoomKey(key) {
  const action = { "+": () => zoom(STEP), "=": () => zoom(STEP), "-": () => zoom(1 / STEP), 0: fit, 1: () => full() }[key];
  action?.();
  return Boolean(action);
}

/** Where a point of the screen lies on the photo, 0 … 1 in both directions if on it. */
export function toPhoto({ clientX, clientY }) {
  const box = stage().getBoundingClientRect();
  const { width, height } = size();
  return { x: (clientX - box.left - at.x) / at.scale / width, y: (clientY - box.top - at.y) / at.scale / height };
}

/** Whether the photo cannot be panned to the left or right. */
export const fitsWidth = () => size().width * at.scale < stage().clientWidth + 1;

/** The part of the stage that the photo covers, in pixels from its edges. */
export function shown() {
  const { clientWidth, clientHeight } = stage();
  const { width, height } = size();
  const [left, top] = [Math.max(at.x, 0), Math.max(at.y, 0)];
  return { left, top, width: Math.min(at.x + width * at.scale, clientWidth) - left, height: Math.min(at.y + height * at.scale, clientHeight) - top };
}

/** Where a point of the photo lies on the stage, in pixels. */
export function toStage({ x, y }) {
  const { width, height } = size();
  return { left: at.x + x * width * at.scale, top: at.y + y * height * at.scale };
}

/** Show this photo from now on. */
export function setPhoto(shown) {
  photo = shown;
}

export function fit() {
  const { clientWidth, clientHeight } = stage();
  const { width, height } = size();
  at.scale = Math.min(clientWidth / width, clientHeight / height, MAX_SCALE);
  fitted = true;
  paint();
}

function full(event) {
  zoom(1 / devicePixelRatio / at.scale, event);
}

function zoom(factor, event) {
  const box = stage().getBoundingClientRect();
  const x = event ? event.clientX - box.left : box.width / 2;
  const y = event ? event.clientY - box.top : box.height / 2;
  const { width, height } = size();
  const smallest = Math.min(box.width / width, box.height / height, 1) / 2;
  const scale = clamp(at.scale * factor, smallest, MAX_SCALE);
  at.x = x - ((x - at.x) * scale) / at.scale;
  at.y = y - ((y - at.y) * scale) / at.scale;
  at.scale = scale;
  fitted = false;
  paint();
}

function down(event) {
  const isOnWipe = byId("wipe").contains(event.target);
  if (event.target !== stage() && !isOnWipe) return;
  if (event.isPrimary) {
    pointers.clear(); // one may have been let go elsewhere
    moved = 0;
  }
  pointers.set(event.pointerId, event);
  if (isOnWipe && pointers.size === 1) return; // the wipe has it, until a second finger comes
  for (const id of pointers.keys()) stage().setPointerCapture(id);
}

function move(event) {
  const before = pointers.get(event.pointerId);
  if (!before) return;
  const [other] = [...pointers.values()].filter((each) => each.pointerId !== event.pointerId);
  pointers.set(event.pointerId, event);
  if (!stage().hasPointerCapture(event.pointerId)) return;
  const [dx, dy] = [event.clientX - before.clientX, event.clientY - before.clientY];
  moved += Math.hypot(dx, dy);
  at.x += other ? dx / 2 : dx;
  at.y += other ? dy / 2 : dy;
  if (other) {
    const distance = (each) => Math.hypot(each.clientX - other.clientX, each.clientY - other.clientY);
    zoom(distance(event) / Math.max(distance(before), 1), { clientX: (event.clientX + other.clientX) / 2, clientY: (event.clientY + other.clientY) / 2 });
  }
  paint();
}

function pan(event) {
  const way = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
  if (!way || !event.shiftKey || event.target !== stage()) return;
  event.preventDefault();
  at.x += way[0] * PAN;
  at.y += way[1] * PAN;
  fitted = false;
  paint();
}

/** Keep the photo on the stage: centered if smaller, without gaps if larger. */
function paint() {
  const { clientWidth, clientHeight } = stage();
  const { width, height } = size();
  const room = (space, length, offset) => (length <= space ? (space - length) / 2 : clamp(offset, space - length, 0));
  at.x = room(clientWidth, width * at.scale, at.x);
  at.y = room(clientHeight, height * at.scale, at.y);
  for (const image of images()) {
    image.style.width = `${width}px`;
    image.style.height = `${height}px`;
    image.style.transform = `translate(${at.x}px, ${at.y}px) scale(${at.scale})`;
    image.parentElement.classList.toggle("sharp", at.scale * devicePixelRatio >= 3);
  }
  for (const [name, pixels] of Object.entries(shown())) stage().style.setProperty(`--shown-${name}`, `${pixels}px`);
  byId("zoom-percent").textContent = `${Math.round(100 * at.scale * devicePixelRatio)} %`;
  onChange();
}
