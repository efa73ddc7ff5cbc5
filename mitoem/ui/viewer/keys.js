/**
 * Keys, while the viewer has the focus. Every key event ends here: Streamlit listens on the
 * document, where `r` runs the page again and `c` clears its caches.
 */

/** @import { Viewer } from "./viewer.js" */
import { actionFor } from "./actions.js";

/** @param {HTMLElement} root @param {Viewer} viewer @returns {() => void} takes the listeners off */
export function listenToKeys(root, viewer) {
  const down = (/** @type {KeyboardEvent} */ event) => {
    event.stopPropagation();
    const target = /** @type {HTMLElement} */ (event.target);
    if (event.key === "Escape") {
      if (!viewer.close()) viewer.state.clear();
      root.focus({ preventScroll: true });
      return;
    }
    if (target.matches("input, textarea, select")) return;
    if (target.closest("button, [role=slider]") && [" ", "Enter"].includes(event.key)) return;
    if (target.matches("[role=slider]") && event.key.startsWith("Arrow")) return;
    const action = actionFor(event);
    if (!action) return;
    event.preventDefault();
    if (action.release && event.repeat) return;
    action.run(viewer, event);
  };
  const up = (/** @type {KeyboardEvent} */ event) => {
    event.stopPropagation();
    actionFor(event)?.release?.(viewer);
  };
  const left = () => viewer.state.held && viewer.state.set({ held: false });
  root.addEventListener("keydown", down);
  root.addEventListener("keyup", up);
  root.addEventListener("keypress", (event) => event.stopPropagation());
  root.addEventListener("focusout", left);
  window.addEventListener("blur", left);
  return () => window.removeEventListener("blur", left);
}
