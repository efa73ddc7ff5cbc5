/**
 * Fewer pixels while a hand moves the picture, where drawing is too slow to follow it, as it is in
 * software WebGL. Where frames are in time nothing of this happens.
 */

const SLOW = 30; // ms a frame above which the picture no longer follows the hand
const PATIENCE = 2; // slow frames in a row
const PAUSE = 1000; // ms between frames that are no movement any more
const REST = 160; // ms without movement until every pixel is drawn again
const COARSE = 0.5; // share of the pixels along each side

export class Pace {
  /** @param {(detail: number) => void} changed hears the share of pixels to draw along each side, and of the end of a movement */
  constructor(changed) {
    this.changed = changed;
    this.detail = 1;
    this.movedAt = 0;
    this.slow = 0;
    this.timer = 0;
  }

  /** Whether a hand is moving the picture. */
  get moving() {
    return this.timer !== 0;
  }

  /** A hand moved the picture: a frame for it follows. */
  moved() {
    const now = performance.now();
    const frame = now - this.movedAt;
    this.movedAt = now;
    this.slow = frame > SLOW && frame < PAUSE ? this.slow + 1 : 0;
    if (this.slow >= PATIENCE && this.detail !== COARSE) this.draw(COARSE);
    clearTimeout(this.timer);
    const rest = frame < PAUSE ? Math.max(REST, 2 * frame) : REST;
    this.timer = window.setTimeout(() => {
      this.timer = 0;
      this.draw(1);
    }, rest);
  }

  /** @param {number} detail */
  draw(detail) {
    this.detail = detail;
    this.changed(detail);
  }

  destroy() {
    clearTimeout(this.timer);
  }
}
