/** The thin row of buttons, the panels that open under it, and the sheet of keys. */

/** @import { Viewer } from "./viewer.js" */
import { ACTIONS, MOUSE } from "./actions.js";
import { get } from "./api.js";
import { el, icon, write } from "./dom.js";
import { clamp, parsePlace } from "./geometry.js";
import { figureCommand } from "./snippets.js";

const GROUPS = ["layout", "zoom", "image", "labels", "select", "tools", "help"];
const WORDS = /** @type {Record<string, string>} */ ({
  "layout-z": "XY", "layout-y": "XZ", "layout-x": "YZ", "layout-3d": "3-D",
});

export class Toolbar {
  /** @param {Viewer} viewer */
  constructor(viewer) {
    this.viewer = viewer;
    /** @type {Map<string, HTMLButtonElement>} */
    this.buttons = new Map();
    this.zoom = el("span", { class: "zoom", title: "Screen pixels per voxel along x" });
    this.root = el("div", { class: "toolbar", role: "toolbar", "aria-label": "Viewer" });
    for (const group of GROUPS) this.root.append(this.group(group));
    /** @type {Record<string, HTMLElement>} */
    this.panels = {
      window: this.windowPanel(), opacity: this.opacityPanel(), colour: this.colourPanel(), go: this.goPanel(),
      figure: this.figurePanel(), help: helpSheet(),
    };
    for (const panel of Object.values(this.panels)) panel.hidden = true;
    this.panelRoot = el("div", { class: "panels" }, ...Object.values(this.panels));
  }

  /** @param {string} group */
  group(group) {
    const made = el("div", { class: "group" });
    if (group === "layout") made.append(this.quadButton());
    for (const action of ACTIONS.filter((a) => a.group === group)) {
      made.append(this.button(action));
      if (action.id === "zoom-out") made.append(this.zoom);
    }
    return made;
  }

  /** @param {import("./actions.js").Action} action */
  button(action) {
    const key = action.show ?? action.keys[0];
    const title = key ? `${action.label} (${key})` : action.label;
    const button = el("button", {
      type: "button", title, "aria-label": action.label, "aria-keyshortcuts": key ?? "", "data-action": action.id,
      onclick: (/** @type {MouseEvent} */ event) => this.press(action, event),
    }, WORDS[action.id] ?? icon(action.icon ?? "plus"));
    this.buttons.set(action.id, button);
    return button;
  }

  /** The buttons of a group, to stand elsewhere. @param {string} group */
  buttonsOf(group) {
    return ACTIONS.filter((a) => a.group === group).map((a) => this.button(a));
  }

  quadButton() {
    const button = el("button", {
      type: "button", title: "All four panes", "aria-label": "All four panes", "data-action": "quad",
      onclick: (/** @type {MouseEvent} */ event) => {
        if (this.viewer.state.layout !== "quad") this.viewer.state.show(this.viewer.state.layout);
        this.giveBack(event);
      },
    }, icon("quad"));
    this.buttons.set("quad", button);
    return button;
  }

  /** @param {import("./actions.js").Action} action @param {MouseEvent} event */
  press(action, event) {
    const { state } = this.viewer;
    if (action.id === "raw") state.set({ hidden: !state.hidden });
    else action.run(this.viewer, event);
    this.giveBack(event);
  }

  /** After a click by mouse the keys belong to the viewer again. @param {MouseEvent} event */
  giveBack(event) {
    if (event.detail > 0 && !this.open) this.viewer.root.focus({ preventScroll: true });
  }

  get open() {
    return Object.keys(this.panels).find((name) => !this.panels[name].hidden);
  }

  /** @param {string} name */
  toggle(name) {
    const was = this.open;
    this.close();
    if (was === name) return;
    const panel = this.panels[name];
    panel.hidden = false;
    const anchor = this.buttons.get(name);
    if (anchor && name !== "help") {
      const room = this.root.clientWidth - panel.offsetWidth - 8;
      panel.style.left = `${clamp(anchor.offsetLeft - 8, 8, Math.max(8, room))}px`;
    }
    const field = /** @type {HTMLElement | null} */ (panel.querySelector("input, select"));
    (field ?? panel).focus({ preventScroll: true });
    this.draw();
  }

  /** @returns {boolean} whether something was open */
  close() {
    const name = this.open;
    if (!name) return false;
    this.panels[name].hidden = true;
    return true;
  }

  draw() {
    const { viewer } = this;
    const { state } = viewer;
    for (const action of ACTIONS) {
      const button = this.buttons.get(action.id);
      if (button && action.on) button.setAttribute("aria-pressed", String(action.on(viewer)));
    }
    this.buttons.get("quad")?.setAttribute("aria-pressed", String(state.layout === "quad"));
    for (const id of ["clear", "card", "solo"]) {
      const button = this.buttons.get(id);
      if (button) button.disabled = state.selected.length === 0 && !(id === "solo" && state.solo);
    }
    for (const id of ["raw", "outline", "colour", "opacity", "previous", "next"]) {
      const button = this.buttons.get(id);
      if (button) button.disabled = state.labels === null;
    }
    write(this.zoom, zoomText(state.magnification));
    if (this.open) this.sync();
  }

