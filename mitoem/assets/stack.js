/**
 * Panes of one stack of sections: grey with labels laid over it, scrubbed in z by wheel or slider.
 * Sections come as sheets (one picture that holds all of them in a grid), so that scrubbing asks
 * the server for nothing.
 */
const states = new WeakMap();

export default function (component) {
  const { parentElement, data } = component;
  const root = parentElement.querySelector(".stack");
  const state = states.get(root) ?? { z: Math.floor(data.count / 2), opacity: 0.45, serial: 0 };
  states.set(root, state);
  state.z = Math.min(state.z, data.count - 1);
  const serial = ++state.serial;
  const load = (url) => new Promise((resolve, reject) => {
    const image = new Image();
    image.onload = () => resolve(image);
    image.onerror = () => reject(new Error("a sheet of sections did not load"));
    image.src = url;
  });
  Promise.all([data.grey, ...data.layers.map((layer) => layer.sheet)].map(load)).then((images) => {
    if (serial === state.serial) build(root, state, data, images);
  });
  return () => { state.serial += 1; };
}

function build(root, state, data, [grey, ...sheets]) {
  const make = (tag, parent, properties = {}) => {
    const element = Object.assign(document.createElement(tag), properties);
    parent.append(element);
    return element;
  };
  const panes = document.createElement("div");
  panes.className = "panes";
  const canvases = data.layers.map((layer) => {
    const figure = make("figure", panes);
    make("figcaption", figure, { textContent: layer.title });
    return make("canvas", figure, { width: data.width, height: data.height });
  });
  const bar = document.createElement("div");
  bar.className = "bar";
  make("label", bar, { textContent: "z" });
  const slider = make("input", bar, {
    type: "range", min: "0", max: String(data.count - 1), value: String(state.z), className: "z",
    ariaLabel: "section",
  });
  const readout = make("output", bar);
  make("label", bar, { textContent: "labels" });
  const opacity = make("input", bar, {
    type: "range", min: "0", max: "100", value: String(state.opacity * 100), className: "opacity",
    ariaLabel: "label opacity",
  });
  const draw = () => {
    const column = state.z % data.columns;
    const row = Math.floor(state.z / data.columns);
    const from = [column * data.width, row * data.height, data.width, data.height];
    const to = [0, 0, data.width, data.height];
    canvases.forEach((canvas, n) => {
      const pen = canvas.getContext("2d");
      pen.globalAlpha = 1;
      pen.drawImage(grey, ...from, ...to);
      pen.globalAlpha = state.opacity;
      pen.drawImage(sheets[n], ...from, ...to);
    });
    const z = data.start + state.z * data.step;
    readout.textContent = `${z} · ${(z * data.nm / 1000).toFixed(2)} µm`;
    slider.value = String(state.z);
    root.dataset.z = String(z);
  };
  slider.oninput = () => { state.z = Number(slider.value); draw(); };
  opacity.oninput = () => { state.opacity = Number(opacity.value) / 100; draw(); };
  panes.onwheel = (event) => {
    event.preventDefault();
    const by = Math.sign(event.deltaY);
    state.z = Math.min(Math.max(state.z + by, 0), data.count - 1);
    draw();
  };
  slider.onkeydown = (event) => event.stopPropagation();
  root.replaceChildren(panes, bar);
  root.dataset.ready = data.key;
  draw();
}
