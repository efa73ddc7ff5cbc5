/**
 * The 3-D pane: selected instances as meshes, the three planes and the volume as wire boxes, axes
 * in µm. Drawn by plotly.js, which is loaded when the pane is first seen. The camera goes to what is
 * selected until a person moves it; from then on it is theirs. Among all instances it stays.
 */

/** @import { Api } from "./api.js" */
/** @import { State } from "./state.js" */
import { get } from "./api.js";
import { PLANE_COLOURS } from "./colour.js";
import { el, icon } from "./dom.js";
import { parseGlb } from "./glb.js";
import { PLOTLY_URL, loadPlotly } from "./library.js";
import { Press } from "./press.js";
import { Overview, trace } from "./surfaces.js";

/**
 * y points down and z away, as in the slices: seen from in front, a little from the left above.
 * Plotly scales the box so that its edges multiply to one: a thin volume is looked at from afar.
 * @param {number[]} edges µm
 */
function camera(edges) {
  const radius = Math.hypot(...edges) / 2 / Math.cbrt(edges[0] * edges[1] * edges[2]);
  return look({ x: 0, y: 0.13 * radius, z: 0 }, 2.65 * radius);
}

/** @param {Point} center @param {number} distance */
function look(center, distance) {
  const [x, y, z] = [-0.47, -0.42, -0.78];
  const eye = { x: center.x + x * distance, y: center.y + y * distance, z: center.z + z * distance };
  const [level, long] = [Math.hypot(x, z), Math.hypot(x, y, z)];
  const up = { x: (x * y) / level / long, y: -level / long, z: (y * z) / level / long }; // square to the view
  return { up, center, eye };
}

/** @typedef {{x: number, y: number, z: number}} Point */

/** @param {Point} a @param {Point} b */
function apart(a, b) {
  return Math.hypot(a.x - b.x, a.y - b.y, a.z - b.z);
}

/**
 * From the same side, near enough that the meshes fill the pane, at most as far as for the whole.
 * @param {number[]} edges µm (z, y, x) @param {any[]} traces of meshes
 */
function closeUp(edges, traces) {
  const unit = Math.cbrt(edges[0] * edges[1] * edges[2]);
  const spans = ["z", "y", "x"].map((axis) => {
    let [low, high] = [Infinity, -Infinity];
    for (const trace of traces) for (const v of trace[axis]) [low, high] = [Math.min(low, v), Math.max(high, v)];
    return [low, high];
  });
  const [z, y, x] = spans.map(([low, high], a) => ((low + high) / 2 - edges[a] / 2) / unit);
  const radius = Math.hypot(...spans.map(([low, high]) => high - low)) / 2 / unit;
  const whole = camera(edges);
  const far = Math.hypot(whole.eye.x, whole.eye.y, whole.eye.z);
  const distance = Math.max(2.9 * radius, 0.15);
  return distance < far ? look({ x, y, z }, distance) : whole;
}

const PAUSE = 220; // ms without movement before the planes are moved in 3-D

export class Scene {
  /** @param {State} state @param {Api} api @param {{expand: () => void}} actions */
  constructor(state, api, actions) {
    this.state = state;
    this.api = api;
    this.plot = el("div", { class: "plot" });
    this.note = el("div", { class: "note", role: "status" });
    const button = (/** @type {string} */ name, /** @type {string} */ label, /** @type {() => void} */ run) =>
      el("button", { class: `expand ${name}`, type: "button", title: label, "aria-label": label, onclick: run }, icon(name));
    this.root = el("div", { class: "pane scene", "aria-label": "3-D view", role: "img" },
      this.plot,
      el("div", { class: "name" }, el("b", { text: "3-D" })),
      button("expand", "3-D alone, or all panes", actions.expand),
      button("fit", "Camera on the selection, or on the whole volume", () => this.resetCamera()),
      (this.every = button("all", "All instances, coarsely", () => this.showAll())),
      this.note,
    );
    /** @type {Map<string, {state: "loading" | "ready" | "failed", trace?: any, error?: string}>} */
    this.meshes = new Map();
    this.visible = false;
    this.drawing = false;
    this.again = false;
    this.made = false;
    this.soon = 0;
    this.camera = camera(this.edges);
    this.held = false; // a person has moved the camera
    this.press = new Press(this.plot, (id, add) => state.select(id, add));
    this.overview = new Overview(state, api, () => this.update());
  }

