// <lazy-thumb path blur>: a small picture that is fetched once it comes near the screen.

import { picture } from "./api.js";
import { fill, h } from "./dom.js";

const near = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) {
      if (!isIntersecting) continue;
      near.unobserve(target);
      target.load();
    }
  },
  { rootMargin: "400px" },
);

class LazyThumb extends HTMLElement {
  connectedCallback() {
    if (this.getAttribute("path")) near.observe(this);
    else fill(this, h("span", { class: "quiet small" }, "no picture"));
  }

  disconnectedCallback() {
    near.unobserve(this);
  }

  async load() {
    try {
      const address = await picture(this.getAttribute("path"));
      // The description stands beside it, so the picture itself needs no words.
      fill(
        this,
        h("img", { src: address, alt: "", class: this.hasAttribute("blur") ? "blurred" : null }),
      );
    } catch {
      fill(this, h("span", { class: "quiet small" }, "not available"));
    }
  }
}

customElements.define("lazy-thumb", LazyThumb);

/** Make a thumbnail of an upload's edited picture. */
export function thumb(upload, blur) {
  return h("lazy-thumb", { path: upload.images.thumbnail, blur });
}
