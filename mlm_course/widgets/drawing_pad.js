// A pad to draw a digit on, by pointer or by keys, and beside it the pictures that Python makes of it;
// in a page without Python, drawn_ink.js makes them.

const STEP = 2; // pixels of the pad that a key moves the cursor by
const NEAR = 0.4; // pixels; a point no farther from the last one is left out
const LATE = 300; // milliseconds after which the pictures beside are shown to be out of date
const MOVES = {
  ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1],
  Home: [-1, -1], PageUp: [1, -1], End: [-1, 1], PageDown: [1, 1], // as on a block of digits
};

const between = (value, low, high) => Math.min(Math.max(value, low), high);

// Distance of a point from a straight line between two points. The same as in views/ink.py.
function distance([x, y], [ax, ay], [bx, by]) {
  const [dx, dy] = [bx - ax, by - ay];
  const along = between(((x - ax) * dx + (y - ay) * dy) / Math.max(dx * dx + dy * dy, 1e-9), 0, 1);
  return Math.hypot(x - ax - along * dx, y - ay - along * dy);
}

// Ink of a picture of so many pixels a side, 0 to 1, with a line drawn on it by a soft brush.
function drawLine(ink, { side, radius, fade }, from, to) {
  for (let i = 0; i < ink.length; i++) {
    const middle = [(i % side) + 0.5, Math.floor(i / side) + 0.5];
    ink[i] = Math.max(ink[i], between(radius + fade - distance(middle, from, to), 0, 1));
  }
}

function drawStroke(ink, brush, stroke) {
  stroke.forEach((point, i) => drawLine(ink, brush, stroke[Math.max(i - 1, 0)], point));
}

// Shows ink on a canvas: black on paper that is white on dark pages too.
function showInk(canvas, ink, side) {
  const context = canvas.getContext("2d");
  const shown = context.createImageData(side, side);
  ink.forEach((value, i) => shown.data.set([...Array(3).fill(Math.round(255 * (1 - value))), 255], 4 * i));
  context.putImageData(shown, 0, 0);
}

// The pictures that Python made, each under its name.
function showPictures(node, pictures) {
  node.replaceChildren(...pictures.map(({ name, source, said }) => {
    const image = make("img", { class: "mlm-image mlm-closed", alt: said, src: source });
    return make("figure", { class: "mlm-panel" }, make("figcaption", { dir: "auto" }, name), image);
  }));
}

