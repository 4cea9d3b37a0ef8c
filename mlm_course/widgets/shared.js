// Stands in front of every widget's own file, so that nothing has to be imported.
// Data reaches the page as text nodes and attributes only, never as HTML.

const BLUE = "43, 123, 186";
const RUST = "193, 87, 27";

// JupyterLab takes keys away from a widget unless the focused element itself says this.
const KEYS = { "data-lm-suppress-shortcuts": "true" };

// Hands Run, Save and Esc back to the cell: KEYS keeps them from JupyterLab with all the letters (dd, b, m).
function handBack(event) {
  const cell = event.target.closest(".jp-Cell");
  const modified = event.ctrlKey || event.metaKey;
  const saves = modified && event.key.toLowerCase() === "s";
  const runs = event.key === "Enter" && (modified || event.shiftKey || event.altKey);
  const leaves = event.key === "Escape" && !event.currentTarget.hasAttribute("data-clears"); // Esc has no other use
  if (!cell || !(saves || runs || leaves)) return;
  event.preventDefault();
  event.stopPropagation();
  if (!saves) cell.focus();
  const { key, code, keyCode, ctrlKey, metaKey, shiftKey, altKey } = event;
  const pressed = { key, code, keyCode, ctrlKey, metaKey, shiftKey, altKey, bubbles: true, cancelable: true };
  cell.dispatchEvent(new KeyboardEvent("keydown", pressed));
}

// An element with attributes; strings among the children become text.
function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

// A token inside a sentence: one that runs from right to left does not turn what follows it.
const apart = (token) => make("bdi", {}, token);

// Two decimals with a real minus sign; null is minus infinity. The same as views/text.py.
function number(value) {
  if (value === null) return "\u2212\u221e";
  const digits = (Math.abs(value) + 1e-6).toFixed(2);
  return (value < 0 && Number(digits) > 0 ? "\u2212" : "") + digits;
}

const largest = (rows) => Math.max(0, ...rows.flat().map((x) => Math.abs(x ?? 0)));

// Colour of a number: blue above zero, rust below. The same as views/style.py.
function heat(value, top) {
  const strength = top && value !== null ? Math.round((Math.abs(value) / top) * 20) / 20 : 0;
  return strength ? `rgba(${value > 0 ? BLUE : RUST}, ${strength})` : "";
}

// One picture behind all small boxes: changing a thousand elements takes longer than a frame.
// Returns paint(row, column, colour, closed).
function backdrop(boxes, size = 16) {
  const [width, height] = [boxes[0].length * size, boxes.length * size];
  const zoom = Math.ceil(window.devicePixelRatio || 1);
  const canvas = make("canvas", { class: "mlm-backdrop", "aria-hidden": "true", width: width * zoom, height: height * zoom });
  canvas.style.width = `${width}px`;
  boxes[0][0].append(canvas);
  const context = canvas.getContext("2d");
  context.scale(zoom, zoom);
  context.strokeStyle = "rgba(127, 127, 127, 0.5)";
  return (t, s, colour, closed) => {
    const [x, y] = [s * size, t * size];
    context.clearRect(x, y, size, size);
    context.fillStyle = colour;
    if (colour && !closed) context.fillRect(x, y, size, size);
    if (!closed) return;
    context.beginPath();
    for (const [a, b] of [[0, 0.5], [0, 1], [0.5, 1]]) { // three strokes, rising to the right
      context.moveTo(x + a * size, y + b * size);
      context.lineTo(x + b * size, y + a * size);
    }
    context.stroke();
  };
}

// A group of radio buttons; options are [value, content...] and content is text or elements.
let groups = 0;
function choice(legend, options, onChoose) {
  const name = `mlm-${++groups}-${Math.random().toString(36).slice(2)}`;
  const inputs = new Map();
  const labels = options.map(([value, ...content]) => {
    const input = make("input", { type: "radio", name, ...KEYS });
    input.addEventListener("change", () => onChoose(value));
    inputs.set(value, input);
    return make("label", {}, input, make("span", {}, ...content));
  });
  const node = make("fieldset", { class: "mlm-choice" }, make("legend", {}, legend), ...labels);
  return { node, set: (value) => inputs.get(value) && (inputs.get(value).checked = true) };
}

