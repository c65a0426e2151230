/** Small helpers around the DOM. Styles are set through properties: the page's Content-Security-Policy allows no others. */

export const byId = (id) => document.getElementById(id);

/** Make an element. Names that start with "on" are events, those with a dash or unknown to the element attributes. */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name.includes("-") || !(name in element)) element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children);
  return element;
}

export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  svg.setAttribute("aria-hidden", "true");
  use.setAttribute("href", `#icon-${name}`);
  svg.append(use);
  return svg;
}

/** Make a button that shows an icon; `label` is its name and its tooltip. */
export function iconButton(name, label, onclick, properties = {}) {
  return make("button", { type: "button", className: "quiet icon", "aria-label": label, title: label, onclick, ...properties }, icon(name));
}

/** Give a parent these children. Those that stay are not touched, so that focus stays and no animation begins anew. */
export function setChildren(parent, children) {
  const wanted = new Set(children);
  for (const each of [...parent.children]) if (!wanted.has(each)) each.remove();
  for (const [i, child] of children.entries()) {
    if (parent.children[i] !== child) parent.insertBefore(child, parent.children[i] ?? null);
  }
}

/** Run a change of the page. If it removes the focused element, focus the title above the grid. */
export function keepFocus(change) {
  const focused = document.activeElement;
  change();
  if (!focused.checkVisibility()) byId("run-title").focus({ preventScroll: true });
}

/** Set a property or attribute only where it differs. */
export function set(element, name, value) {
  if (name in element ? element[name] === value : element.getAttribute(name) === String(value)) return;
  if (name in element) element[name] = value;
  else element.setAttribute(name, value);
}

/** Return a function that makes the element of an object once and finds it again later. */
export function once(build) {
  const made = new WeakMap();
  return (key) => {
    if (!made.has(key)) made.set(key, build(key));
    return made.get(key);
  };
}

/** Couple a range input with its output: start at a value, show it while dragged, and apply it on release. */
export function slider(id, value, onSet = () => {}, show = (value) => (byId(`${id}-out`).textContent = String(value))) {
  const input = byId(id);
  input.value = value;
  input.oninput = () => show(Number(input.value));
  input.oninput();
  input.onchange = () => onSet(Number(input.value));
}

/** Keep a slider unchanged when scrolling starts on it: browsers set it as soon as the finger touches it. */
export function setUpSliders() {
  let held = null;
  addEventListener("pointerdown", ({ target }) => (held = { target, value: target.value }), true);
  addEventListener("pointercancel", ({ target }) => {
    if (target !== held?.target || target.type !== "range" || target.value === held.value) return;
    target.value = held.value;
    target.dispatchEvent(new Event("input"));
  }, true);
}

export const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
