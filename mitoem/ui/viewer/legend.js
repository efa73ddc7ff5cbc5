/** What the colours mean, over a corner of the large pane, while they are those of a measurement. */

/** @import { State } from "./state.js" */
import { BESIDE_COLOUR } from "./colour.js";
import { el } from "./dom.js";
import { formatNumber } from "./geometry.js";

export class LegendBox {
  /** @param {State} state */
  constructor(state) {
    this.state = state;
    this.root = el("div", { class: "colours", role: "img", "aria-label": "Legend of the colours", hidden: true });
  }

  draw() {
    const { colouring, beside } = this.state;
    const parts = this.state.labels ? [...(colouring ? meaning(colouring) : []), ...(beside ? [outlined(beside.name)] : [])] : [];
    this.root.hidden = parts.length === 0;
    this.root.replaceChildren(...parts);
  }
}

/** @param {string} name of the label set that is outlined */
function outlined(name) {
  return el("span", { class: "entry" }, el("i", { style: `background:none;border:2px solid ${BESIDE_COLOUR}` }), `${name}, outlined`);
}

/** @param {import("./colouring.js").Colouring} colouring @returns {Node[]} */
function meaning({ legend, title }) {
  const parts = legend.kind === "scale"
    ? [
      el("div", { class: "ramp", style: `background:linear-gradient(to right, ${legend.colours.join(", ")})` }),
      el("div", { class: "ends" },
        el("span", { text: `≤ ${formatNumber(legend.low)}` }),
        legend.log ? el("span", { class: "dim", text: "log" }) : "",
        el("span", { text: `≥ ${formatNumber(legend.high)}` })),
    ]
    : legend.names.map((name, i) => el("span", { class: "entry" }, el("i", { style: `background:${legend.colours[i]}` }), name));
  return [el("b", { text: title }), ...parts.map((part) => (part instanceof Node ? part : document.createTextNode(part)))];
}
