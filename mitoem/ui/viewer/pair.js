/** Surfaces of truth and prediction in one scene: the truth blue, what was predicted orange. */

import { get } from "./api.js";
import { el } from "./dom.js";
import { parseGlb } from "./glb.js";
import { PLOTLY_URL, loadPlotly } from "./library.js";
import { trace } from "./surfaces.js";

const COLOURS = { truth: "#468cff", prediction: "#ff9600" };
const OPACITY = { truth: 0.75, prediction: 0.35 }; // the truth lies inside
const KEPT = 40; // meshes

const AXIS = { visible: false };
const LAYOUT = {
  autosize: true, margin: { l: 0, r: 0, t: 0, b: 0 }, paper_bgcolor: "rgba(0,0,0,0)", showlegend: false, hovermode: false,
  scene: {
    xaxis: AXIS, yaxis: AXIS, zaxis: AXIS, aspectmode: "data", dragmode: "orbit",
    camera: { up: { x: 0, y: -1, z: 0 }, eye: { x: -1, y: -0.85, z: -1.7 } },
  },
};

export class Pair {
  constructor() {
    this.plot = el("div", { class: "plot" });
    this.note = el("div", { class: "note", role: "status" });
    this.root = el("div", { class: "pair", role: "img", "aria-label": "Surfaces in 3-D" }, this.plot, this.note,
      el("div", { class: "ink" }, ...Object.entries(COLOURS).map(([text, colour]) => el("span", {}, el("i", { style: `background:${colour}` }), text))));
    /** @type {Map<string, Promise<import("./glb.js").Mesh>>} */
    this.meshes = new Map();
    this.wanted = "";
    this.made = false;
  }

  /** @param {string[]} truth addresses @param {string[]} predictions addresses */
  show(truth, predictions) {
    const wanted = [...truth, "", ...predictions].join(" ");
    if (wanted === this.wanted) return;
    this.wanted = wanted;
    void this.draw(truth, predictions, wanted);
  }

  /** @param {string[]} truth @param {string[]} predictions @param {string} wanted */
  async draw(truth, predictions, wanted) {
    this.note.textContent = this.made ? "" : "Loading surfaces …";
    try {
      const Plotly = await loadPlotly(PLOTLY_URL);
      const part = async (/** @type {string} */ url, /** @type {"truth" | "prediction"} */ side) => ({ ...trace(await this.mesh(url), 0), color: COLOURS[side], opacity: OPACITY[side], hoverinfo: "skip", hovertemplate: undefined });
      const traces = await Promise.all([
        ...truth.map((url) => part(url, "truth")), ...predictions.map((url) => part(url, "prediction")),
      ]);
      if (wanted !== this.wanted || !this.root.isConnected) return;
      await Plotly.react(this.plot, traces, LAYOUT, { displayModeBar: false, responsive: true, scrollZoom: true });
      this.made = true;
      this.note.textContent = "";
      this.root.dataset.drawn = String(traces.length);
    } catch (error) {
      if (wanted === this.wanted) this.note.textContent = `No surfaces: ${error instanceof Error ? error.message : error}`;
    }
  }

  /** @param {string} url */
  mesh(url) {
    let mesh = this.meshes.get(url);
    if (!mesh) {
      mesh = get(url).then(async (answer) => parseGlb(await answer.arrayBuffer())[0]);
      mesh.catch(() => this.meshes.delete(url));
      this.meshes.set(url, mesh);
      for (const old of this.meshes.keys()) {
        if (this.meshes.size <= KEPT) break;
        this.meshes.delete(old);
      }
    }
    return mesh;
  }

  destroy() {
    if (this.made) /** @type {any} */ (window).Plotly.purge(this.plot);
  }
}