  /** Fields show the state, whoever changed it. */
  sync() {
    const { state } = this.viewer;
    const set = (/** @type {string} */ name, /** @type {number} */ value) => {
      const fields = this.panelRoot.querySelectorAll(`input[name=${name}]`);
      for (const field of fields) /** @type {HTMLInputElement} */ (field).value = String(value);
      const out = this.panelRoot.querySelector(`output[for=${name}]`);
      if (out) out.textContent = String(value) + (name.startsWith("op") ? " %" : "");
    };
    set("op-selected", state.opacity[0]);
    set("op-others", state.opacity[1]);
    set("low", state.window[0]);
    set("high", state.window[1]);
    this.histogram?.();
    if (this.by) this.by.value = state.colour;
    this.also?.replaceChildren(el("option", { value: "", text: "nothing" }),
      ...state.info.labels.filter((set) => set !== state.labels).map(({ name }) => el("option", { value: name, text: name, selected: name === state.beside?.name })));
    this.command?.();
  }

  colourPanel() {
    const { state } = this.viewer;
    const option = (/** @type {string} */ value, /** @type {string} */ text) => el("option", { value, text });
    this.by = el("select", {
      "aria-label": "Colour instances by",
      onchange: () => state.set({ colour: /** @type {HTMLSelectElement} */ (this.by).value }),
    }, option("id", "id, one colour each"), ...this.viewer.columns.map(([name, title]) => option(name, title)));
    this.also = el("select", {
      "aria-label": "Outline other labels",
      onchange: () => state.set({ beside: state.info.labels.find((set) => set.name === this.also?.value) ?? null }),
    });
    return el("div", { class: "panel", role: "dialog", "aria-label": "Colours", tabindex: "-1" },
      el("label", { class: "wide" }, el("span", { text: "Colour by" }), this.by),
      el("label", { class: "wide" }, el("span", { text: "Outline also" }), this.also),
      el("div", { class: "row" },
        el("button", { type: "button", class: "plain", text: "Deal the colours anew (l)", onclick: () => this.viewer.recolour() })));
  }

  figurePanel() {
    const { viewer } = this;
    const kind = el("select", { "aria-label": "Format", onchange: () => this.command?.() },
      el("option", { value: "png", text: "PNG" }), el("option", { value: "svg", text: "SVG" }));
    const nm = el("input", {
      type: "number", min: 0.1, step: "any", placeholder: "as the voxels", "aria-label": "nm per pixel",
      oninput: () => this.command?.(),
    });
    const size = () => (nm.value && nm.validity.valid ? Number(nm.value) : 0);
    const code = el("code", {});
    this.command = () => (code.textContent = figureCommand(viewer.state, kind.value, size()));
    const said = el("div", { class: "said", role: "status" });
    const save = async () => {
      said.textContent = "Drawing …";
      try {
        const answer = await get(viewer.api.figure(kind.value, viewer.state.query(), size()));
        const name = /filename="(.+)"/.exec(answer.headers.get("content-disposition") ?? "")?.[1] ?? `figure.${kind.value}`;
        const href = URL.createObjectURL(await answer.blob());
        el("a", { href, download: name }).click();
        window.setTimeout(() => URL.revokeObjectURL(href), 10000);
        said.textContent = "";
        this.close();
        viewer.root.focus({ preventScroll: true });
      } catch (error) {
        said.textContent = error instanceof Error ? error.message : String(error);
      }
    };
    return el("form", {
      class: "panel figure", "aria-label": "Save a figure", tabindex: "-1",
      onsubmit: (/** @type {Event} */ event) => {
        event.preventDefault();
        void save();
      },
    },
      el("p", { class: "dim", text: "The active plane, with its scale bar and a caption that says where it comes from." }),
      el("label", { class: "wide" }, el("span", { text: "Format" }), kind),
      el("label", { class: "wide" }, el("span", { text: "nm per pixel" }), nm),
      code,
      el("div", { class: "row" },
        el("button", { type: "submit", class: "plain", text: "Save" }),
        el("button", { type: "button", class: "plain", text: "Copy command", onclick: () => void navigator.clipboard.writeText(code.textContent ?? "") })),
      said);
  }

  opacityPanel() {
    const { state } = this.viewer;
    const slider = (/** @type {string} */ name, /** @type {string} */ label, /** @type {0|1} */ i) =>
      el("label", {}, el("span", { text: label }), el("input", {
        type: "range", name, min: 0, max: 100, step: 1,
        oninput: (/** @type {Event} */ event) => {
          const pair = /** @type {[number, number]} */ ([...state.opacity]);
          pair[i] = Number(/** @type {HTMLInputElement} */ (event.target).value);
          state.set({ opacity: pair });
        },
      }), el("output", { for: name }));
    return el("div", { class: "panel", role: "dialog", "aria-label": "Opacity of the labels", tabindex: "-1" },
      slider("op-selected", "Selected", 0), slider("op-others", "Others", 1));
  }

