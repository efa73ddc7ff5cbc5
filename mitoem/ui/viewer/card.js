/** The card of an instance beside the panes: what was measured of it, what is near, what to do. */

/** @import { Api } from "./api.js" */
/** @import { State } from "./state.js" */
/** @import { Triple } from "./types.js" */
import { el, icon } from "./dom.js";
import { formatNumber } from "./geometry.js";
import { python, report } from "./snippets.js";

/**
 * @typedef {object} Card  What `instances/{id}` answers.
 * @property {number} instance_id
 * @property {boolean} cut
 * @property {string} split
 * @property {string} size_class
 * @property {boolean | null} possible_moas
 * @property {Triple} centre
 * @property {{name: string, title: string, unit: string, value: number, larger_than: number | null}[]} measures
 * @property {{instance_id: number, centre_um: number}[]} near
 * @property {number} complete
 */

const FIRST = ["volume_um3", "surface_area_um2", "sphericity", "mci", "elongation", "length_um", "nearest_neighbour_um"];
/** @type {Record<string, string>} */
const SHORT = { "Mitochondrial complexity index": "Complexity (MCI)" };
const KEPT = 200; // cards held, so that going back and forth asks for nothing

export class CardPanel {
  /**
   * @param {State} state @param {Api} api
   * @param {{visit: (id: number) => void, say: (text: string) => void}} actions
   */
  constructor(state, api, actions) {
    this.state = state;
    this.api = api;
    this.actions = actions;
    this.shown = ""; // what the panel shows
    this.whole = false; // every measure, or the first
    this.closed = false;
    /** @type {Map<string, Card>} */
    this.cards = new Map();
    this.root = el("aside", { class: "card", "aria-label": "Instance", hidden: true });
  }

  /** The instance that the card is of: the one selected last. */
  get id() {
    return this.state.selected.at(-1) ?? 0;
  }

  get open() {
    return !this.closed && this.id !== 0 && this.state.labels !== null;
  }

  /** @param {boolean} [closed] */
  toggle(closed = !this.closed) {
    this.closed = closed;
    this.update();
    this.state.tell("layout");
  }

  /** Follow the selection. */
  update() {
    const was = this.root.hidden;
    this.root.hidden = !this.open;
    if (this.open) void this.show(this.id);
    return was !== this.root.hidden;
  }

  /** @param {number} id */
  async show(id) {
    const labels = /** @type {import("./types.js").LabelInfo} */ (this.state.labels);
    const key = `${labels.name} ${labels.version} ${id}`;
    const known = this.cards.get(key);
    const look = `${key} ${this.state.selected.length} ${this.state.css(id)} ${this.whole} ${this.state.solo}`;
    if (look === this.shown) return;
    this.shown = look;
    if (known) return this.fill(known);
    this.root.replaceChildren(this.head(id, null), el("p", { class: "dim", text: "Loading …" }));
    try {
      const card = await this.api.card(labels.name, id);
      this.cards.set(key, card);
      if (this.cards.size > KEPT) this.cards.delete(/** @type {string} */ (this.cards.keys().next().value));
      if (this.shown === look) this.fill(card);
    } catch (error) {
      if (this.shown !== look) return;
      const text = error instanceof Error ? error.message : String(error);
      this.root.replaceChildren(
        this.head(id, null), el("p", { class: "said", role: "alert", text }),
        el("div", { class: "deeds" },
          el("button", { type: "button", class: "plain", text: "Take it out of the selection", onclick: () => this.state.select(id, true) }),
          el("button", { type: "button", class: "plain", text: "Try again", onclick: () => this.update() })),
      );
      this.shown = "";
    }
  }

  /** @param {Card} card */
  fill(card) {
    const first = card.measures.filter((one) => this.whole || FIRST.includes(one.name));
    const more = el("button", {
      type: "button", class: "link", text: this.whole ? "Fewer measurements" : `All ${card.measures.length} measurements`,
      onclick: () => {
        this.whole = !this.whole;
        this.update();
      },
    });
    this.root.replaceChildren(
      this.head(card.instance_id, card),
      el("div", { class: "measures" }, ...first.map(measure)),
      card.cut
        ? el("p", { class: "dim", text: "Cut by the edge of what was labelled: not ranked." })
        : card.complete < 2 ? "" : el("p", { class: "dim", text: `Bars: share of the ${card.complete.toLocaleString("en")} complete instances that are smaller.` }),
      more,
      ...(card.near.length ? [el("h3", { text: "Nearest, centre to centre" })] : []),
      el("div", { class: "near" }, ...card.near.map((one) => this.neighbour(one))),
      this.deeds(card),
    );
  }

