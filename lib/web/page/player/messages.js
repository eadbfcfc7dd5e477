/** The messages of the player: notes below it, and the reason why it does not play. */
import { announce, capitalize, find, findButton, make } from "../dom.js";

/** Notes that are shown at most. */
const MAX_NOTES = 4;

/** Shows notes, and one problem. */
export class Messages {
  #notes = find("notes", HTMLElement);
  #problem = find("problem", HTMLElement);
  #button = findButton("problem-button");
  /** @type {Set<string>} notes of the last description */
  #described = new Set();

  /** @param {() => void} onAction called when the button beside the problem is pressed */
  constructor(onAction) {
    this.#button.addEventListener("click", onAction);
  }

  /** Whether a problem is shown. */
  get hasProblem() {
    return !this.#problem.hidden;
  }

  /** @param {string} note */
  note(note) {
    const text = capitalize(note);
    // A repeated note moves to the end.
    [...this.#notes.children].find(({ textContent }) => textContent === text)?.remove();
    this.#notes.append(make("li", {}, text));
    while (this.#notes.childElementCount > MAX_NOTES) this.#notes.firstElementChild?.remove();
    this.#notes.hidden = false;
    announce(text);
  }

  /**
   * Shows the notes of a description; those of an earlier one are not repeated, as after a seek.
   *
   * @param {string[]} notes
   */
  describe(notes) {
    notes.filter((note) => !this.#described.has(note)).forEach((note) => this.note(note));
    this.#described = new Set(notes);
  }

  /**
   * @param {string} message
   * @param {string} action label of the button; empty for none
   */
  fail(message, action) {
    find("problem-text", HTMLElement).textContent = message;
    this.#button.textContent = action;
    this.#button.hidden = action === "";
    this.#problem.hidden = false;
  }

  /** Removes the problem. */
  solve() {
    this.#problem.hidden = true;
  }

  /** Removes everything. */
  clear() {
    this.solve();
    this.#described.clear();
    this.#notes.hidden = true;
    this.#notes.replaceChildren();
  }
}
