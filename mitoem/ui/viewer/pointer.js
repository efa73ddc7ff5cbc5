/** Mouse, pen and fingers on a slice pane: drag, click, double click, wheel, pinch. */

/** @import { Slice } from "./slice.js" */
/** @import { Viewer } from "./viewer.js" */

const STILL = 4; // CSS pixels that a click may wander
const NOTCH = 40; // wheel distance of one section; a mouse notch is 100 or more
const LINE = 33; // pixels of one wheel "line"

/** @param {HTMLElement} pane @param {Slice} slice @param {Viewer} viewer */
export function listenToPointer(pane, slice, viewer) {
  /** @type {Map<number, {x: number, y: number}>} */
  const down = new Map();
  let start = { x: 0, y: 0 };
  let moved = false;
  let wheeled = 0;

  const at = (/** @type {MouseEvent} */ event) => {
    const box = pane.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };

  pane.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || /** @type {HTMLElement} */ (event.target).closest("button")) return;
    viewer.root.focus({ preventScroll: true });
    viewer.state.activate(slice.axis);
    pane.setPointerCapture(event.pointerId);
    down.set(event.pointerId, at(event));
    viewer.state.gripped = true;
    if (down.size === 1) {
      start = at(event);
      moved = false;
    } else {
      moved = true;
    }
  });

  pane.addEventListener("pointermove", (event) => {
    const place = at(event);
    const last = down.get(event.pointerId);
    if (!last) {
      viewer.point(slice, place);
      return;
    }
    if (down.size === 1) {
      if (!moved && Math.hypot(place.x - start.x, place.y - start.y) < STILL) return;
      const from = moved ? last : start;
      moved = true;
      pane.classList.add("dragging");
      viewer.drag(slice, from.x - place.x, from.y - place.y);
    } else {
      const [other] = [...down].filter(([id]) => id !== event.pointerId).map(([, p]) => p);
      const before = Math.hypot(last.x - other.x, last.y - other.y);
      const after = Math.hypot(place.x - other.x, place.y - other.y);
      viewer.drag(slice, (last.x - place.x) / 2, (last.y - place.y) / 2);
      viewer.zoom(after / Math.max(1, before), { slice, x: (place.x + other.x) / 2, y: (place.y + other.y) / 2 });
    }
    down.set(event.pointerId, place);
  });

  const end = (/** @type {PointerEvent} */ event) => {
    if (!down.delete(event.pointerId)) return;
    viewer.state.gripped = down.size > 0;
    pane.classList.remove("dragging");
    if (!moved && event.type === "pointerup") viewer.click(slice, at(event));
  };
  pane.addEventListener("pointerup", end);
  pane.addEventListener("pointercancel", end);
  pane.addEventListener("pointerleave", () => viewer.point(null, { x: 0, y: 0 }));

  pane.addEventListener("dblclick", (event) => {
    event.preventDefault();
    if (viewer.ruler.on || /** @type {HTMLElement} */ (event.target).closest("button")) return;
    void viewer.visits.pick(slice, at(event), event.shiftKey);
  });

  pane.addEventListener("wheel", (event) => {
    event.preventDefault();
    const travel = (event.deltaY || event.deltaX) * (event.deltaMode === 1 ? LINE : 1);
    if (event.ctrlKey || event.metaKey) {
      const gentle = Math.max(-60, Math.min(60, travel));
      viewer.zoom(Math.exp(-gentle * 0.006), { slice, ...at(event) });
      return;
    }
    viewer.state.activate(slice.axis);
    wheeled = Math.sign(travel) === Math.sign(wheeled) ? wheeled + travel : travel;
    if (Math.abs(wheeled) < NOTCH) return;
    wheeled = 0;
    viewer.state.step(slice.axis, Math.sign(travel) * (event.shiftKey ? 10 : 1));
  }, { passive: false });
}