function draw(model, root, on) {
  const { title, side, box, start, most, ...brush } = model.get("view");
  const cells = side / STEP;
  const python = connection(model, on);
  const id = `mlm-${Math.random().toString(36).slice(2)}`;
  const canvas = make("canvas", {
    width: side, height: side, tabindex: "0", role: "application", "aria-roledescription": "drawing pad",
    "aria-label": title || "Draw a digit", "aria-describedby": id, ...KEYS,
  });
  const cursor = make("div", { class: "mlm-cursor", "aria-hidden": "true" });
  const frame = make("div", { class: "mlm-frame", "aria-hidden": "true" });
  const pad = make("div", { class: "mlm-pad" }, canvas, frame, cursor);
  const clear = make("button", { type: "button", ...KEYS }, "Clear");
  const words = make("p", { class: "mlm-words", "aria-live": "polite" });
  const error = make("p", { class: "mlm-error", role: "alert" });
  const beside = make("div", { class: "mlm-beside-pad" });
  let ink = [];
  let stroke = null; // the one under way: its points [x, y]
  let [byKeys, row, column] = [false, cells / 2 - 1, cells / 2 - 1];
  let late = null;

  Object.assign(frame.style, { inset: `${(50 * (side - box)) / side}%` });
  cursor.style.width = `${(100 * STEP) / side}%`;

  // What lies on the pad, in a sentence; the same as in drawing_pad.py.
  function told() {
    const n = model.get("strokes").length;
    const parts = [model.get("with_picture") ? "a given picture" : "", n ? `${n} stroke${n === 1 ? "" : "s"}` : ""];
    return `On the pad: ${parts.filter(Boolean).join(" and ") || "nothing yet"}.`;
  }

  function repaint() {
    ink = start.map((shade) => (model.get("with_picture") ? shade / 255 : 0));
    for (const done of model.get("strokes")) drawStroke(ink, { side, ...brush }, done);
    if (stroke) drawStroke(ink, { side, ...brush }, stroke);
    showInk(canvas, ink, side);
  }

  function follow() {
    repaint();
    words.textContent = told();
  }

  function showAnswer() {
    showPictures(beside, model.get("pictures"));
    error.textContent = model.get("error");
    clearTimeout(late);
    const isOld = () => beside.classList.toggle("mlm-old", model.get("answered") !== model.get("asked"));
    late = setTimeout(isOld, LATE);
    if (model.get("answered") === model.get("asked")) isOld();
  }

  const kept = stored(model);
  on("msg:custom", ({ answer }, buffers) => {
    if (answer === "weights" && kept) maes.set(kept, loadImageMAE(buffers[0]));
  });

  function change(traits) { // of which Python makes new pictures
    if (kept?.names && !maes.has(kept)) message(model, { ask: "weights" }); // answered before the question
    send(model, { ...traits, asked: model.get("asked") + 1 });
    python.ask();
    showAnswer();
    follow();
  }

  function add(point) {
    const [x, y] = stroke?.at(-1) ?? [Infinity, Infinity];
    if (Math.hypot(point[0] - x, point[1] - y) <= NEAR) return;
    if (model.get("strokes").flat().length + (stroke?.length ?? 0) >= most) {
      words.textContent = "There is no more ink: clear the pad.";
      return;
    }
    stroke = [...(stroke ?? []), point];
    drawLine(ink, { side, ...brush }, stroke.at(-2) ?? point, point);
    showInk(canvas, ink, side);
  }

  function lift() {
    if (stroke) {
      const done = stroke;
      stroke = null;
      change({ strokes: [...model.get("strokes"), done] });
    }
    showCursor();
  }

  function erase() {
    stroke = null;
    change({ strokes: [], with_picture: false });
    showCursor();
  }

  // ---- by pointer

  function place({ clientX, clientY }) {
    const { left, top, width } = canvas.getBoundingClientRect();
    const onPad = (pixels) => Math.round(between((pixels / width) * side, 0, side) * 10) / 10;
    return [onPad(clientX - left), onPad(clientY - top)];
  }
  let pointer = null; // the one that draws
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || pointer !== null) return;
    lift();
    byKeys = false;
    showCursor();
    pointer = event.pointerId;
    canvas.setPointerCapture(pointer);
    add(place(event));
  });
  canvas.addEventListener("pointermove", (event) => {
    if (event.pointerId !== pointer) return;
    const all = event.getCoalescedEvents?.() ?? [];
    (all.length ? all : [event]).forEach((one) => add(place(one)));
  });
  canvas.addEventListener("lostpointercapture", (event) => { // lifted, or taken away
    if (event.pointerId !== pointer) return;
    pointer = null;
    lift();
  });

  // ---- by keys

  const at = () => [column * STEP + STEP / 2, row * STEP + STEP / 2];

  function showCursor() {
    cursor.hidden = !byKeys;
    cursor.classList.toggle("mlm-down", stroke !== null);
    Object.assign(cursor.style, { left: `${(100 * column) / cells}%`, top: `${(100 * row) / cells}%` });
  }

  function sayPlace() {
    words.textContent = `Row ${row + 1}, column ${column + 1} of ${cells}, pen ${stroke ? "down" : "up"}.`;
  }

  function press(key) {
    if (MOVES[key]) {
      const [across, down] = MOVES[key];
      column = between(column + across, 0, cells - 1);
      row = between(row + down, 0, cells - 1);
      if (stroke) add(at());
      showCursor();
      sayPlace();
    } else if (key === "Delete" || key === "Backspace") erase();
    else if (stroke) {
      lift();
      words.textContent = `Pen up. ${told()}`;
    } else {
      add(at());
      showCursor();
      sayPlace();
    }
  }
  canvas.addEventListener("keydown", (event) => {
    const { key, ctrlKey, altKey, metaKey, shiftKey } = event;
    const known = MOVES[key] || ["Delete", "Backspace", " ", "Enter"].includes(key);
    if (!known || ctrlKey || altKey || metaKey || shiftKey || pointer !== null) return;
    event.preventDefault();
    byKeys = true;
    if (!(event.repeat && !MOVES[key])) press(key);
  });
  canvas.addEventListener("focus", () => {
    byKeys = canvas.matches(":focus-visible");
    showCursor();
  });
  canvas.addEventListener("blur", () => {
    byKeys = false;
    if (pointer === null) lift();
  });
  clear.addEventListener("click", erase);

  for (const name of ["strokes", "with_picture"]) on(`change:${name}`, follow);
  for (const name of ["pictures", "error", "answered"]) on(`change:${name}`, showAnswer);
  on("leave", () => clearTimeout(late));

  if (title) root.append(make("strong", {}, title));
  const hint = make("small", { class: "mlm-hint", id },
    "Draw with mouse, pen or finger. Or by keys: arrows move (Home, Page up, End, Page down: aslant), "
    + "Space puts the pen down and lifts it, Delete clears. A digit is brought to the size of the dashed box.");
  const left = make("div", { class: "mlm-drawn" }, pad, make("div", { class: "mlm-field" }, clear), words);
  const limit = make("small", { class: "mlm-hint" }, "Here your drawing is centred. The notebook shows what the model makes of it.");
  const limits = kept && !kept.restores ? [limit] : [];
  root.append(make("div", { class: "mlm-parts" }, left, beside), python.node, error, ...limits, hint);
  follow();
  showAnswer();
  showCursor();
}

export default widget(draw);
