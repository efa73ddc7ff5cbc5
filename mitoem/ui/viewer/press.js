/**
 * One choice per press on the 3-D plot, and none when the press was a drag. plotly.js reports what
 * lies under the pointer with a drawing: of a press that ends before the next one as a mere hover,
 * and of one that lasts as a click at every drawing. To answer each with another drawing would
 * never end.
 */

const STILL = 4; // CSS pixels that a click may wander
const LATE = 3000; // ms after the release that the report of a hit may come: drawing may be slow

export class Press {
  /** @param {HTMLElement} plot @param {(id: number, add: boolean) => void} choose */
  constructor(plot, choose) {
    this.choose = choose;
    /** @type {{x: number, y: number, add: boolean, id: number, released: number} | null} */
    this.now = null;
    plot.addEventListener("pointerdown", (event) => {
      this.now = { x: event.clientX, y: event.clientY, add: event.shiftKey, id: 0, released: 0 };
    }, true);
    this.moved = (/** @type {PointerEvent} */ event) => this.follow(event);
    this.up = (/** @type {PointerEvent} */ event) => this.release(event);
    window.addEventListener("pointermove", this.moved, true);
    window.addEventListener("pointerup", this.up, true);
  }

  /** An instance lies under the pointer, which is where it was pressed. @param {number} id */
  hit(id) {
    if (!this.now || this.now.id) return;
    this.now.id = id;
    if (this.now.released) this.settle();
  }

  /** A pointer that moves on gives the press up. @param {PointerEvent} event */
  follow(event) {
    const press = this.now;
    if (press && Math.hypot(event.clientX - press.x, event.clientY - press.y) > STILL) this.now = null;
  }

  /** @param {PointerEvent} event */
  release(event) {
    this.follow(event);
    const press = this.now;
    if (!press || press.released) return;
    press.released = performance.now();
    if (press.id) this.settle();
  }

  /** Choose, once nothing of the press is under way any more. */
  settle() {
    const press = this.now;
    this.now = null;
    if (press && performance.now() - press.released < LATE) window.setTimeout(() => this.choose(press.id, press.add), 0);
  }

  destroy() {
    window.removeEventListener("pointermove", this.moved, true);
    window.removeEventListener("pointerup", this.up, true);
  }
}
