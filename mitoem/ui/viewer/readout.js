/** The line under the panes: place, micrometres, grey value, instance, level. */

/** @import { Api } from "./api.js" */
/** @import { State } from "./state.js" */
/** @import { Triple } from "./types.js" */
import { el, write } from "./dom.js";

const REST = 120; // ms that the pointer rests before the exact voxel is asked for

export class Readout {
  /** @param {State} state @param {Api} api */
  constructor(state, api) {
    this.state = state;
    this.api = api;
    const part = (/** @type {string} */ name) => el("span", { class: name });
    this.parts = {
      voxel: part("voxel"), size: part("um"), grey: part("grey"), id: part("id"), level: part("level"), said: part("said"),
    };
    this.swatch = el("i");
    this.root = el("div", { class: "readout", "aria-live": "off" }, ...Object.values(this.parts));
    this.timer = 0;
    this.key = "";
    /** @type {AbortController | null} */
    this.asking = null;
  }

  /** @param {Triple} voxel @param {number | null} id what the tiles say; null: not known yet */
  show(voxel, id) {
    const { info } = this.state;
    const [z, y, x] = voxel;
    const key = `${voxel} ${this.state.labels?.name}`;
    if (key === this.key) return;
    this.key = key;
    this.parts.voxel.textContent = `x ${x}  y ${y}  z ${z}`;
    const um = [2, 1, 0].map((a) => ((voxel[a] * info.voxel_size_nm[a]) / 1000).toFixed(2));
    this.parts.size.textContent = `${um.join("  ")} µm`;
    this.parts.grey.textContent = "grey …";
    this.name(id);
    clearTimeout(this.timer);
    this.asking?.abort();
    this.timer = window.setTimeout(() => void this.ask(voxel, key), REST);
  }

  /** @param {Triple} voxel @param {string} key */
  async ask(voxel, key) {
    this.asking = new AbortController();
    try {
      const answer = await this.api.voxel([...voxel], this.asking.signal);
      if (key !== this.key) return;
      this.parts.grey.textContent = `grey ${answer.grey}`;
      const { labels } = this.state;
      this.name(labels ? (answer.labels[labels.name] ?? 0) : 0);
      this.root.dataset.exact = [...voxel].reverse().join();
    } catch (error) {
      if (this.asking.signal.aborted || key !== this.key) return;
      this.parts.grey.textContent = "grey not readable";
    }
  }

  /** @param {number | null} id */
  name(id) {
    this.parts.id.replaceChildren();
    if (!this.state.labels) this.parts.id.textContent = "no labels";
    else if (id === null) this.parts.id.textContent = "# …";
    else if (id === 0) this.parts.id.textContent = "no instance";
    else {
      this.swatch.style.background = this.state.css(id);
      this.parts.id.append(this.swatch, `#${id}`);
    }
  }

  /** @param {number} level */
  level(level) {
    const factors = this.state.info.levels[level]?.factors ?? [1, 1, 1];
    write(this.parts.level, `level ${level} (${factors.join("×")})`);
  }

  /** @param {string} text */
  say(text) {
    this.parts.said.textContent = text;
    window.setTimeout(() => this.parts.said.textContent === text && (this.parts.said.textContent = ""), 6000);
  }

  destroy() {
    clearTimeout(this.timer);
    this.asking?.abort();
  }
}