// One Tab stop for many elements; arrow keys, Home and End move inside. rows is a list of lists.
// onMove(row, column, byUser) runs at each move. Returns go(row, column) for the program.
function roving(root, rows, onMove) {
  let current = null;
  let [row, column] = [0, 0];
  const place = new Map(rows.flatMap((r, i) => r.map((node, j) => [node, [i, j]])));
  const isDeaf = Object.entries(KEYS); // on all: a press of the mouse that is no click brings the focus, too
  for (const node of place.keys()) isDeaf.forEach((pair) => node.setAttribute(...pair));
  const clamp = (x, size) => Math.min(Math.max(x, 0), size - 1);

  function go(toRow, toColumn, byUser = false) {
    row = clamp(toRow, rows.length);
    column = clamp(toColumn, rows[row].length);
    current?.setAttribute("tabindex", "-1");
    current = rows[row][column];
    current.setAttribute("tabindex", "0");
    onMove(row, column, byUser);
    if (byUser) current.focus();
  }

  const line = rows.length === 1; // in a strip, up and down are the neighbours too
  const steps = {
    ArrowRight: () => [row, column + 1],
    ArrowLeft: () => [row, column - 1],
    ArrowDown: () => (line ? [row, column + 1] : [row + 1, column]),
    ArrowUp: () => (line ? [row, column - 1] : [row - 1, column]),
    Home: () => [row, 0],
    End: () => [row, Infinity],
  };
  root.addEventListener("keydown", (event) => {
    if (!steps[event.key] || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    go(...steps[event.key](), true);
  });
  root.addEventListener("click", (event) => {
    for (let node = event.target; node !== root; node = node.parentNode) {
      if (place.has(node)) return go(...place.get(node), true);
    }
  });
  return go;
}

// A matrix too large for boxes: an image with a sentence.
function picture({ alternative, source, said }) {
  const image = make("img", { class: "mlm-image", alt: alternative, src: source });
  return make("figure", { class: "mlm-large" }, image, make("figcaption", {}, said));
}

// Table of boxes with labels; boxes[row][column] are its cells. across says what the columns are.
function matrix(rows, columns, name, across = "key") {
  const small = columns.length > 20;
  const long = small || columns.some((c) => c.length > 6);
  const boxes = rows.map(() => columns.map(() => make("td", { tabindex: "-1" })));
  const head = columns.map((c) => make("th", { scope: "col", title: c }, make("span", { dir: "auto" }, c)));
  const heads = rows.map((r) => make("th", { scope: "row", title: r }, make("span", { dir: "auto" }, r)));
  const lines = boxes.map((line, t) => make("tr", {}, heads[t], ...line));
  const top = make("thead", {}, make("tr", {}, make("td", {}, `${across} \u2192`, make("br"), "query \u2193"), ...head));
  const table = make("table", { role: "grid", "aria-label": name }, top, make("tbody", {}, ...lines));
  table.className = `mlm-matrix ${small ? "mlm-small" : ""} ${long ? "mlm-long" : ""}`;
  const node = make("div", { class: "mlm-scroll" }, table);
  const uncover = () => { // a box with the focus does not lie under the heads that stay
    node.style.scrollPadding = `${top.offsetHeight}px 0 0 ${heads[0].offsetWidth}px`;
  };
  table.addEventListener("focusin", uncover);
  return { node, table, boxes, lines, small };
}

// A few words beside the box that is pointed at, inside root. Returns tip(box, text); null hides it.
function tooltip(root) {
  const node = make("div", { class: "mlm-tip", "aria-hidden": "true" });
  node.hidden = true;
  root.append(node);
  return (box, ...text) => {
    node.hidden = !box;
    if (!box) return;
    node.replaceChildren(...text);
    const [at, all] = [box.getBoundingClientRect(), root.getBoundingClientRect()];
    const left = Math.min(at.right - all.left + 4, all.width - node.offsetWidth);
    Object.assign(node.style, { left: `${Math.max(left, 0)}px`, top: `${at.bottom - all.top + 4}px` });
  };
}

// Words beside the box of a matrix that is pointed at. A click, Enter or Space holds them; the same again, or
// Esc, lets go. words(t, s) are told; look(t, s) runs at what is pointed at while nothing is held, and rest()
// where the pointer leaves.
function holding(root, { node, table, boxes }, words, look, rest) {
  const tip = tooltip(root);
  let held = null;

  function tell(spot) {
    if (!spot) return tip(null);
    const box = boxes[spot[0]][spot[1]];
    const [at, all] = [box.getBoundingClientRect(), node.getBoundingClientRect()];
    const isSeen = at.right > all.left && at.left < all.right && at.bottom > all.top && at.top < all.bottom;
    return isSeen ? tip(box, ...words(...spot)) : tip(null);
  }

  function hold(spot) {
    if (held) boxes[held[0]][held[1]].classList.remove("mlm-held");
    held = spot;
    if (held) boxes[held[0]][held[1]].classList.add("mlm-held");
    tell(held);
  }
  const toggle = (spot) => hold(String(spot) === String(held) ? null : spot);
  const box = (event) => event.target.closest("tbody td");

  table.addEventListener("click", (event) => box(event) && toggle(under(event)));
  table.addEventListener("keydown", (event) => {
    const modified = event.ctrlKey || event.altKey || event.metaKey || event.shiftKey;
    if (![" ", "Enter"].includes(event.key) || modified || !box(event)) return;
    event.preventDefault();
    toggle(under(event));
  });
  root.addEventListener("keydown", (event) => event.key === "Escape" && held && hold(null), true); // as handBack
  table.addEventListener("mouseover", (event) => {
    const spot = under(event);
    tell(box(event) ? spot : held);
    if (spot && !held) look(...spot);
  });
  table.addEventListener("mouseleave", () => {
    tell(held);
    rest();
  });
  node.addEventListener("scroll", () => tell(held));
  return { refresh: () => held && tell(held), letGo: () => hold(null) };
}

// [row, column] of the box or row label under an event, or null.
function under(event) {
  const box = event.target.closest?.("td, th");
  const line = box?.closest("tbody tr");
  return line ? [line.sectionRowIndex, Math.max(box.cellIndex - 1, 0)] : null;
}

// Sets traits, here (which fires change events) and in Python, where there is one.
function send(model, traits) {
  for (const [name, value] of Object.entries(traits)) model.set(name, value);
  model.save_changes();
}

const PATIENCE = 3000; // milliseconds that Python may take to answer
const SILENT = "Python does not answer. While a cell runs, it has no time: wait for it. Otherwise it was "
  + "restarted or shut down: run this cell again (Shift+Enter).";

// Sends Python a message. A line that a restart has cut throws; the silence that follows is told of below.
function message(model, content) {
  try {
    model.send(content);
  } catch (problem) {
    console.warn(problem);
  }
}

// Asks Python whether it is there, and says where it is not: a kernel that was restarted, or is
// gone, does not know this widget and would leave every click without a word. silent() runs then.
function connection(model, on, silent = () => {}) {
  const node = make("p", { class: "mlm-note", role: "status" });
  let timer = null;
  function ask() {
    clearTimeout(timer);
    timer = setTimeout(() => {
      node.textContent = SILENT;
      silent();
    }, PATIENCE);
    message(model, { ask: "here?" });
  }
  on("msg:custom", () => {
    clearTimeout(timer);
    node.textContent = "";
  });
  on("comm_live_update", ask);
  on("leave", () => clearTimeout(timer));
  ask();
  return { node, ask };
}

// What a page without Python was given to answer from; undefined where Python answers.
const stored = (model) => model.get("offline");

// on(event, f) listens to the model until leave(); f of "leave" is what is done then.
function listening(model) {
  let undo = [];
  const on = (event, f) => {
    if (event === "leave") return undo.push(f);
    model.on(event, f);
    undo.push(() => model.off(event, f));
  };
  const leave = () => {
    undo.forEach((f) => f());
    undo = [];
  };
  return { on, leave };
}

// A widget out of draw(model, root, on): draws now and whenever Python replaces the view.
// on(event, f) listens to the model and is undone by itself; "leave" is the end of the drawing.
function widget(draw) {
  return {
    render({ model, el }) {
      const { on, leave } = listening(model);
      function redraw() {
        leave();
        const root = make("div", { class: "mlm mathjax_ignore tex2jax_ignore" }); // $ is no formula
        root.addEventListener("keydown", handBack, true);
        const kept = el.contains(document.activeElement) && document.activeElement.dataset.keepsFocus;
        draw(model, root, on);
        el.replaceChildren(root);
        if (kept) root.querySelector(`[data-keeps-focus="${kept}"]`)?.focus();
      }
      model.on("change:view", redraw);
      redraw();
      return () => {
        leave();
        model.off("change:view", redraw);
      };
    },
  };
}
