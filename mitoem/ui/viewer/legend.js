/** What the colours mean, over a corner of the large pane, while they are those of a measurement. */

/** @import { State } from "./state.js" */
import { el } from "./dom.js";
import { formatNumber } from "./geometry.js";

export class LegendBox {
  /** @param {State} state */
  constructor(state) {
    this.state = state;
    this.root = el("div", { class: "colours", role: "img", "aria-label": "Legend of the colours", hidden: true });
  }

  draw() {
    const { colouring } = this.state;
    this.root.hidden = colouring === null || this.state.labels === null;
    if (!colouring) return;
    const { legend, title } = colouring;
    const parts = legend.kind === "scale"
      ? [
        el("div", { class: "ramp", style: `background:linear-gradient(to right, ${legend.colours.join(", ")})` }),
        el("div", { class: "ends" },
          el("span", { text: `≤ ${formatNumber(legend.low)}` }),
          legend.log ? el("span", { class: "dim", text: "log" }) : "",
          el("span", { text: `≥ ${formatNumber(legend.high)}` })),
      ]
      : legend.names.map((name, i) => el("span", { class: "entry" }, el("i", { style: `background:${legend.colours[i]}` }), name));
    this.root.replaceChildren(el("b", { text: title }), ...parts);
  }
}
