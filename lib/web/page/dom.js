/** The parts of the page, as JavaScript has them. */

/**
 * Finds a part of the page.
 *
 * @template {Element} E
 * @param {string} id
 * @param {{ new (): E, readonly prototype: E }} type what it has to be
 * @throws {TypeError} where there is none
 */
export function find(id, type) {
  const found = document.getElementById(id);
  if (found instanceof type) return found;
  throw new TypeError(`Cannot find "${id}" in the page`);
}

/**
 * Finds a button.
 *
 * @param {string} id
 */
export function findButton(id) {
  return find(id, HTMLButtonElement);
}

/**
 * Makes an element with what is inside.
 *
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} name
 * @param {Record<string, string>} attributes
 * @param {...(Node | string)} content
 */
export function make(name, attributes, ...content) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...content);
  return element;
}

const SVG = "http://www.w3.org/2000/svg";

/**
 * Makes one of the page's icons.
 *
 * @param {string} name
 */
export function makeIcon(name) {
  const icon = document.createElementNS(SVG, "svg");
  icon.setAttribute("class", "icon");
  icon.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#icon-${name}`);
  icon.append(use);
  return icon;
}

/**
 * Puts another icon into a button, and another name on it.
 *
 * @param {HTMLButtonElement} button
 * @param {{ icon: string, label: string }} face
 */
export function setFace(button, { icon, label }) {
  const address = `#icon-${icon}`;
  const use = button.querySelector("use");
  if (use?.getAttribute("href") !== address) use?.setAttribute("href", address);
  if (button.ariaLabel !== label) button.ariaLabel = label;
  button.title = label;
}

/**
 * Reads aloud, where somebody listens.
 *
 * @param {string} text
 */
export function say(text) {
  find("said", HTMLElement).textContent = text;
}

/** Numbers as people read them. Pure. */

/**
 * Renders seconds: `1:02`, with hours where there are any.
 *
 * @param {number} seconds
 */
export function formatTime(seconds) {
  const whole = Math.max(0, Math.floor(Number.isFinite(seconds) ? seconds : 0));
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  const rest = String(whole % 60).padStart(2, "0");
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}

/**
 * Renders bytes with a unit, from which no line parts them: `1.4 MB`.
 *
 * @param {number} bytes
 */
export function formatBytes(bytes) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = bytes;
  let step = 0;
  // What would be rounded to 1000 has the next unit.
  for (; value >= 999.5 && step < units.length - 1; step++) value /= 1000;
  const number = step === 0 || value >= 99.95 ? Math.round(value) : value.toFixed(1);
  return `${number}\u00a0${units[step]}`;
}

/** What one entry of the list is, and of what size. */
const KINDS = { image: "Image", video: "Video", audio: "Sound" };

/**
 * Renders what is known of an entry: `Video · 1280×720 · 0:10 · 590 kB`.
 *
 * @param {import("./api.js").Entry} entry
 */
export function formatDetails({ kind, live, width, height, duration, size }) {
  return [
    live ? `${KINDS[kind]}, live` : KINDS[kind],
    ...(width === undefined ? [] : [`${width}×${height}`]),
    ...(duration === undefined || live ? [] : [formatTime(duration)]),
    ...(size > 0 && !live ? [formatBytes(size)] : []),
  ].join(" · ");
}
