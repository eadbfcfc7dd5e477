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
