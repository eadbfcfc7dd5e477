/** The view of one image. */
import { fetchImage, imageAddress } from "./api.js";
import { find, findButton, make } from "./dom.js";

/** Shows one image at a time. */
export class ImageView {
  #figure = find("image", HTMLElement);
  #picture = find("picture", HTMLElement);
  #links = find("image-links", HTMLElement);
  #control = new AbortController();
  /** Object URL of the image; empty if none is shown. */
  #address = "";

  /**
   * @param {(step: number) => void} onStep called when the user asks for the next entry (1) or the
   *   previous one (-1)
   */
  constructor(onStep) {
    findButton("previous-image").addEventListener("click", () => onStep(-1));
    findButton("next-image").addEventListener("click", () => onStep(1));
    document.addEventListener("keydown", (event) => {
      const { key, target, ctrlKey, altKey, metaKey, defaultPrevented } = event;
      // The key that led here has been used.
      if (ctrlKey || altKey || metaKey || defaultPrevented || this.#figure.hidden) return;
      if (target instanceof Element && target.matches("input, select")) return;
      const step = { ArrowLeft: -1, p: -1, P: -1, ArrowRight: 1, n: 1, N: 1 }[key];
      if (step === undefined) return;
      event.preventDefault();
      onStep(step);
    });
  }

  /** @param {string} name empty for the server's own choice */
  async show(name) {
    this.hide();
    const { signal } = this.#control;
    this.#figure.hidden = false;
    this.#picture.replaceChildren(make("span", { class: "spinner" }));
    try {
      const image = await fetchImage(name, signal);
      signal.throwIfAborted();
      this.#address = URL.createObjectURL(image);
      const title = name === "" ? "image" : name;
      const file = `${title.split("/").at(-1)?.replace(/\.\w+$/, "")}.png`;
      this.#picture.replaceChildren(make("img", { src: this.#address, alt: title }));
      this.#links.replaceChildren(
        make("a", { href: this.#address, download: file }, "Download as PNG"),
        make("a", { href: imageAddress(name), target: "_blank" }, "Open full size"),
      );
    } catch (error) {
      if (signal.aborted) return;
      const message = error instanceof Error ? error.message : String(error);
      const retry = make("button", { type: "button" }, "Retry");
      retry.addEventListener("click", () => this.show(name));
      this.#picture.replaceChildren(
        make("div", { class: "problem", role: "alert" }, make("p", {}, message), retry),
      );
    }
  }

  /** @param {{ previous: boolean, next: boolean }} steps whether there are such entries */
  showSteps({ previous, next }) {
    findButton("previous-image").disabled = !previous;
    findButton("next-image").disabled = !next;
  }

  /** Stops loading, and removes the image. */
  hide() {
    this.#control.abort();
    this.#control = new AbortController();
    if (this.#address !== "") URL.revokeObjectURL(this.#address);
    this.#address = "";
    this.#figure.hidden = true;
    this.#picture.replaceChildren();
    this.#links.replaceChildren();
  }
}