  windowPanel() {
    const { state } = this.viewer;
    const { grey } = state.info;
    const canvas = el("canvas", { class: "histogram", width: 512, height: 128 });
    const slider = (/** @type {string} */ name, /** @type {string} */ label, /** @type {0|1} */ i) =>
      el("label", {}, el("span", { text: label }), el("input", {
        type: "range", name, min: 0, max: 255, step: 1,
        oninput: (/** @type {Event} */ event) => {
          const value = Number(/** @type {HTMLInputElement} */ (event.target).value);
          const [low, high] = state.window;
          state.set({ window: i === 0 ? [Math.min(value, high - 1), high] : [low, Math.max(value, low + 1)] });
        },
      }), el("output", { for: name }));
    const preset = (/** @type {string} */ label, /** @type {[number, number]} */ window) =>
      el("button", { type: "button", class: "plain", onclick: () => state.set({ window }) }, label);
    const drag = (/** @type {PointerEvent} */ event) => {
      if (event.buttons !== 1) return;
      const box = canvas.getBoundingClientRect();
      const value = Math.round(clamp((event.clientX - box.left) / box.width, 0, 1) * 255);
      const [low, high] = state.window;
      const lower = Math.abs(value - low) < Math.abs(value - high);
      state.set({ window: lower ? [Math.min(value, high - 1), high] : [low, Math.max(value, low + 1)] });
    };
    canvas.addEventListener("pointerdown", drag);
    canvas.addEventListener("pointermove", drag);
    this.histogram = () => drawHistogram(canvas, grey.histogram, state.window);
    return el("div", { class: "panel", role: "dialog", "aria-label": "Brightness and contrast", tabindex: "-1" },
      canvas, slider("low", "Black", 0), slider("high", "White", 1),
      el("div", { class: "row" },
        preset("1–99 %", [grey.p1, Math.max(grey.p1 + 1, grey.p99)]), preset("Whole range", [0, 255])));
  }

  goPanel() {
    const { viewer } = this;
    const field = el("input", {
      type: "text", placeholder: "x, y, z  ·  1.2, 3.4, 0.5 µm  ·  #118", spellcheck: "false", autocomplete: "off",
      "aria-label": "Place or instance",
    });
    const said = el("div", { class: "said", role: "status" });
    const go = async () => {
      const place = parsePlace(field.value, viewer.state.info);
      said.textContent = "error" in place ? place.error : "";
      if ("place" in place) viewer.state.goTo(place.place);
      if ("instance" in place) said.textContent = await viewer.visits.visit(place.instance);
      if (said.textContent) return;
      this.close();
      viewer.root.focus({ preventScroll: true });
    };
    return el("form", {
      class: "panel go", "aria-label": "Go to", tabindex: "-1",
      onsubmit: (/** @type {Event} */ event) => {
        event.preventDefault();
        void go();
      },
    }, el("div", { class: "row" }, field, el("button", { type: "submit", class: "plain", text: "Go" })), said);
  }
}

/** @param {number} zoom CSS pixels per voxel */
function zoomText(zoom) {
  return zoom >= 10 ? `${zoom.toFixed(0)}×` : `${Number(zoom.toPrecision(2))}×`;
}

/** @param {HTMLCanvasElement} canvas @param {number[]} counts @param {[number, number]} window */
function drawHistogram(canvas, counts, [low, high]) {
  const pencil = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const { width, height } = canvas;
  const most = Math.max(1, ...counts.slice(1, -1));
  const colours = getComputedStyle(canvas);
  pencil.clearRect(0, 0, width, height);
  counts.forEach((count, grey) => {
    const bar = Math.min(1, count / most) * (height - 4);
    pencil.fillStyle = colours.getPropertyValue(grey >= low && grey <= high ? "--text" : "--edge");
    pencil.fillRect((grey * width) / 256, height - bar, width / 256, bar);
  });
  pencil.fillStyle = colours.getPropertyValue("--accent");
  for (const grey of [low, high]) pencil.fillRect((grey * width) / 256 - 1, 0, 3, height);
}

function helpSheet() {
  const row = (/** @type {string} */ keys, /** @type {string} */ text) =>
    el("div", { class: "key" }, el("kbd", { text: keys }), el("span", { text }));
  return el("div", { class: "panel help", role: "dialog", "aria-label": "Keys and mouse", tabindex: "-1" },
    el("h2", { text: "Keys" }),
    el("div", { class: "sheet" },
      ...ACTIONS.filter((a) => a.keys.length).map((a) => row(a.show ?? a.keys[0], a.label)),
      row("shift", "sections in steps of ten, long pans"), row("Esc", "Close; else clear the selection")),
    el("h2", { text: "Mouse" }),
    el("div", { class: "sheet" }, ...MOUSE.map(([what, text]) => row(what, text))));
}