  /** All instances, or the selected ones alone. */
  showAll() {
    this.overview.on = !this.overview.on;
    this.every.setAttribute("aria-pressed", String(this.overview.on));
    this.update();
  }

  /** @param {boolean} visible */
  show(visible) {
    this.visible = visible;
    if (visible) this.update();
  }

  /** The same after a pause in the movement: a 3-D frame costs more than a slice. */
  updateSoon() {
    clearTimeout(this.soon);
    this.soon = window.setTimeout(() => (this.state.gripped ? this.updateSoon() : this.update()), PAUSE);
  }

  /** Bring the picture up to date with the state; calls while drawing are made up for after. */
  update() {
    if (!this.visible) return;
    if (this.drawing) {
      this.again = true;
      return;
    }
    this.drawing = true;
    this.again = false;
    this.draw()
      .catch((error) => this.say(`3-D is not available: ${error.message}`))
      .finally(() => {
        this.drawing = false;
        // A frame later: input must get in between two drawings, whatever asks for them.
        if (this.again) requestAnimationFrame(() => this.update());
      });
  }

  async draw() {
    const Plotly = await loadPlotly(PLOTLY_URL);
    const { state } = this;
    const meshes = state.labels ? state.selected.map((id) => this.mesh(id)) : [];
    const ready = meshes.filter((mesh) => mesh.state === "ready").map((mesh) => mesh.trace);
    const failed = meshes.filter((mesh) => mesh.state === "failed");
    const loading = meshes.filter((mesh) => mesh.state === "loading").length;
    const all = this.overview.trace();
    if (!state.labels) this.say("No labels: no instances to show here");
    else if (this.overview.said) this.say(this.overview.said);
    else if (!state.selected.length && !all) this.say("Double-click an instance to see it here");
    else if (loading) this.say(`Loading ${loading} of ${meshes.length} meshes …`);
    else this.say(failed.length ? `${failed.length} of ${meshes.length} meshes failed: ${failed[0].error}` : "");
    this.watch();
    if (!this.held && !this.overview.on && !loading) this.camera = ready.length ? closeUp(this.edges, ready) : camera(this.edges);
    await Plotly.react(this.plot, [...this.frames(), ...(all ? [all] : []), ...ready], this.layout(), {
      displayModeBar: false, responsive: false, scrollZoom: true,
    });
    if (!this.made) {
      this.made = true;
      for (const name of ["plotly_hover", "plotly_click"]) {
        /** @type {any} */ (this.plot).on(name, (/** @type {any} */ event) => this.under(event.points[0]));
      }
    }
  }

  /** What plotly.js found under the pointer; of a mesh coloured by triangles it numbers these. @param {any} point */
  under(point) {
    const { meta, i } = point?.data ?? {};
    const id = meta === "all" ? this.overview.idAt(i[point.pointNumber]) : meta;
    if (id) this.press.hit(id);
  }

  /** Take the camera from where a person has moved it. plotly.js tells of a turn of the wheel only at the next one. */
  watch() {
    const there = /** @type {any} */ (this.plot)._fullLayout?.scene?._scene?.getCamera();
    if (!there) return;
    if (["up", "eye", "center"].every((part) => apart(there[part], /** @type {any} */ (this.camera)[part]) < 1e-6)) return;
    this.held = true;
    this.camera = { up: there.up, center: there.center, eye: there.eye };
  }

  /** @param {number} id */
  mesh(id) {
    const { labels } = this.state;
    const version = labels?.version ?? "";
    const key = `${labels?.name} ${version} ${id}`;
    let mesh = this.meshes.get(key);
    if (!mesh) {
      mesh = { state: "loading" };
      this.meshes.set(key, mesh);
      void this.load(id, key, version);
    }
    if (mesh.trace) mesh.trace.color = this.state.css(id);
    return mesh;
  }

  /** @param {number} id @param {string} key @param {string} version */
  async load(id, key, version) {
    try {
      const url = this.api.mesh(String(this.state.labels?.name), id, version);
      const [mesh] = parseGlb(await (await get(url)).arrayBuffer());
      this.meshes.set(key, { state: "ready", trace: trace(mesh, id) });
    } catch (error) {
      this.meshes.set(key, { state: "failed", error: error instanceof Error ? error.message : String(error) });
    }
    this.forget();
    this.update();
  }

  /** Keep no more meshes than can be selected twice over. */
  forget() {
    for (const key of this.meshes.keys()) {
      if (this.meshes.size <= 100) break;
      this.meshes.delete(key);
    }
  }

