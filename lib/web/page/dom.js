/** Elements of the page, and numbers as text. */
/// <reference lib="dom" />

/**
 * Finds an element of the page.
 *
 * @template {Element} E
 * @param {string} id
 * @param {{ new (): E, readonly prototype: E }} type
 * @throws {TypeError} if no element has the id, or it has another type
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
 * Creates an element.
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
 * Creates one of the icons of `index.html`.
 *
 * @param {string} name without `icon-`
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
 * Sets the icon and the accessible name of a button.
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
 * Announces a text to screen readers.
 *
 * @param {string} text
 */
export function announce(text) {
  find("announcement", HTMLElement).textContent = text;
}

/**
 * Begins a text with a capital.
 *
 * @param {string} text
 */
export function capitalize(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/**
 * Formats a time: `1:02`, or `1:00:02` from an hour on.
 *
 * @param {number} seconds
 */
export function formatTime(seconds) {
  const whole = Math.max(0, Math.floor(Number.isFinite(seconds) ? seconds : 0));
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  const tail = String(whole % 60).padStart(2, "0");
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, "0")}:${tail}` : `${minutes}:${tail}`;
}

/**
 * Formats a size: `1.4 MB`, with a no-break space.
 *
 * @param {number} bytes
 */
export function formatBytes(bytes) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = bytes;
  let step = 0;
  // A value that rounds to 1000 takes the next unit.
  for (; value >= 999.5 && step < units.length - 1; step++) value /= 1000;
  const number = step === 0 || value >= 99.95 ? Math.round(value) : value.toFixed(1);
  return `${number}\u00a0${units[step]}`;
}

const KINDS = { image: "Image", video: "Video", audio: "Audio" };

/**
 * Formats the known properties of an entry: `Video · 1280×720 · 590 kB`. Badges and the player show
 * its duration, and whether it is live.
 *
 * @param {import("./api.js").Entry} entry
 */
export function formatDetails({ kind, live, published, width, height, size }) {
  return [
    published ? `${KINDS[kind]}, published` : KINDS[kind],
    ...(width === undefined ? [] : [`${width}×${height}`]),
    ...(size > 0 && !live ? [formatBytes(size)] : []),
  ].join(" · ");
}
