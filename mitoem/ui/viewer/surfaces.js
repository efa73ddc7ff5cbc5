/** Surfaces as plotly.js draws them: one instance, or all of a label set as a single mesh. */

/** @import { Api } from "./api.js" */
/** @import { State } from "./state.js" */
import { get } from "./api.js";
import { parseGlb } from "./glb.js";

const VEILED = 0.22; // how opaque all instances are around those that are selected

/** All instances of a label set, coarsely, in one mesh with a colour for each of its triangles. */
export class Overview {
  /** @param {State} state @param {Api} api @param {() => void} changed */
  constructor(state, api, changed) {
    this.state = state;
    this.api = api;
    this.changed = changed;
    this.on = false;
    this.said = "";
    this.key = "";
    /** @type {any} */
    this.mesh = null;
    /** @type {{id: number, vertices: number, triangles: number}[]} ends, summed from the first on */
    this.ends = [];
    this.painted = "";
    /** @type {import("./glb.js").Mesh[]} */
    this.found = [];
    this.joined = "";
  }

  /** The mesh in the colours of now, or null while it is off or under way. */
  trace() {
    const { labels } = this.state;
    if (!this.on || !labels) {
      this.said = "";
      return null;
    }
    const key = `${labels.name} ${labels.version}`;
    if (key !== this.key) {
      this.key = key;
      this.mesh = null;
      this.found = [];
      void this.load(labels.name, labels.version, key);
    }
    const { kept, keptBy } = this.state;
    const joined = `${key} ${keptBy}`;
    if (this.found.length && joined !== this.joined) {
      this.joined = joined;
      this.join(kept ? this.found.filter(({ extras }) => kept.has(Number(extras.id))) : this.found);
    }
    if (this.mesh) this.paint();
    return this.mesh && { ...this.mesh, opacity: this.state.selected.length ? VEILED : 1 };
  }

  /** @param {string} labels @param {string} version @param {string} key */
  async load(labels, version, key) {
    this.said = "Loading all instances …";
    try {
      const found = parseGlb(await (await get(this.api.mesh(labels, "overview", version))).arrayBuffer());
      if (key !== this.key) return;
      this.found = found;
      this.joined = "";
      this.said = "";
    } catch (error) {
      if (key !== this.key) return;
      this.said = `No overview: ${error instanceof Error ? error.message : error}`;
    }
    this.changed();
  }

  /** @param {import("./glb.js").Mesh[]} found */
  join(found) {
    let [vertices, triangles] = [0, 0];
    this.ends = found.map(({ positions, triangles: t, extras }) => {
      vertices += positions.length / 3;
      triangles += t.length / 3;
      return { id: Number(extras.id), vertices, triangles };
    });
    const positions = new Float32Array(3 * vertices);
    const corners = new Uint32Array(3 * triangles);
    let [v, t] = [0, 0];
    for (const one of found) {
      positions.set(one.positions, 3 * v);
      for (let i = 0; i < one.triangles.length; i += 1) corners[3 * t + i] = one.triangles[i] + v;
      v += one.positions.length / 3;
      t += one.triangles.length / 3;
    }
    this.mesh = { ...trace({ positions, triangles: corners, extras: {} }, 0), meta: "all", name: "all", hoverinfo: "none", hovertemplate: undefined };
    this.painted = "";
  }

  /** A colour for each triangle. */
  paint() {
    const key = `${this.state.seed} ${this.state.colouring?.by}`;
    if (key === this.painted) return;
    this.painted = key;
    const colours = new Array(this.ends.at(-1)?.triangles ?? 0);
    let at = 0;
    for (const { id, triangles } of this.ends) {
      colours.fill(this.state.css(id), at, triangles);
      at = triangles;
    }
    this.mesh = { ...this.mesh, facecolor: colours };
  }

  /** @param {number} vertex @returns {number} the instance that it belongs to */
  idAt(vertex) {
    return this.ends.find((end) => vertex < end.vertices)?.id ?? 0;
  }
}

/** @param {import("./glb.js").Mesh} mesh @param {number} id */
export function trace({ positions, triangles }, id) {
  const pick = (/** @type {Float32Array | Uint32Array} */ from, /** @type {number} */ k) => {
    const out = from instanceof Float32Array ? new Float32Array(from.length / 3) : new Uint32Array(from.length / 3);
    for (let i = 0; i < out.length; i += 1) out[i] = from[3 * i + k];
    return out;
  };
  return {
    type: "mesh3d", meta: id, name: `#${id}`,
    x: pick(positions, 0), y: pick(positions, 1), z: pick(positions, 2),
    i: pick(triangles, 0), j: pick(triangles, 1), k: pick(triangles, 2),
    hovertemplate: `#${id}<extra></extra>`, flatshading: false,
    lighting: {
      ambient: 0.5, diffuse: 0.8, specular: 0.25, roughness: 0.6, fresnel: 0.1,
      vertexnormalsepsilon: 1e-30, facenormalsepsilon: 1e-30, // triangles of a few nm are not degenerate
    },
    lightposition: { x: 1e5, y: 1e5, z: 0 },
  };
}

