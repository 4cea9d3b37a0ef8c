// Images with patches removed. Every frame is in the view, so that the slider never waits for
// Python; the pictures are drawn here, each pixel a square, from one PNG a frame.

const SIDE = 200; // pixels of the page that a drawing is made for
const LINES = "rgba(127, 127, 127, 0.5)";
const HATCHING = "rgb(118, 118, 118)"; // the same as views/pixels.py

// Three decimals, or powers of ten for what is very large. The same as views/curve.py.
function three(value) {
  if (value < 1e6) return (value + 1e-7).toFixed(3);
  return Number(value.toPrecision(3)).toExponential().replace(/e\+(\d)$/, "e+0$1");
}

// Calls each(x, y) for the corner of every patch that was removed.
function removed(errors, patch, each) {
  errors.forEach((row, t) => row.forEach((e, s) => e !== null && each(s * patch, t * patch)));
}

// Hatching, and the page behind it, in place of the patches that were removed.
function hatch(context, shown, frame, patch, pixel) {
  const gone = new Path2D();
  removed(frame.errors, patch, (x, y) => gone.rect(x, y, patch, patch));
  context.save();
  context.clip(gone);
  context.clearRect(0, 0, shown.width, shown.height);
  context.strokeStyle = HATCHING;
  context.lineWidth = 1.5 * pixel;
  context.beginPath();
  for (let x = 0; x < shown.width + shown.height; x += 7 * pixel) {
    context.moveTo(x, 0);
    context.lineTo(x - shown.height, shown.height);
  }
  context.stroke();
  context.restore();
}

// Thin lines between the patches and around them all.
function lines(context, shown, patch, pixel) {
  context.fillStyle = LINES;
  for (let x = 0; x <= shown.width; x += patch) context.fillRect(x - pixel / 2, 0, pixel, shown.height);
  for (let y = 0; y <= shown.height; y += patch) context.fillRect(0, y - pixel / 2, shown.width, pixel);
}

// One picture: a canvas, its caption above it, and a frame around the patch that is looked at.
function panel(caption) {
  const inside = make("canvas", { role: "img" });
  const mark = make("div", { class: "mlm-mark", "aria-hidden": "true" });
  mark.hidden = true;
  const title = make("figcaption", {}, caption);
  const node = make("figure", { class: "mlm-panel" }, title, make("div", {}, inside, mark));
  return { node, title, inside, mark };
}

// Draws on a canvas in the pixels of the image; pixel is the size of one of the page's.
function paint({ inside }, shown, drawing) {
  const zoom = Math.ceil((SIDE * (window.devicePixelRatio || 1)) / Math.max(shown.width, shown.height));
  Object.assign(inside, { width: shown.width * zoom, height: shown.height * zoom });
  const context = inside.getContext("2d");
  context.imageSmoothingEnabled = false;
  context.scale(zoom, zoom);
  drawing(context, Math.max(shown.width, shown.height) / SIDE);
}