  /** @param {number} id @param {Card | null} card */
  head(id, card) {
    const { selected } = this.state;
    const more = selected.length > 1 ? el("span", { class: "dim", text: `last of ${selected.length} selected` }) : "";
    const words = card ? [card.cut ? "cut" : "complete", card.size_class, card.split === "none" ? "" : card.split] : [];
    if (card?.possible_moas) words.push("possibly on a string");
    return el("header", {},
      el("i", { style: `background:${this.state.css(id)}` }),
      el("b", { text: `#${id}` }), more,
      el("button", {
        type: "button", class: "close", title: "Close the card (k opens it)", "aria-label": "Close the card",
        onclick: () => this.toggle(true),
      }, icon("clear")),
      el("div", { class: "tags" }, ...words.filter(Boolean).map((word) => el("span", { class: `tag ${word}`, text: word }))));
  }

  /** @param {Card["near"][number]} near */
  neighbour({ instance_id: id, centre_um }) {
    return el("button", {
      type: "button", class: "chip", title: `Go to #${id}, ${centre_um.toFixed(2)} µm away`,
      onclick: () => this.actions.visit(id),
    }, el("i", { style: `background:${this.state.css(id)}` }), `#${id}`, el("span", { class: "dim", text: ` ${centre_um.toFixed(2)} µm` }));
  }

  /** @param {Card} card */
  deeds(card) {
    const { state, api, actions } = this;
    const id = card.instance_id;
    const labels = /** @type {import("./types.js").LabelInfo} */ (state.labels);
    const button = (/** @type {string} */ text, /** @type {string} */ title, /** @type {() => void} */ onclick) =>
      el("button", { type: "button", class: "plain", title, onclick }, text);
    const file = (/** @type {string} */ text, /** @type {string} */ title, /** @type {string} */ href, /** @type {string} */ name) =>
      el("a", { class: "plain", href, download: name, title, text });
    const copy = async (/** @type {string} */ text, /** @type {string} */ what) => {
      try {
        await navigator.clipboard.writeText(text);
        actions.say(`${what} copied`);
      } catch {
        actions.say("The browser does not let this page copy");
      }
    };
    const stem = `${state.info.name}_${labels.name}_${id}`;
    return el("div", { class: "deeds" },
      button("Centre", "Bring it to the middle of all planes", () => state.goTo(card.centre)),
      button(state.solo ? "Show all" : "Solo", "Hide the others, or show them again (v)", () => state.set({ solo: !state.solo })),
      ...["glb", "ply", "stl"].map((kind) =>
        file(kind.toUpperCase(), `Its surface as ${kind.toUpperCase()}, in µm`, api.mesh(labels.name, id, labels.version, kind), `${stem}.${kind}`)),
      el("a", {
        class: "plain", href: api.neuroglancer(state.query()), target: "_blank", rel: "noopener",
        title: "This view in Neuroglancer, in a new tab", text: "Neuroglancer",
      }),
      file("CSV row", "Its row of the table", api.row(labels.name, id), `${stem}.csv`),
      button("Copy as Python", "Its measurements and surface, in Python", () => void copy(python(state, id), "Python")),
      button("Report label", "Copy a report of a label problem: link, place, numbers; and save a picture", () => {
        void copy(report(state, card), "Report");
        el("a", { href: api.figure("png", state.query(), 0), download: `${stem}.png` }).click();
      }),
    );
  }
}

/** @param {Card["measures"][number]} one */
function measure({ title, unit, value, larger_than: share }) {
  const percent = share === null ? null : Math.round(share * 100);
  return el("div", { class: "measure", title: percent === null ? "" : `larger than ${percent} % of complete instances` },
    el("span", { class: "dim", text: SHORT[title] ?? title, title }),
    el("span", { class: "value" }, formatNumber(value), el("small", { text: unit ? ` ${unit}` : "" })),
    el("span", { class: "rank" }, percent === null ? "" : el("i", { style: `width:${percent}%` })),
    el("span", { class: "dim percent", text: percent === null ? "" : `${percent} %` }));
}
