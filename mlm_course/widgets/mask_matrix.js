// Who may attend to whom: point at a pair, or walk to it, and read why.

function draw(model, root, on) {
  const { title, image, rows, columns, allowed, reasons, letters, patterns, why } = model.get("view");
  if (image) return root.append(make("strong", {}, title), picture(image));
  const grid = matrix(rows, columns, title || "Attention mask");
  const words = make("p", { class: "mlm-words" }); // a focused box says it itself
  grid.table.classList.add("mlm-mask");

  function style(node, open, causes) {
    node.classList.add(...(open ? ["mlm-open"] : ["mlm-reason", ...causes.map((r) => `mlm-reason-${patterns[r] % 4}`)]));
    node.textContent = open ? "\u2713" : causes.map((r) => letters[r]).join("");
    return node;
  }
  grid.boxes.forEach((line, t) => line.forEach((box, s) => {
    style(box, allowed[t][s], why[t][s]);
    if (grid.small) box.textContent = "";
  }));

  // The same sentence as views/mask.py.
  function say(t, s) {
    const may = allowed[t][s] ? "may attend to" : "may not attend to";
    const because = why[t][s].map((r) => reasons[r]).join(" and ");
    words.replaceChildren("query \u201c", apart(rows[t]), `\u201d ${may} key \u201c`, apart(columns[s]),
      `\u201d${because ? `: ${because}` : ""}.`);
    grid.boxes[t][s].setAttribute("aria-label", words.textContent);
  }

  let here = null;
  const go = roving(grid.table, grid.boxes, (t, s, byUser) => {
    here = [t, s];
    if (byUser) say(t, s);
  });
  grid.table.addEventListener("focusin", () => say(...here));
  const because = (t, s) => (allowed[t][s] ? "\u2713" : why[t][s].map((r) => reasons[r]).join(", "));
  holding(root, grid, (t, s) => [apart(rows[t]), " \u2192 ", apart(columns[s]), ` ${because(t, s)}`], say, () => {});
  go(0, 0);

  const legend = make("ul", { class: "mlm-legend", role: "list" },
    ...[[true, [], "may attend"], ...reasons.map((r, i) => [false, [i], `masked: ${r}`])].map(
      ([open, causes, text]) => make("li", {}, style(make("span"), open, causes), make("span", {}, text))));
  if (title) root.append(make("strong", {}, title));
  const save = saveButton(() => drawnMatrix(root, {
    title: title || "Attention mask",
    rows,
    columns,
    text: (t, s) => grid.boxes[t][s].textContent,
    fill: (context, t, s, ...box) => fill(context, allowed[t][s], why[t][s], ...box),
    legend: [[(...at) => fill(at[0], true, [], ...at.slice(1)), "\u2713 may attend"],
      ...reasons.map((r, i) => [(...at) => fill(at[0], false, [i], ...at.slice(1)), `${letters[i]} masked: ${r}`])],
  }), () => [title || "attention mask"]);
  root.append(make("div", { class: "mlm-parts" }, grid.node, legend), words, make("div", { class: "mlm-field" }, save));

  function fill(context, open, causes, ...box) {
    context.fillStyle = `rgba(${BLUE}, 0.35)`;
    if (open) context.fillRect(...box);
    causes.forEach((r) => hatch(context, patterns[r] % 4, ...box));
  }
}

export default widget(draw);
