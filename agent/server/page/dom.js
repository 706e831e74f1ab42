// Elements made by hand: whatever comes from a user, a model or a file becomes text and never markup.

export const $ = (id) => document.getElementById(id);
export const all = (selector, root = document) => [...root.querySelectorAll(selector)];

/** `make("p.note", { title: "…" }, "text", child, …)`: strings become text, null and false nothing. */
export function make(what, attributes = {}, ...children) {
  const [name, ...classes] = what.split(".");
  const made = document.createElement(name);
  if (classes.length) made.className = classes.join(" ");
  return fitted(made, attributes, children);
}

const SVG = "http://www.w3.org/2000/svg";
export const draw = (name, attributes = {}, ...children) => fitted(document.createElementNS(SVG, name), attributes, children);

function fitted(made, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value === true) made.setAttribute(key, "");
    else if (value !== null && value !== undefined && value !== false) made.setAttribute(key, value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false && child !== ""));
  return made;
}

/** A link to a file of a run; only http(s) and relative addresses are followed. */
export function link(url, words, attributes = {}) {
  const safe = ["http:", "https:"].includes(new URL(url, location.href).protocol);
  return safe ? make("a", { href: url, target: "_blank", rel: "noopener", ...attributes }, words) : make("span", {}, words);
}

const told = new WeakMap(); // what each kept element was made from

/**
 * Make `parent` hold one element for each item, in order. An element whose item did not change stays the very same: a
 * clip plays on, the focus and what is unfolded stay. One that is made anew keeps what was unfolded in it.
 */
export function keep(parent, items, key, build) {
  const before = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  const after = items.map((item) => {
    const name = String(key(item));
    const text = JSON.stringify(item);
    const old = before.get(name);
    if (old && told.get(old) === text) return old;
    const made = build(item);
    made.dataset.key = name;
    told.set(made, text);
    if (old) unfold(old, made);
    return made;
  });
  const focus = parent.contains(document.activeElement) ? document.activeElement : null;
  const place = focus && placed(focus, parent);
  after.forEach((child, index) => {
    if (parent.children[index] !== child) parent.insertBefore(child, parent.children[index] ?? null);
  });
  while (parent.children.length > after.length) parent.lastElementChild.remove();
  if (focus && !focus.isConnected && place) refocus(parent, place);
  else if (focus && focus.isConnected && document.activeElement !== focus) focus.focus({ preventScroll: true });
}

function unfold(old, made) {
  const open = all("details[data-fold]", old).map((details) => [details.dataset.fold, details.open]);
  for (const [name, is] of open) {
    const found = all("details[data-fold]", made).find((details) => details.dataset.fold === name);
    if (found) found.open = is;
  }
}

const HOLDS = "a, button, video, summary, input, [tabindex]";
function placed(focus, parent) {
  const child = [...parent.children].find((each) => each.contains(focus));
  return { key: child.dataset.key, index: child === focus ? -1 : all(HOLDS, child).indexOf(focus) };
}
function refocus(parent, { key, index }) {
  const child = [...parent.children].find((each) => each.dataset.key === key);
  const found = child && (index < 0 ? child : all(HOLDS, child)[index]);
  found?.focus({ preventScroll: true });
}

/** Set a text only where it is another: a reader is not told the same again. */
export function say(element, words) {
  if (element.textContent !== words) element.textContent = words;
}

/** A diff: what was added and removed is told by elements, and their words by the style sheet for those who listen. */
export function diff(pieces) {
  return make("span.diff", { dir: "auto" }, pieces.map(({ kind, text }) => {
    const words = text.trimStart();
    const gap = words === text ? "" : " ";
    return [gap, kind === "same" ? words : make(kind === "added" ? "ins" : "del", {}, words)];
  }).flat());
}
