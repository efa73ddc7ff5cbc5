/**
 * Everything that a key or a button does, once: the toolbar, the keyboard and the sheet of keys
 * are all made from this table.
 */

/** @import { Viewer } from "./viewer.js" */

/**
 * @typedef {object} Action
 * @property {string} id
 * @property {string} label
 * @property {string[]} keys  As `KeyboardEvent.key` gives them.
 * @property {string} [show]  The keys as the sheet writes them.
 * @property {string} [icon]
 * @property {string} group
 * @property {(viewer: Viewer, event: {shiftKey: boolean, key?: string}) => void} run
 * @property {(viewer: Viewer) => boolean} [on]  For switches.
 * @property {(viewer: Viewer) => void} [release]  When the key goes up.
 */

/** Shift, or the sign that a keyboard makes of it. @param {{shiftKey: boolean, key?: string}} event */
const isLong = (event) => event.shiftKey || "<>".includes(event.key ?? " ");

/** @type {Action[]} */
export const ACTIONS = [
  { id: "previous-section", label: "Previous section", keys: [",", "<"], show: ",", icon: "previous", group: "section",
    run: (v, e) => v.step(isLong(e) ? -10 : -1) },
  { id: "next-section", label: "Next section", keys: [".", ">"], show: ".", icon: "next", group: "section",
    run: (v, e) => v.step(isLong(e) ? 10 : 1) },
  { id: "zoom-out", label: "Zoom out", keys: ["-", "_"], show: "−", icon: "minus", group: "zoom", run: (v) => v.zoom(1 / 1.4) },
  { id: "zoom-in", label: "Zoom in", keys: ["+", "="], show: "+", icon: "plus", group: "zoom", run: (v) => v.zoom(1.4) },
  { id: "fit", label: "Fit the volume", keys: ["0"], icon: "fit", group: "zoom", run: (v) => v.state.fit() },
  { id: "layout-z", label: "XY alone, or all panes", keys: ["1"], group: "layout",
    run: (v) => v.state.show("z"), on: (v) => v.state.layout === "z" },
  { id: "layout-y", label: "XZ alone, or all panes", keys: ["2"], group: "layout",
    run: (v) => v.state.show("y"), on: (v) => v.state.layout === "y" },
  { id: "layout-x", label: "YZ alone, or all panes", keys: ["3"], group: "layout",
    run: (v) => v.state.show("x"), on: (v) => v.state.layout === "x" },
  { id: "layout-3d", label: "3-D alone, or all panes", keys: ["4"], group: "layout",
    run: (v) => v.state.show("3d"), on: (v) => v.state.layout === "3d" },
  { id: "window", label: "Brightness and contrast", keys: [], icon: "contrast", group: "image", run: (v) => v.toggle("window") },
  { id: "invert", label: "Invert the image", keys: ["i"], icon: "invert", group: "image",
    run: (v) => v.state.set({ invert: !v.state.invert }), on: (v) => v.state.invert },
  { id: "raw", label: "Raw image (while the key is held)", keys: [" "], show: "space", icon: "eye", group: "labels",
    run: (v) => v.state.set({ held: true }), release: (v) => v.state.set({ held: false }),
    on: (v) => v.state.hidden },
  { id: "outline", label: "Outlines instead of fills", keys: ["o"], icon: "outline", group: "labels",
    run: (v) => v.state.set({ outline: !v.state.outline }), on: (v) => v.state.outline },
  { id: "solo", label: "Only the selected instances", keys: ["v"], icon: "solo", group: "labels",
    run: (v) => v.state.set({ solo: !v.state.solo }), on: (v) => v.state.solo },
  { id: "colour", label: "Colour by", keys: [], icon: "palette", group: "labels", run: (v) => v.toggle("colour"),
    on: (v) => v.state.colour !== "id" },
  { id: "recolour", label: "Other colours", keys: ["l"], group: "hidden", run: (v) => v.recolour() },
  { id: "opacity", label: "Opacity", keys: [], icon: "sliders", group: "labels", run: (v) => v.toggle("opacity") },
  { id: "fainter", label: "Labels fainter", keys: ["["], group: "hidden", run: (v) => v.fade(-5) },
  { id: "stronger", label: "Labels stronger", keys: ["]"], group: "hidden", run: (v) => v.fade(5) },
  { id: "previous", label: "Previous instance", keys: ["p"], icon: "previous", group: "select", run: (v) => v.visits.hop(-1) },
  { id: "next", label: "Next instance", keys: ["n"], icon: "next", group: "select", run: (v) => v.visits.hop(1) },
  { id: "go", label: "Go to a place or an instance", keys: ["g"], icon: "pin", group: "select", run: (v) => v.toggle("go") },
  { id: "clear", label: "Clear the selection", keys: ["x"], icon: "clear", group: "select", run: (v) => v.state.clear() },
  { id: "card", label: "Card of the selected instance", keys: ["k"], icon: "card", group: "select",
    run: (v) => v.card.toggle(), on: (v) => v.card.open },
  { id: "ruler", label: "Ruler", keys: ["m"], icon: "ruler", group: "tools", run: (v) => v.ruler.toggle(), on: (v) => v.ruler.on },
  { id: "figure", label: "Save a figure", keys: ["q"], icon: "picture", group: "tools", run: (v) => v.toggle("figure") },
  { id: "neuroglancer", label: "Open this view in Neuroglancer", keys: [], icon: "away", group: "tools",
    run: (v) => { window.open(v.api.neuroglancer(v.state.query()), "_blank", "noopener"); } },
  { id: "bar", label: "Scale bar", keys: ["b"], icon: "bar", group: "help",
    run: (v) => v.state.set({ bar: !v.state.bar }), on: (v) => v.state.bar },
  { id: "help", label: "Keys and mouse", keys: ["?"], icon: "help", group: "help", run: (v) => v.toggle("help") },
  { id: "left", label: "Pan left", keys: ["ArrowLeft"], show: "←", group: "hidden", run: (v, e) => v.nudge(0, -1, e) },
  { id: "right", label: "Pan right", keys: ["ArrowRight"], show: "→", group: "hidden", run: (v, e) => v.nudge(0, 1, e) },
  { id: "above", label: "Pan up", keys: ["ArrowUp"], show: "↑", group: "hidden", run: (v, e) => v.nudge(-1, 0, e) },
  { id: "below", label: "Pan down", keys: ["ArrowDown"], show: "↓", group: "hidden", run: (v, e) => v.nudge(1, 0, e) },
];

/** What the mouse does, for the sheet. */
export const MOUSE = [
  ["wheel", "previous, next section; with shift ten"],
  ["ctrl + wheel, pinch", "zoom at the pointer"],
  ["drag", "pan"],
  ["click", "bring the planes together there"],
  ["double click", "select the instance; with shift add or remove"],
  ["point", "name the instance"],
];

/** @param {KeyboardEvent} event @returns {Action | undefined} */
export function actionFor(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return undefined;
  // Shift makes another sign of the full stop on many keyboards: the place of the key counts then.
  const place = event.shiftKey ? { Comma: ",", Period: "." }[event.code] : undefined;
  return ACTIONS.find((action) => action.keys.includes(place ?? event.key));
}
