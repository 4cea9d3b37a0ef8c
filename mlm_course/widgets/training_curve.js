// A training as it runs: Python draws, the page changes the picture in its place.

const HIDDEN = "position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap";
const QUIET = 10000; // milliseconds between two sentences of a screen reader

// In a page without Python: a line that follows the pointer and the keys, and what the curves say there.
function reader(image, { x, top, bottom, readings }) {
  const node = make("div", { class: "mlm-reading" });
  if (!readings.length) return { node, above: image };
  const line = make("div", { class: "mlm-reader", "aria-hidden": "true" });
  const above = make("div", { class: "mlm-curve" }, image, line);
  const words = make("p", { class: "mlm-words", "aria-hidden": "true" }); // the slider says it
  const slider = make("input", { type: "range", min: 0, max: readings.length - 1, step: 1, "aria-label": x, ...KEYS });
  Object.assign(line.style, { top: `${100 * top}%`, bottom: `${100 * bottom}%` });

  function show(place) {
    const [across, sentence] = readings[place];
    line.style.left = `${100 * across}%`;
    slider.value = place;
    slider.setAttribute("aria-valuetext", sentence);
    words.textContent = sentence;
  }

  function follow({ clientX }) {
    const { left, width } = image.getBoundingClientRect();
    const away = readings.map(([across]) => Math.abs(across - (clientX - left) / width));
    show(away.indexOf(Math.min(...away)));
  }
  above.addEventListener("pointermove", follow);
  above.addEventListener("pointerdown", follow);
  slider.addEventListener("input", () => show(Number(slider.value)));
  node.append(make("label", {}, x, slider), words);
  show(readings.length - 1);
  return { node, above };
}

function render({ model, el }) {
  const title = make("strong");
  const image = make("img", { style: "display:block;width:100%;max-width:640px;height:auto" });
  const status = make("p", { class: "mlm-words" });
  const words = make("div", { class: "mlm-words", style: "font-size:12px;white-space:pre-line" });
  const said = make("div", { "aria-live": "polite", style: HIDDEN });
  const lost = make("div", { class: "mlm-note", role: "status" });
  const root = make("div", { class: "mlm mathjax_ignore tex2jax_ignore", style: "position:relative" },
    title, image, status, lost, words, said);
  if (stored(model)) {
    const { node, above } = reader(image, stored(model));
    title.after(above, node);
  }

  function repaint() {
    const view = model.get("view");
    if (view.gone) return el.replaceChildren(); // the static picture has taken over
    title.textContent = view.title;
    if (image.src !== view.image) image.src = view.image; // the old picture stays until this one is there
    image.alt = view.alternative;
    words.textContent = view.summary;
    status.textContent = model.get("status_text");
    lost.textContent = "";
    wait();
  }

  // JupyterLab marks the widgets of a kernel that was restarted; that of a training that ended needs none.
  function check() {
    const gone = el.classList.contains("jupyter-widgets-disconnected") && model.get("view").open;
    lost.textContent = gone ? "Python was restarted: no more points will come. Run this cell again." : "";
  }

  let timer = null;
  function wait() {
    timer ??= setTimeout(() => {
      timer = null;
      said.textContent = status.textContent;
    }, QUIET);
  }

  const events = ["change:view", "change:status_text"];
  events.forEach((event) => model.on(event, repaint));
  const later = () => setTimeout(check); // after JupyterLab's own mark
  model.on("comm_live_update", later);
  el.replaceChildren(root);
  repaint();
  check();
  return () => {
    clearTimeout(timer);
    model.off("comm_live_update", later);
    events.forEach((event) => model.off(event, repaint));
  };
}

export default { render };
