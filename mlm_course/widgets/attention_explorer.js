// Attention of every head, before and after the mask and the softmax. All of it is in the view,
// so that a key press is answered in the page, without asking Python.

// A head at a glance: one pixel for each weight; the root makes faint patterns visible.
function thumbnail(weights) {
  const canvas = make("canvas", { width: weights[0].length, height: weights.length, "aria-hidden": "true" });
  const context = canvas.getContext("2d");
  const top = largest(weights) || 1;
  weights.forEach((row, y) => row.forEach((weight, x) => {
    context.fillStyle = `rgba(${BLUE}, ${Math.sqrt(weight / top)})`;
    context.fillRect(x, y, 1, 1);
  }));
  return canvas;
}

// What one query sees: a line for each key, filled in by show().
function rowTable(keys, stages) {
  const heads = ["key", ...stages.map((s) => s.label)];
  const lines = keys.map((key) => make("tr", {},
    make("th", { scope: "row", dir: "auto" }, key), ...stages.map(() => make("td"))));
  const caption = make("caption");
  const table = make("table", { class: `mlm-row ${keys.length > 20 ? "mlm-tight" : ""}` }, caption,
    make("thead", {}, make("tr", {}, ...heads.map((h) => make("th", { scope: "col" }, h)))),
    make("tbody", {}, ...lines));
  const scrolls = keys.length > 12 ? { tabindex: "0", role: "region", "aria-label": "What the query sees", ...KEYS } : {};
  const node = make("div", { class: "mlm-side", ...scrolls }, table);

  function show(token, columns, key) {
    caption.replaceChildren("What \u201c", apart(token), "\u201d sees");
    const top = largest([columns.at(-1)]) || 1;
    lines.forEach((line, s) => {
      line.classList.toggle("mlm-current", s === key);
      columns.forEach((column, i) => {
        const cell = line.cells[i + 1];
        cell.textContent = number(column[s]);
        cell.classList.toggle("mlm-closed", column[s] === null);
      });
      line.lastChild.style.backgroundSize = `${(columns.at(-1)[s] / top) * 100}% 100%`;
    });
    if (scrolls.role && key !== null) reveal(lines[key]);
  }

  // Scrolls to a line inside the table only: the page stays where it is.
  function reveal(line) {
    const [at, box] = [line.getBoundingClientRect(), node.getBoundingClientRect()];
    const covered = table.tHead.rows[0].cells[0].getBoundingClientRect().bottom - box.top; // by what stays above
    if (at.top < box.top + covered) node.scrollTop -= box.top + covered - at.top;
    if (at.bottom > box.bottom) node.scrollTop += at.bottom - box.bottom;
  }
  return { node, show };
}

function draw(model, root, on) {
  const view = model.get("view");
  const { tokens, keys } = view;
  const note = make("p", { class: "mlm-note", role: "note" }, view.note);
  if (view.images) {
    const sentence = make("p", { class: "mlm-words" }, view.instead);
    const [first, ...others] = view.images.map(picture);
    return root.append(sentence, note, first, make("div", { class: "mlm-parts" }, ...others));
  }
  const stages = view.stages.filter((s) => s.name !== "masked" || view.has_mask);
  const all = Object.fromEntries(view.stages.map((s) => [s.name, s.values]));
  const within = (x, size) => Math.min(Math.max(x, 0), size - 1);
  let head = within(model.get("head"), all.weights.length);
  let stage = model.get("stage");
  let query = within(model.get("selected_query"), tokens.length);
  let key = null;
  let held = null; // the pair that was clicked on: a pointer leaves it in sight
  const told = []; // boxes with a sentence of their own

  const heads = choice("Head", all.weights.map((w, h) => [h, thumbnail(w), String(h)]),
    (h) => send(model, { head: h }));
  const shown = choice("Show", stages.map((s) => [s.name, s.label]),
    (name) => send(model, { stage: name }));
  const grid = matrix(tokens, keys, "Attention: one row for each query, one column for each key");
  const paint = grid.small ? backdrop(grid.boxes) : (t, s, colour, closed) => {
    grid.boxes[t][s].style.backgroundColor = closed ? "" : colour;
    grid.boxes[t][s].classList.toggle("mlm-closed", closed);
  };
  const row = rowTable(keys, stages);
  const words = make("p", { class: "mlm-words" }); // a focused box says it itself

  function repaint() {
    if (!stages.some((s) => s.name === stage)) stage = stages[0].name; // no mask, no masked stage
    heads.set(head);
    shown.set(stage);
    const values = all[stage][head];
    const top = largest(values);
    values.forEach((line, t) => line.forEach((value, s) => {
      const closed = value === null || (stage === "weights" && all.masked?.[head][t][s] === null);
      paint(t, s, heat(value, top), closed);
      if (!grid.small) grid.boxes[t][s].textContent = number(value);
    }));
    while (told.length) told.pop().removeAttribute("aria-label"); // of another head or stage
    look(query);
  }

  // Shows one query's row; a pointer only looks, a click or an arrow key selects.
  function look(t, s = key) {
    grid.lines.forEach((line, i) => {
      line.classList.toggle("mlm-selected", i === t);
      line.setAttribute("aria-selected", String(i === t));
    });
    row.show(tokens[t], stages.map((x) => all[x.name][head][t]), s);
    if (s === null) return;
    const parts = stages.map((x) => `${x.label} ${number(all[x.name][head][t][s])}`);
    words.replaceChildren(apart(tokens[t]), " \u2192 ", apart(keys[s]), `: ${parts.join(", ")}`);
    grid.boxes[t][s].setAttribute("aria-label", words.textContent);
    told.push(grid.boxes[t][s]);
  }

  const go = roving(grid.table, grid.boxes, (t, s, byUser) => {
    if (byUser) key = s;
    const moved = byUser && t !== query;
    query = t;
    look(t);
    if (moved) send(model, { selected_query: t });
  });
  grid.table.addEventListener("click", (event) => {
    if (event.target.closest("tbody th")) return go(under(event)[0], 0, true);
    const spot = event.target.closest("tbody td") && String(under(event));
    held = spot === held ? null : spot;
  });
  const tip = tooltip(root);
  grid.table.addEventListener("mouseover", (event) => {
    const box = event.target.closest("tbody td");
    if (!under(event)) return tip(null);
    const [t, s] = under(event);
    tip(box, apart(tokens[t]), " \u2192 ", apart(keys[s]), ` ${number(all[stage][head][t][s])}`);
    if (!held) look(t, s);
  });
  grid.table.addEventListener("mouseleave", () => {
    tip(null);
    look(query);
  });

  on("change:head", () => { head = within(model.get("head"), all.weights.length); repaint(); });
  on("change:stage", () => { stage = model.get("stage"); repaint(); });
  on("change:selected_query", () => {
    if (model.get("selected_query") !== query) go(model.get("selected_query"), key ?? 0);
  });

  const controls = make("div", { class: "mlm-controls" }, shown.node);
  if (all.weights.length > 1) controls.prepend(heads.node);
  if (view.note) root.append(note);
  const hint = make("small", { class: "mlm-hint" }, "Point at a box to read it; click to hold it, click again to let it go.");
  root.append(controls, words, make("div", { class: "mlm-parts mlm-beside" }, grid.node, row.node), hint);
  go(query, 0);
  repaint();
}

export default widget(draw);