  /** Of the volume, µm (z, y, x). */
  get edges() {
    const { info } = this.state;
    return info.shape.map((n, a) => (n * info.voxel_size_nm[a]) / 1000);
  }

  /** The volume's box and the three planes, as lines. */
  frames() {
    const { info, cross } = this.state;
    const [nz, ny, nx] = this.edges;
    const [z, y, x] = cross.map((i, a) => (i * info.voxel_size_nm[a]) / 1000);
    const box = [[0, 0, 0], [nx, 0, 0], [nx, ny, 0], [0, ny, 0], [0, 0, 0], [0, 0, nz], [nx, 0, nz], [nx, ny, nz],
      [0, ny, nz], [0, 0, nz], null, [nx, 0, 0], [nx, 0, nz], null, [nx, ny, 0], [nx, ny, nz], null, [0, ny, 0], [0, ny, nz]];
    const loop = (/** @type {number[][]} */ corners) => [...corners, corners[0]];
    return [
      wire(box, "#5b6672", 1.5),
      wire(loop([[0, 0, z], [nx, 0, z], [nx, ny, z], [0, ny, z]]), PLANE_COLOURS.z, 3),
      wire(loop([[0, y, 0], [nx, y, 0], [nx, y, nz], [0, y, nz]]), PLANE_COLOURS.y, 3),
      wire(loop([[x, 0, 0], [x, ny, 0], [x, ny, nz], [x, 0, nz]]), PLANE_COLOURS.x, 3),
    ];
  }

  layout() {
    const [nz, ny, nx] = this.edges;
    const longest = Math.max(nx, ny, nz);
    const axis = (/** @type {number} */ edge) => ({
      title: { text: "" }, range: [-0.004 * edge, 1.004 * edge], color: "#8a96a3", gridcolor: "#222932", zeroline: false,
      showbackground: false, tickfont: { size: 9 }, showspikes: false, nticks: edge < longest / 3 ? 2 : 5,
    });
    return {
      autosize: true, margin: { l: 0, r: 0, t: 0, b: 0 }, paper_bgcolor: "rgba(0,0,0,0)", showlegend: false,
      uirevision: "kept", hovermode: "closest",
      scene: {
        xaxis: axis(nx), yaxis: axis(ny), zaxis: axis(nz), aspectmode: "data", uirevision: "kept",
        camera: this.camera, dragmode: "orbit",
        annotations: [
          edgeName(`x ${nx.toFixed(1)} µm`, [nx / 2, ny, 0], { yanchor: "top" }),
          edgeName(`y ${ny.toFixed(1)} µm`, [0, ny / 2, 0], { xanchor: "right", xshift: -16 }),
          edgeName(`z ${nz.toFixed(1)} µm`, [nx, 0, nz / 2], { xanchor: "left", xshift: 4 }),
        ],
      },
    };
  }

  /** To the selection, and from there to the whole. */
  resetCamera() {
    if (!this.made) return;
    this.watch();
    const whole = camera(this.edges);
    const ready = this.state.selected.map((id) => this.mesh(id).trace).filter(Boolean);
    const near = ready.length ? closeUp(this.edges, ready) : whole;
    const there = !this.held && JSON.stringify(this.camera) === JSON.stringify(near);
    this.camera = there ? whole : near;
    this.held = there;
    void /** @type {any} */ (window).Plotly.relayout(this.plot, { "scene.camera": this.camera });
  }

  resize() {
    if (this.made && this.visible) /** @type {any} */ (window).Plotly.Plots.resize(this.plot);
  }

  /** @param {string} text */
  say(text) {
    this.note.textContent = text;
    this.note.hidden = text === "";
  }

  destroy() {
    this.press.destroy();
    clearTimeout(this.soon);
    if (this.made) /** @type {any} */ (window).Plotly.purge(this.plot);
  }
}

/** @param {string} text @param {number[]} at µm (x, y, z) @param {object} place */
function edgeName(text, [x, y, z], place) {
  return { text, x, y, z, showarrow: false, font: { size: 10.5, color: "#a7b2bd" }, ...place };
}

/** @param {(number[] | null)[]} points @param {string} colour @param {number} width */
function wire(points, colour, width) {
  const part = (/** @type {number} */ k) => points.map((p) => (p ? p[k] : null));
  return {
    type: "scatter3d", mode: "lines", x: part(0), y: part(1), z: part(2), hoverinfo: "skip",
    line: { color: colour, width },
  };
}
