/** The view of one image. */
import { fetchImage, imageAddress } from "./api.js";
import { find, make } from "./dom.js";

/** Shows one image at a time. */
export class ImageView {
  #figure = find("image", HTMLElement);
  #control = new AbortController();
  /** Object URL of the image; empty if none is shown. */
  #address = "";

  /** @param {string} name empty for the server's own choice */
  async show(name) {
    this.hide();
    const { signal } = this.#control;
    this.#figure.hidden = false;
    this.#figure.replaceChildren(make("span", { class: "spinner" }));
    try {
      const image = await fetchImage(name, signal);
      signal.throwIfAborted();
      this.#address = URL.createObjectURL(image);
      const title = name === "" ? "image" : name;
      const file = `${title.split("/").at(-1)?.replace(/\.\w+$/, "")}.png`;
      this.#figure.replaceChildren(
        make("img", { src: this.#address, alt: title }),
        make(
          "figcaption",
          {},
          make("a", { href: this.#address, download: file }, "Download as PNG"),
          make("a", { href: imageAddress(name), target: "_blank" }, "Open full size"),
        ),
      );
    } catch (error) {
      if (signal.aborted) return;
      const message = error instanceof Error ? error.message : String(error);
      const retry = make("button", { type: "button" }, "Retry");
      retry.addEventListener("click", () => this.show(name));
      this.#figure.replaceChildren(
        make("div", { class: "problem", role: "alert" }, make("p", {}, message), retry),
      );
    }
  }

  /** Stops loading, and removes the image. */
  hide() {
    this.#control.abort();
    this.#control = new AbortController();
    if (this.#address !== "") URL.revokeObjectURL(this.#address);
    this.#address = "";
    this.#figure.hidden = true;
    this.#figure.replaceChildren();
  }
}
