/**
 * Between Streamlit and the viewer. Streamlit calls `attach` once per mount and again whenever the
 * data changes; the viewer lives on, and only a new nonce makes it take a view from Python.
 */

/** @import { Wish } from "./types.js" */
import { Api } from "./api.js";
import { el } from "./dom.js";
import { Viewer } from "./viewer.js";

/**
 * @typedef {object} Data
 * @property {string} base
 * @property {string} version of the volume's metadata: a change of it is another volume
 * @property {number} nonce
 * @property {Wish} view
 * @property {[string, string][]} columns name and title of what instances may be coloured by
 * @property {boolean} all whether 3-D begins with all instances
 *
 * @typedef {object} Component  What Streamlit passes.
 * @property {Data} data
 * @property {ShadowRoot | HTMLElement} parentElement
 * @property {(name: string, value: any) => void} setStateValue
 *
 * @typedef {object} Mount
 * @property {number} turn  Counts the calls, of which the last one holds.
 * @property {string} key
 * @property {number} nonce
 * @property {Viewer | null} viewer
 * @property {Component} component
 */

/** @type {WeakMap<Node, Mount>} */
const mounts = new WeakMap();

/**
 * A changed style sheet makes Streamlit draw the HTML anew: the old viewer's root is gone then.
 * @param {Component} component @returns {Promise<() => void>} takes the viewer down
 */
export async function attach(component) {
  const { data, parentElement } = component;
  const root = /** @type {HTMLElement} */ (parentElement.querySelector(".viewer"));
  const key = `${data.base} ${data.view.volume} ${data.version}`;
  const mount = mounts.get(parentElement) ?? { turn: 0, key: "", nonce: -1, viewer: null, component };
  mounts.set(parentElement, mount);
  mount.turn += 1;
  mount.component = component;
  const { turn } = mount;
  if (mount.key !== key || mount.viewer?.root !== root) {
    mount.viewer?.destroy();
    mount.viewer = null;
    mount.key = key;
    await open(root, mount, turn);
  } else if (mount.nonce !== data.nonce) {
    mount.nonce = data.nonce;
    mount.viewer.apply(data.view);
  }
  // Streamlit also calls this for a call that a newer one has overtaken: the page still stands then.
  return () => {
    if (turn !== mount.turn || root.isConnected) return;
    mount.viewer?.destroy();
    mount.viewer = null;
    mounts.delete(parentElement);
  };
}

/** @param {HTMLElement} root @param {Mount} mount @param {number} turn */
async function open(root, mount, turn) {
  const { data } = mount.component;
  const api = new Api(data.base, data.view.volume);
  try {
    const info = await api.info();
    if (turn !== mount.turn) return;
    mount.nonce = data.nonce;
    root.classList.toggle("bare", data.all);
    mount.viewer = new Viewer(root, api, info, data.view, (report) => {
      mount.component.setStateValue("view", { ...report, n: mount.nonce });
    }, data.columns);
    if (data.all) mount.viewer.scene.showAll();
    /** @type {any} */ (root).viewer = mount.viewer;
  } catch (error) {
    const again = el("button", { type: "button", class: "plain", text: "Try again", onclick: () => void open(root, mount, turn) });
    root.replaceChildren(el("div", { class: "trouble", role: "alert" },
      el("b", { text: "The volume could not be opened" }),
      el("span", { text: error instanceof Error ? error.message : String(error) }), again));
  }
}
