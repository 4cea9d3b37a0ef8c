// Attention of every head, before and after the mask and the softmax, and what it delivers. All of it is in
// the view, so that a key press is answered in the page, without asking Python.

const HINTS = {
  boxes: "Point at a box to read it. Click it, or press Enter there, to hold it; the same again, or Esc, lets it go.",
  lines: "Point at a query, or choose it, to see its lines: as wide as its weights are large, none below 0.01.",
};

function draw(model, root, on) {
  const view = model.get("view");
  const { tokens, keys } = view;
  if (typeof model.get("text") === "string") root.append(ownText(model, on));
  const note = make("p", { class: "mlm-note", role: "note" }, view.note);
  if (view.images) {
    const sentence = make("p", { class: "mlm-words" }, view.instead);
    const [first, ...others] = view.images.map(picture);
    return root.append(sentence, note, first, make("div", { class: "mlm-parts" }, ...others));
  }
  const stages = view.stages.filter((s) => s.name !== "masked" || view.has_mask);
  const labels = new Map([...stages.map((s) => [s.name, s.label]), ...(view.output ? [["output", "output"]] : [])]);
  const all = Object.fromEntries(view.stages.map((s) => [s.name, s.values]));
  const [layers, count] = [view.layers ?? 1, view.shape[0]];
  const within = (x, size) => Math.min(Math.max(x, 0), size - 1);
  const known = (name) => (labels.has(name) ? name : name === "masked" ? "scores" : "weights"); // no mask, no values
  let layer = within(model.get("layer") ?? 0, layers);
  let head = within(model.get("head"), count);
  let stage = known(model.get("stage"));
  let query = within(model.get("selected_query"), tokens.length);
  let key = null; // column of the matrix
  let part = 0; // number of the output
  let lined = false; // lines in place of the matrix
  const place = () => layer * count + head;
  const valuesOf = () => view.values[view.values.length > 1 ? place() : 0];

  const chooseHead = (l, h) => send(model, layers > 1 ? { layer: l, head: h } : { head: h });
  const heads = layers === 1 ? headChoice(all.weights, chooseHead)
    : overview(root, layers, all.weights, strongest, chooseHead);
  const shown = choice("Show", [...labels], (name) => { play.stop(); send(model, { stage: name }); });
  const hint = make("small", { class: "mlm-hint" });
  const words = make("p", { class: "mlm-words" }); // a focused box says it itself
  const beside = make("div", { class: "mlm-parts mlm-beside" });

  // What a head does most for the query that is selected.
  function strongest(at) {
    return [apart(tokens[query]), ...largestOf(all.weights[at][query])];
  }

  // ---- the three pictures: matrix, lines, output; each is made when it is first shown

  const once = (build) => { let built = null; return () => (built ??= build()); };
  const row = once(() => rowTable(keys, stages));
  const mix = once(() => mixTable(keys));
  const rest = () => look(query);
  const called = "Attention: one row for each query, one column for each key";
  const grid = once(() => board(root, tokens, keys, called, "key", {
    words: (t, s) => [apart(tokens[t]), " \u2192 ", apart(keys[s]), ` ${number(all[stage][place()][t][s])}`],
    look,
    rest,
    choose: (t, s, byUser) => {
      if (byUser) key = s;
      choose(t, byUser);
    },
  }));
  const lines = once(() => lineView(tokens, keys, { look: (t) => look(t), rest, choose }));
  const outputs = once(() => board(root, tokens, view.output[0][0].map((_, d) => String(d)),
    "Output: one row for each query, one column for each number", "number", {
      words: (t, d) => [apart(tokens[t]), `, number ${d}: ${number(view.output[place()][t][d])}`],
      look: (t, d) => look(t, d),
      rest,
      choose: (t, d, byUser) => {
        if (byUser) part = d;
        choose(t, byUser);
      },
    }));
  const main = () => (stage === "output" ? outputs() : lined ? lines() : grid());

  function choose(t, byUser) {
    const moved = byUser && t !== query;
    query = t;
    if (drawn) look(query);
    if (moved) send(model, { selected_query: t });
  }

  let drawn = null; // what is in sight
  function repaint() {
    heads.set(layer, head);
    shown.set(stage);
    lining.setAttribute("aria-pressed", String(lined));
    const now = main();
    if (now !== drawn) {
      drawn?.letGo?.();
      drawn = null;
      now.go(query, stage === "output" ? part : key ?? 0);
      drawn = now;
      beside.replaceChildren(now.node, (stage === "output" ? mix() : row()).node);
    }
    if (stage === "output") now.show(view.output[place()], () => false);
    else if (lined) now.show(all.weights[place()]);
    else {
      const values = all[stage][place()];
      const masked = stage === "weights" && all.masked ? all.masked[place()] : values;
      now.show(values, (t, s) => masked[t][s] === null);
    }
    hint.textContent = HINTS[stage !== "output" && lined ? "lines" : "boxes"];
    look(query);
  }

  // Shows one query's row; a pointer only looks, a click or an arrow key selects.
  function look(t, s = stage === "output" ? part : key) {
    drawn.select(t);
    if (stage === "output") return lookAtOutput(t, s);
    row().show(tokens[t], stages.map((x) => all[x.name][place()][t]), s);
    if (lined) return words.replaceChildren(apart(tokens[t]), ...largestOf(all.weights[place()][t]));
    if (s === null) return;
    const parts = stages.map((x) => `${x.label} ${number(all[x.name][place()][t][s])}`);
    words.replaceChildren(apart(tokens[t]), " \u2192 ", apart(keys[s]), `: ${parts.join(", ")}`);
    drawn.tell(t, s, words.textContent);
  }

  function largestOf(weights) {
    return firsts(weights).flatMap((s, i) => [i ? ", " : " \u2192 ", apart(keys[s]), ` ${number(weights[s])}`]);
  }

  function lookAtOutput(t, d) {
    const [weights, output] = [all.weights[place()][t], view.output[place()][t]];
    mix().show(tokens[t], weights, valuesOf(), output, d, null);
    words.replaceChildren(apart(tokens[t]), `, number ${d}: `, ...mixWords(keys, weights, valuesOf(), output[d], d));
    drawn.tell(t, d, words.textContent);
  }

  // ---- the buttons: play, lines, save

  const lining = make("button", { type: "button" }, "Lines");
  lining.addEventListener("click", () => {
    play.stop();
    lined = stage === "output" || !lined;
    if (stage === "output") send(model, { stage: "weights" });
    else repaint();
  });
  const play = player([...labels.keys()], () => stage, (name) => {
    lined = false;
    if (stage === name) repaint();
    else send(model, { stage: name });
  }, (sentence) => words.replaceChildren(sentence), on);
  const named = () => [...(layers > 1 ? [`layer ${layer}`] : []), `head ${head}`];
  const save = saveButton(() => {
    const title = ["Attention", ...named(), lined ? "lines" : labels.get(stage)].join(", ");
    if (lined) return drawnLines(root, title, tokens, keys, all.weights[place()], query);
    const values = stage === "output" ? view.output[place()] : all[stage][place()];
    const top = largest(values);
    return drawnMatrix(root, {
      title,
      rows: tokens,
      columns: stage === "output" ? values[0].map((_, d) => String(d)) : keys,
      across: stage === "output" ? "number" : "key",
      text: (t, s) => number(values[t][s]),
      fill(context, t, s, ...box) {
        if (stage !== "output" && (all.masked ?? all.weights)[place()][t][s] === null && stage !== "scores") {
          return hatch(context, 0, ...box);
        }
        context.fillStyle = heat(values[t][s], top) || "transparent";
        context.fillRect(...box);
      },
    });
  }, () => ["attention", ...named(), lined ? "lines" : labels.get(stage)]);
  const buttons = [...play.buttons, lining, save];
  if (layers > 1) {
    const title = `Attention, ${layers} layers of ${count} heads, softmax`;
    buttons.push(saveButton(() => heads.drawn(title), () => ["attention all heads"], "Save all heads"));
  }
  buttons.forEach((button) => button.setAttribute("tabindex", "-1"));
  const tools = make("div", { class: "mlm-field mlm-tools", role: "toolbar", "aria-label": "Attention" }, ...buttons);
  roving(tools, [buttons], () => {})(0, 0);

  on("change:layer", () => { layer = within(model.get("layer"), layers); repaint(); });
  on("change:head", () => { head = within(model.get("head"), count); repaint(); });
  on("change:stage", () => { stage = known(model.get("stage")); repaint(); });
  on("change:selected_query", () => {
    if (model.get("selected_query") !== query) drawn.go(within(model.get("selected_query"), tokens.length), key ?? 0);
  });

  const controls = make("div", { class: "mlm-controls" }, shown.node);
  if (all.weights.length > 1) controls.prepend(heads.node);
  if (view.note) root.append(note);
  root.append(controls, make("div", { class: "mlm-bar" }, tools, words, play.heard), beside, hint);
  repaint();
}

export default widget(draw);
