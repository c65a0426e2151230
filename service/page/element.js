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
  use.setAttribute("href", `page/icons.svg#${name}`);
  svg.append(use);
  return svg;
}

/** Replace the children only where they differ, so that focus stays and pictures don't blink. */
export function setChildren(parent, children) {
  if (children.length === parent.children.length && children.every((each, i) => each === parent.children[i])) return;
  const focused = parent.contains(document.activeElement) ? document.activeElement : null;
  parent.replaceChildren(...children);
  if (focused?.isConnected) focused.focus({ preventScroll: true });
}

/** Return a function that makes the element of an object once and finds it again later. */
export function once(build) {
  const made = new WeakMap();
  return (key) => {
    if (!made.has(key)) made.set(key, build(key));
    return made.get(key);
  };
}

export const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