function draw(model, root, on) {
  const { title, images, ratios, patch, frame: first } = model.get("view");
  let [shown, at] = [images[0], first];
  let [grid, boxes, here, numbered] = [null, [], null, false];

  const pictures = new Map(); // by address, decoded before they are asked for
  for (const image of images) {
    for (const address of [image.original, ...image.frames.map((f) => f.restored)]) {
      pictures.set(address, Object.assign(new Image(), { src: address }));
    }
  }
  const original = panel("original");
  const seen = panel("what the encoder saw");
  const restored = panel("reconstruction");
  const errors = panel("error");
  const panels = [original, seen, restored, errors];

  const which = choice("Image", images.map((image, i) => [i, make("bdi", {}, image.name)]), (i) => {
    shown = images[i];
    build();
  });
  const slider = make("input", { type: "range", "aria-label": "Ratio of patches removed", min: 0, max: ratios.length - 1, step: 1, ...KEYS });
  const ratio = make("span", { "aria-hidden": "true" });
  const words = make("p", { class: "mlm-words", "aria-live": "polite" });
  const looked = make("p", { class: "mlm-words" }); // a focused box says it itself

  // Shows one patch in every panel, and says how far it is off; null shows none.
  function look(place) {
    for (const { mark } of panels) mark.hidden = !place;
    looked.textContent = "";
    if (!place) return;
    const [t, s] = place;
    const error = shown.frames[at].errors[t][s];
    const state = error === null ? "visible, no error is counted" : `removed, mean squared error ${three(error)}`;
    looked.textContent = `Row ${t + 1}, column ${s + 1}: ${state}.`;
    boxes[t][s].setAttribute("aria-label", looked.textContent);
    const [width, height] = [100 / boxes[0].length, 100 / boxes.length];
    const style = { left: s * width, top: t * height, width, height };
    for (const { mark } of panels) {
      for (const [name, share] of Object.entries(style)) mark.style[name] = `${share}%`;
    }
  }

  // The boxes of another image: one Tab stop, arrow keys inside.
  function build() {
    const columns = shown.width / patch;
    numbered = columns <= 4; // more have no room for numbers
    boxes = shown.frames[0].errors.map((row) => row.map(() => make("div", { role: "gridcell", tabindex: "-1", ...KEYS })));
    grid = make("div", { role: "grid", class: "mlm-patches" }, ...boxes.map((row) => make("div", { role: "row" }, ...row)));
    grid.style.gridTemplateColumns = `repeat(${columns}, 1fr)`;
    grid.style.aspectRatio = `${shown.width} / ${shown.height}`;
    const place = new Map(boxes.flatMap((row, t) => row.map((box, s) => [box, [t, s]])));
    here = null;
    roving(grid, boxes, (t, s, byUser) => {
      if (!byUser) return;
      here = [t, s];
      look(here);
    })(0, 0);
    grid.addEventListener("focusin", (event) => { here = place.get(event.target); look(here); });
    grid.addEventListener("mouseover", (event) => place.has(event.target) && look(place.get(event.target)));
    grid.addEventListener("mouseleave", () => look(here));
    errors.inside.replaceWith(grid);
    errors.inside = grid;
    repaint();
  }

  function repaint() {
    const frame = shown.frames[at];
    paint(original, shown, (context) => context.drawImage(pictures.get(shown.original), 0, 0));
    paint(seen, shown, (context, pixel) => {
      context.drawImage(pictures.get(shown.original), 0, 0);
      hatch(context, shown, frame, patch, pixel);
      lines(context, shown, patch, pixel);
    });
    paint(restored, shown, (context, pixel) => {
      context.drawImage(pictures.get(shown.original), 0, 0);
      context.drawImage(pictures.get(frame.restored), 0, 0);
      lines(context, shown, patch, pixel);
    });
    boxes.forEach((row, t) => row.forEach((box, s) => {
      const error = frame.errors[t][s];
      box.textContent = numbered && error !== null ? three(error).replace(/^0/, "") : "";
      box.style.backgroundColor = heat(error, shown.largest);
      box.classList.toggle("mlm-kept", error === null);
      box.setAttribute("aria-label", error === null ? "visible" : three(error));
    }));
    original.inside.setAttribute("aria-label", shown.alternative);
    seen.inside.setAttribute("aria-label", frame.alternatives.seen);
    restored.inside.setAttribute("aria-label", frame.alternatives.restored);
    grid.setAttribute("aria-label", frame.alternatives.errors);
    errors.title.textContent = `error, 0 to ${three(shown.largest)}`;
    slider.value = at;
    ratio.textContent = number(frame.ratio);
    slider.setAttribute("aria-valuetext", number(frame.ratio));
    words.textContent = frame.words;
    look(here);
  }

  slider.addEventListener("input", () => {
    at = Number(slider.value);
    repaint();
  });
  which.set(0);
  const controls = make("div", { class: "mlm-controls" });
  if (images.length > 1) controls.append(which.node);
  if (ratios.length > 1) {
    controls.append(make("div", { class: "mlm-field" }, make("span", {}, "Ratio"), slider, ratio));
  }
  if (title) root.append(make("strong", {}, title));
  const pairs = [[original, seen], [restored, errors]].map((pair) => make("div", {}, ...pair.map((p) => p.node)));
  const legend = "Hatched: removed, not seen by the encoder. Dot: visible, so no error is counted.";
  root.append(controls, make("div", { class: "mlm-images" }, ...pairs), words, looked, make("small", {}, legend));
  build();
  Promise.allSettled([...pictures.values()].map((picture) => picture.decode())).then(repaint);
}

export default widget(draw);
