// <case-viewer>: the edited picture, covered until it is wanted; the original only once revealed;
// both side by side or under a slider; regions of findings drawn over them.

import { picture } from "../api.js";
import { fill, h, s } from "../dom.js";

const MODES = [
  ["edited", "Edited", "1"],
  ["original", "Original", "2"],
  ["beside", "Side by side", "3"],
  ["slider", "Slider", "4"],
];
const ZOOMS = [1, 1.5, 2, 3, 4, 6];

class CaseViewer extends HTMLElement {
  /** Show an upload's edited picture; `reveal` is called when the original is wanted. */
  show(upload, { cover, reveal }) {
    Object.assign(this, { upload, reveal, mode: "edited", zoom: 0, all: false, chosen: null });
    this.covered = cover && Boolean(upload.images.edited);
    this.original = null;
    this.stage = h("div", {
      class: "stage",
      tabindex: "0",
      role: "region",
      "aria-label": "Picture",
    });
    this.tools = h("div", {
      class: "row viewer-tools",
      role: "group",
      "aria-label": "Picture tools",
    });
    fill(this, this.tools, this.stage);
    this.draw();
  }

  /** Open the original, at this address in the page, until the moment given. */
  open(address, until) {
    this.original = address;
    this.covered = false;
    clearTimeout(this.timer);
    if (until) this.timer = setTimeout(() => this.close(), Date.parse(until) - Date.now());
    this.choose("original");
  }

  /** Put the original away. */
  close() {
    clearTimeout(this.timer);
    if (this.original) URL.revokeObjectURL(this.original);
    this.original = null;
    if (this.isConnected) this.choose("edited");
  }

  disconnectedCallback() {
    this.close();
  }

  /** Show one of the modes; those with the original ask for it first. */
  choose(mode) {
    if (mode !== "edited" && !this.original) {
      this.reveal();
      return;
    }
    this.mode = mode;
    this.draw();
  }

  /** Uncover the edited picture, or cover it again. */
  toggleCover() {
    this.covered = !this.covered;
    this.draw();
  }

  /** Draw the regions of all findings, or of those pointed at only. */
  toggleRegions() {
    this.all = !this.all;
    this.draw();
  }

  /** Draw the region of one finding; null draws none. */
  point(index) {
    this.chosen = index;
    for (const box of this.querySelectorAll("rect")) {
      box.classList.toggle("chosen", Number(box.dataset.finding) === index);
    }
  }

  /** Zoom by so many steps; 0 shows the whole picture again. */
  zoomBy(steps) {
    this.zoom = steps === 0 ? 0 : Math.min(ZOOMS.length - 1, Math.max(0, this.zoom + steps));
    this.stage.style.setProperty("--zoom", ZOOMS[this.zoom]);
    this.drawTools();
  }

  draw() {
    this.drawTools();
    const { edited } = this.upload.images;
    if (this.mode === "edited" && !edited)
      fill(this.stage, h("p", { class: "panel" }, "There is no edited picture."));
    else if (this.mode === "slider") fill(this.stage, this.slider());
    else fill(this.stage, h("div", { class: `frames ${this.mode}` }, this.frames()));
    this.point(this.chosen);
  }

  drawTools() {
    const press = (text, pressed, act, key, off = false) =>
      h(
        "button",
        {
          type: "button",
          "aria-pressed": pressed === null ? null : String(pressed),
          disabled: off,
          onclick: act,
        },
        text,
        key && h("kbd", {}, key),
      );
    const focused = document.activeElement?.dataset?.tool;
    const { edited, original } = this.upload.images;
    const offered = MODES.filter(
      ([mode]) =>
        (mode === "edited" ? edited : original) &&
        (mode !== "beside" && mode !== "slider" ? true : edited),
    );
    fill(
      this.tools,
      offered.map(([mode, text, key]) =>
        press(text, this.mode === mode, () => this.choose(mode), key),
      ),
      edited && press(this.covered ? "Uncover" : "Cover", null, () => this.toggleCover(), "v"),
      press("Regions", this.all, () => this.toggleRegions(), "r"),
      press("Zoom in", null, () => this.zoomBy(1), "+", this.zoom === ZOOMS.length - 1),
      press("Zoom out", null, () => this.zoomBy(-1), "-", this.zoom === 0),
    );
    [...this.tools.children].forEach((button) => (button.dataset.tool = button.textContent));
    [...this.tools.children].find((button) => button.dataset.tool === focused)?.focus();
  }

  frames() {
    const { edited } = this.upload.images;
    const first =
      edited &&
      h(
        "figure",
        {},
        this.framed(this.image(edited), "edited"),
        h("figcaption", { class: "quiet small" }, "Edited"),
      );
    const second =
      this.original &&
      h(
        "figure",
        {},
        this.framed(this.image(null), "original"),
        h("figcaption", { class: "quiet small" }, "Original"),
      );
    return { edited: [first], original: [second], beside: [second, first] }[this.mode];
  }

  slider() {
    const frame = this.framed(this.image(this.upload.images.edited), "edited");
    const above = this.image(null);
    above.classList.add("above");
    frame.querySelector("svg").before(above);
    const moved = (event) => frame.style.setProperty("--split", `${event.target.value}%`);
    const range = h("input", {
      type: "range",
      min: "0",
      max: "100",
      value: "50",
      "aria-label": "How much of the original is shown",
      oninput: moved,
    });
    frame.style.setProperty("--split", "50%");
    return h("figure", { class: "stack tight" }, frame, range);
  }

  image(path) {
    const known = this.upload.description?.alt_text;
    const alt = path ? known || "Edited picture" : "Original picture";
    const image = h("img", { alt, dir: "auto", class: path && this.covered ? "blurred" : null });
    if (!path) image.src = this.original;
    else
      picture(path).then(
        (address) => (image.src = address),
        () => image.replaceWith("The picture is not available."),
      );
    return image;
  }

  framed(image, side) {
    const boxes = (this.upload.description?.findings ?? []).map((finding, index) => [
      place(this.upload, finding, side),
      index,
    ]);
    const drawn = boxes
      .filter(([box]) => box)
      .map(([[top, left, bottom, right], index]) =>
        s("rect", {
          x: left,
          y: top,
          width: right - left,
          height: bottom - top,
          "data-finding": index,
        }),
      );
    const overlay = s(
      "svg",
      {
        viewBox: "0 0 1000 1000",
        preserveAspectRatio: "none",
        "aria-hidden": "true",
        class: this.all ? "regions all" : "regions",
      },
      drawn,
    );
    const veil =
      side === "edited" &&
      this.covered &&
      this.mode === "edited" &&
      h("p", { class: "veil" }, "Covered. Press ", h("kbd", {}, "v"), " to see it.");
    return h("div", { class: "frame" }, image, overlay, veil);
  }
}

/** Tell where a finding is: an edit that moved the picture has places of its own. */
function place(upload, finding, side) {
  if (!finding.box_2d) return [0, 0, 1000, 1000];
  const proven =
    side === "edited" &&
    upload.proof?.regions.find(
      (one) => one.rule === finding.rule && String(one.box_2d) === String(finding.box_2d),
    );
  return (proven && proven.final_box_2d) || finding.box_2d;
}

customElements.define("case-viewer", CaseViewer);
