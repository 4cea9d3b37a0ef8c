// All heads at a glance, to choose one of them: a row of small pictures, and with layers a row for each.

// A head: one pixel for each weight; the root makes faint patterns visible.
function thumbnail(weights) {
  const [width, height] = [weights[0].length, weights.length];
  const canvas = make("canvas", { width, height, "aria-hidden": "true" });
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  const [top, colour] = [largest(weights) || 1, BLUE.split(",").map(Number)];
  weights.forEach((row, y) => row.forEach((weight, x) => {
    image.data.set([...colour, 255 * Math.sqrt(weight / top)], 4 * (y * width + x));
  }));
  context.putImageData(image, 0, 0);
  return canvas;
}

// Heads of one layer, as radio buttons. set(layer, head) marks one of them.
function headChoice(weights, onChoose) {
  const options = weights.map((w, h) => [h, thumbnail(w), String(h)]);
  const { node, set } = choice("Head", options, (head) => onChoose(0, head));
  return { node, set: (_, head) => set(head) };
}

// Layers down, heads across; tip(layer, head) is told where one is pointed at.
function overview(root, layers, weights, tip, onChoose) {
  const heads = weights.length / layers;
  const place = (layer, head) => layer * heads + head;
  const range = (size) => [...Array(size).keys()];
  const boxes = range(layers).map((l) => range(heads).map((h) => make("td",
    { tabindex: "-1", "aria-label": `layer ${l}, head ${h}` }, thumbnail(weights[place(l, h)]))));
  const top = make("tr", {}, make("td", {}, "head \u2192", make("br"), "layer \u2193"),
    ...range(heads).map((h) => make("th", { scope: "col" }, String(h))));
  const lines = boxes.map((line, l) => make("tr", {}, make("th", { scope: "row" }, String(l)), ...line));
  const table = make("table", { class: "mlm-matrix mlm-overview", role: "grid", "aria-label": "Layers and heads" },
    make("thead", {}, top), make("tbody", {}, ...lines));
  const node = make("div", { class: "mlm-scroll" }, table);
  let chosen = null;

  const go = roving(table, boxes, (layer, head, byUser) => {
    chosen?.setAttribute("aria-selected", "false");
    chosen = boxes[layer][head];
    chosen.setAttribute("aria-selected", "true");
    if (byUser) onChoose(layer, head);
  });
  const say = tooltip(root);
  const hide = () => say(null);
  table.addEventListener("mouseover", (event) => {
    if (!event.target.closest("tbody td")) return hide();
    const [layer, head] = under(event);
    say(boxes[layer][head], `layer ${layer}, head ${head}: `, ...tip(place(layer, head)));
  });
  table.addEventListener("mouseleave", hide);
  root.addEventListener("keydown", (event) => event.key === "Escape" && hide(), true);
  return { node, set: go, drawn: (title) => drawnOverview(root, title, boxes) };
}

// The same as a drawing to save.
function drawnOverview(root, title, boxes) {
  const [left, top, size] = [70, 58, 44];
  const width = left + size * boxes[0].length + 12;
  const context = sheet(root, Math.max(width, widest([title], SANS) + 24), top + size * boxes.length + 12);
  write(context, title, 12, 18);
  write(context, "head \u2192", left - 8, 38, "right", MONO);
  write(context, "layer \u2193", left - 8, 52, "right", MONO);
  context.imageSmoothingEnabled = false;
  boxes.forEach((line, l) => {
    write(context, String(l), left - 8, top + (l + 0.5) * size, "right", MONO);
    line.forEach((box, h) => {
      if (!l) write(context, String(h), left + (h + 0.5) * size, top - 8, "center", MONO);
      context.drawImage(box.firstChild, left + h * size, top + l * size, size, size);
      context.strokeRect(left + h * size, top + l * size, size, size);
    });
  });
  return context.canvas;
}
