/** The area of the panes: which of them are shown, how large they are, and the notice over them. */

/** @import { Overlay } from "./overlay.js" */
/** @import { Slice } from "./slice.js" */
/** @import { State } from "./state.js" */
/** @import { Layout, Renderer } from "./types.js" */
import { el, write } from "./dom.js";

const BELOW = 17; // CSS pixels left free under the viewer
const BELOW_BARE = 123; // the same where it stands among other things, without its bars

export class Panes {
  /**
   * @param {HTMLElement} outer the viewer as a whole @param {HTMLCanvasElement} canvas
   * @param {Overlay[]} overlays @param {HTMLElement} scene
   */
  constructor(outer, canvas, overlays, scene) {
    this.outer = outer;
    this.overlays = overlays;
    this.scene = scene;
    this.canvas = canvas;
    this.notice = el("div", { class: "notice", role: "status", hidden: true });
    this.root = el("div", { class: "panes" }, canvas, ...overlays.map((o) => o.root), scene, this.notice);
  }

  /** Reach down to the bottom of the window, within reason. */
  fill() {
    const scrolled = document.querySelector('[data-testid="stMain"]')?.scrollTop ?? 0;
    const top = this.outer.getBoundingClientRect().top + scrolled;
    const below = this.outer.classList.contains("bare") ? BELOW_BARE : BELOW;
    const height = Math.max(400, Math.min(1400, window.innerHeight - top - below));
    this.outer.style.height = `${Math.round(height)}px`;
  }

  /** @param {Layout} layout */
  arrange(layout) {
    this.root.dataset.layout = layout;
    for (const overlay of this.overlays) overlay.root.hidden = layout !== "quad" && layout !== overlay.slice.axis;
    this.scene.hidden = layout !== "quad" && layout !== "3d";
  }

  /**
   * Take the sizes of the panes from the page.
   * @param {Slice[]} slices @param {State} state @param {Renderer} renderer
   * @returns {boolean} whether there is any room
   */
  measure(slices, state, renderer) {
    const box = this.root.getBoundingClientRect();
    if (box.width === 0) return false;
    slices.forEach((slice, i) => {
      const { root } = this.overlays[i];
      slice.visible = !root.hidden;
      slice.rect = { x: root.offsetLeft, y: root.offsetTop, width: root.clientWidth, height: root.clientHeight };
    });
    const main = slices.find((slice) => slice.axis === state.fitted && slice.visible);
    if (main) state.size = { width: main.rect.width, height: main.rect.height };
    this.resize(state, renderer);
    return true;
  }

  /** Give the canvas the pixels that are drawn. @param {State} state @param {Renderer} renderer */
  resize({ ratio }, renderer) {
    const [width, height] = [this.root.clientWidth, this.root.clientHeight].map((n) => Math.round(n * ratio));
    if (this.canvas.width !== width || this.canvas.height !== height) renderer.resize(width, height, ratio);
  }

  /** No connection, or no WebGL 2. @param {boolean} offline @param {boolean} plain */
  tell(offline, plain) {
    this.notice.hidden = !offline && !plain;
    if (this.notice.hidden) return;
    write(this.notice, offline
      ? "The server does not answer. Trying again …"
      : "This browser offers no WebGL 2: slices are drawn as plain pictures, more slowly.");
  }
}
