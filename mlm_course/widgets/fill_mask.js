// A text as pieces that a click masks; guesses, attention and the guess layer by layer, all of them
// computed here by model.js.

const MOST_GUESSES = 8;
const PAUSE = 300; // milliseconds without a key after which Python hears of a new text
const FIXED = [PAD_ID, CLS_ID, SEP_ID]; // pieces that cannot be masked

// A probability in per cent. The same as views/guesses.py.
const percent = (chance) => (chance < 5e-4 ? "< 0.1 %" : `${(100 * chance).toFixed(1)} %`);

// A piece inside a sentence.
const quoted = (piece) => ["\u201c", apart(piece), "\u201d"];

// Places that are still masked after a text was changed somewhere: those before and behind the change.
function carried(before, after, masked) {
  const most = Math.min(before.length, after.length);
  let [head, tail] = [0, 0];
  while (head < most && before[head] === after[head]) head += 1;
  while (tail < most - head && before.at(-1 - tail) === after.at(-1 - tail)) tail += 1;
  const longer = after.length - before.length;
  return masked.flatMap((n) => (n < head ? [n] : n >= before.length - tail ? [n + longer] : []));
}

// What a model makes of ids with gaps: answers and lenses for each gap, and the weights of all heads.
function readGaps(network, ids, gaps) {
  const seen = ids.map((id, n) => (gaps.includes(n) ? MASK_ID : id));
  const { logits, states, weights } = network.forward(seen, gaps);
  const at = (place) => ({
    best: topAnswers(logits[gaps.indexOf(place)], MOST_GUESSES),
    own: ids[place] === MASK_ID ? null : softmax(Float64Array.from(logits[gaps.indexOf(place)]))[ids[place]],
    lens: logitLens(network, states, place).slice(1).map((scores) => topAnswers(scores, 1)[0]),
  });
  return { at, weights };
}

// A head at a glance: one pixel for each of T x T weights; the root makes faint patterns visible.
function glance(canvas, weights, size) {
  [canvas.width, canvas.height] = [size, size];
  const context = canvas.getContext("2d");
  const image = context.createImageData(size, size);
  const colour = BLUE.split(", ").map(Number);
  const top = weights.reduce((most, weight) => Math.max(most, weight), 0);
  weights.forEach((weight, i) => image.data.set([...colour, 255 * Math.sqrt(weight / top)], 4 * i));
  context.putImageData(image, 0, 0);
}

// A list of pieces with their probabilities as bars. Returns show(pairs, right).
function guessList() {
  const head = make("strong");
  const list = make("ol", { class: "mlm-guesses", "aria-label": "Guesses" });
  const show = (pairs, right, title) => {
    head.textContent = title;
    list.replaceChildren(...pairs.map(([piece, chance]) => make("li", {},
      make("span", { dir: "auto" }, piece, piece === right ? " \u2713" : ""),
      make("small", { class: "mlm-score", style: `background-size:${chance * 100}% 100%` }, percent(chance)))));
  };
  return { node: make("div", {}, head, list), show };
}

// The likeliest piece after each block; a choice of the block whose attention is shown.
function lensChoice(layers, onChoose) {
  const line = () => ({ piece: make("bdi"), chance: make("small", { class: "mlm-score" }) });
  const lines = Array.from({ length: layers }, line);
  const options = lines.map(({ piece, chance }, i) => [i + 1, `block ${i + 1}`, piece, chance]);
  const { node, set } = choice("Likeliest after", options, onChoose);
  node.classList.add("mlm-lens");
  const show = (pairs) => lines.forEach(({ piece, chance }, i) => {
    [piece.textContent, chance.textContent] = pairs[i] ? [pairs[i][0], percent(pairs[i][1])] : ["", ""];
    chance.style.backgroundSize = `${(pairs[i]?.[1] ?? 0) * 100}% 100%`;
  });
  return { node, set, show };
}

// One head's weights as a matrix. look(query) marks a row; words say what the query looks at.
function headMatrix(labels, words) {
  const size = labels.length;
  const grid = matrix(labels, labels, "Attention: one row for each query, one column for each key");
  const inBox = (t, s, colour) => { grid.boxes[t][s].style.backgroundColor = colour; };
  const paint = grid.small ? backdrop(grid.boxes) : inBox;
  let [values, title, current] = [null, "", 0];

  function look(t, s = null) {
    current = t;
    grid.lines.forEach((line, i) => line.classList.toggle("mlm-selected", i === t));
    const row = [...values.subarray(t * size, (t + 1) * size)];
    const most = row.map((weight, key) => [weight, key]).sort(([a], [b]) => b - a).slice(0, 3);
    const keys = s === null ? most : [[row[s], s]];
    words.replaceChildren(`${title}: `, ...quoted(labels[t]), " looks at ",
      ...keys.flatMap(([weight, key], i) => [i ? ", " : "", ...quoted(labels[key]), ` ${number(weight)}`]), ".");
  }

  // Scrolls to a row inside the matrix only: the page stays where it is.
  function reveal(t) {
    const [at, box, first] = [grid.lines[t], grid.node, grid.lines[0]].map((node) => node.getBoundingClientRect());
    if (at.bottom > box.bottom || at.top < first.top) grid.node.scrollTop += at.top - box.top - box.height / 2;
  }

  function show(weights, name) {
    [values, title] = [weights, name];
    const top = values.reduce((most, weight) => Math.max(most, weight), 0);
    grid.boxes.forEach((line, t) => line.forEach((box, s) => {
      const weight = values[t * size + s];
      paint(t, s, heat(weight, top), false);
      if (!grid.small) box.textContent = number(weight);
      box.setAttribute("aria-label", `${labels[t]} \u2192 ${labels[s]}: ${number(weight)}`);
    }));
    look(current);
  }

  const go = roving(grid.table, grid.boxes, (t, s, byUser) => values && look(t, byUser ? s : null));
  grid.table.addEventListener("mouseover", (event) => under(event) && look(...under(event)));
  const select = (t) => {
    go(t, 0);
    reveal(t);
  };
  return { node: grid.node, show, select };
}

// Buttons in a row, one Tab stop.
function buttonList(name, buttons) {
  const lines = buttons.map((node) => make("li", {}, node));
  const node = make("ul", { class: "mlm-strip", role: "list", "aria-label": name }, ...lines);
  if (buttons.length) roving(node, [buttons], () => {})(0, 0);
  return node;
}

function draw(model, root, on) {
  const { title, examples, n_layers: layers, n_heads: heads, max_length: room } = model.get("view");
  const { pieces, labels: visible } = model.get("vocabulary");
  const tokenizer = new Tokenizer(model.get("vocabulary"));
  const label = (id) => visible[id] ?? pieces[id];
  const coming = make("p", { class: "mlm-words" }, "The model is on its way \u2026");
  const python = connection(model, on, () => { coming.textContent = "The model is not here: Python sends it."; });
  let [network, drawn, reading, saving, isDue, isGone] = [null, "", null, null, false, false];
  let [ids, gaps, buttons, grid] = [[], [], [], null];
  let looked = null; // the row of the matrix that is marked

  const quiet = { autocomplete: "off", spellcheck: "false", dir: "auto" };
  const input = make("input", { type: "text", maxlength: 1000, ...quiet, ...KEYS });
  const error = make("p", { class: "mlm-error", role: "alert" });
  const unknown = make("p", { class: "mlm-note", role: "status" });
  const said = make("p", { class: "mlm-words", "aria-live": "polite" });
  const strip = make("div");
  const which = make("div");
  const guesses = guessList();
  const lens = lensChoice(layers, (layer) => send(model, { layer }));
  const canvases = Array.from({ length: heads }, () => make("canvas", { "aria-hidden": "true" }));
  const named = canvases.map((canvas, h) => [h, canvas, String(h)]);
  const headChoice = choice("Head", named, (head) => send(model, { head }));
  const words = make("p", { class: "mlm-words" });
  const square = make("div", {}, coming);

  function later() { // Python hears of it when nothing more is typed
    clearTimeout(saving);
    saving = setTimeout(() => model.save_changes(), PAUSE);
  }

  function setText(text) {
    const after = tokenizer.encode(text);
    const masked = carried(ids, after, model.get("masked"));
    model.set("masked", masked.filter((n) => !FIXED.includes(after[n])));
    model.set("text", text);
    later();
  }

  function toggle(place) {
    if (ids[place] === MASK_ID) return send(model, { place }); // written as [MASK]: only chosen
    const masked = model.get("masked");
    const away = masked.includes(place);
    const now = away ? masked.filter((n) => n !== place) : [...masked, place].sort((a, b) => a - b);
    return send(model, { masked: now, ...(away ? {} : { place }) });
  }

  // What is wrong with the text, as a sentence, or nothing.
  function problem() {
    if (ids.length <= (tokenizer.ends ? 2 : 0)) return "The text is empty: type a few words.";
    if (ids.length > room) return `The text has ${ids.length} pieces, but the model reads ${room} at most: shorten it.`;
    return "";
  }

  function drawStrip() {
    buttons = ids.map((id, place) => {
      const parts = ["span", "small"].map((tag) => make(tag, { dir: "auto" }));
      const node = make("button", { type: "button", tabindex: "-1" }, ...parts);
      if (FIXED.includes(id)) node.setAttribute("aria-disabled", "true");
      else node.addEventListener("click", () => toggle(place));
      return node;
    });
    strip.replaceChildren(buttonList("Pieces", buttons));
  }

  // Says which words became [UNK].
  function paintUnknown(read) {
    const lost = new Set(read.filter(([id, word]) => id === UNK_ID && word !== "[UNK]").map(([, word]) => word));
    const named = [...lost].flatMap((word, i) => [i ? ", " : "", ...quoted(word)]);
    const said = ["The vocabulary cannot spell ", ...named, ": the model reads [UNK] there."];
    unknown.replaceChildren(...(lost.size ? said : []));
  }

  function paintStrip(place) {
    buttons.forEach((node, n) => {
      const isGap = gaps.includes(n);
      const [piece, own] = isGap ? ["[MASK]", ids[n] === MASK_ID ? "" : label(ids[n])] : [label(ids[n]), ""];
      [node.children[0].textContent, node.children[1].textContent] = [piece, own];
      if (!FIXED.includes(ids[n])) node.setAttribute("aria-pressed", String(isGap));
      node.classList.toggle("mlm-asked", n === place);
      const facts = [own || piece, isGap && "masked", n === place && "guessed below"];
      node.setAttribute("aria-label", facts.filter(Boolean).join(", "));
    });
  }

  function paintChoice(place) {
    const named = gaps.map((n) => [n, `${n + 1} `, apart(ids[n] === MASK_ID ? "[MASK]" : label(ids[n]))]);
    const { node, set } = choice("Guesses at piece", named, (n) => send(model, { place: n }));
    const hadFocus = which.contains(document.activeElement);
    which.replaceChildren(...(gaps.length > 1 ? [node] : []));
    set(place);
    if (hadFocus) which.querySelector("input:checked")?.focus();
  }

  // The answer as it crosses to Python: computed here, or what Python said of the same question.
  function answer(place) {
    const asked = { text: model.get("text"), masked: model.get("masked"), place: model.get("place") };
    const stored = model.get("answer");
    const fits = Object.keys(asked).every((key) => String(asked[key]) === String(stored[key]));
    if (!reading && place !== null) return fits ? stored : null;
    const { best, own, lens: grown } = place === null ? { best: [], own: null, lens: [] } : reading.at(place);
    const named = (pairs) => pairs.map(([chance, id]) => [label(id), chance]);
    return { ...asked, at: place, pieces: ids.map(label), gaps, guesses: named(best), lens: named(grown), own };
  }

  function paintAnswer(place, { guesses: best, lens: grown, own }) {
    const right = own === null || place === null ? null : label(ids[place]);
    guesses.show(best, right, place === null || gaps.length > 1 ? "" : `Guesses at piece ${place + 1}`);
    lens.show(grown);
    if (place === null) return said.replaceChildren("No piece is masked: click one, or press Enter on it.");
    const told = ([piece, chance], i) => [i ? ", " : "", ...quoted(piece), ` ${percent(chance)}`];
    const first = best.slice(0, 3).flatMap(told);
    const truth = right === null ? [] : [" Masked is ", ...quoted(right), `, at ${percent(own)}.`];
    return said.replaceChildren(`Guesses at piece ${place + 1}: `, ...first, ".", ...truth);
  }

  // What stood there answered another question.
  function paintNoAnswer() {
    guesses.show([], null, "");
    lens.show([]);
    said.replaceChildren("No guesses yet: the model is not here.");
  }

  function paintAttention(place) {
    const [layer, head] = [model.get("layer"), model.get("head")];
    lens.set(layer);
    headChoice.set(head);
    if (!reading) return;
    const weights = reading.weights[layer - 1];
    canvases.forEach((canvas, h) => glance(canvas, weights[h], ids.length));
    if (!grid) {
      grid = headMatrix(ids.map((id, n) => (gaps.includes(n) ? "[MASK]" : label(id))), words);
      square.replaceChildren(grid.node);
    }
    grid.show(weights[head], `Block ${layer}, head ${head}`);
    if (place !== null && place !== looked) grid.select(place);
    looked = place;
  }

  function show() {
    const text = model.get("text");
    if (input.value !== text) input.value = text;
    const read = tokenizer.read(text);
    const before = String(ids);
    ids = read.map(([id]) => id);
    if (String(ids) !== before) drawStrip();
    paintUnknown(read);
    error.textContent = problem();
    const chosen = (n) => model.get("masked").includes(n) && !FIXED.includes(ids[n]);
    gaps = ids.flatMap((id, n) => (id === MASK_ID || chosen(n) ? [n] : []));
    const place = gaps.includes(model.get("place")) ? model.get("place") : gaps[0] ?? null;
    paintStrip(place);
    paintChoice(place);
    parts.hidden = Boolean(error.textContent);
    if (error.textContent) {
      [drawn, reading, grid] = ["", null, null];
      return said.replaceChildren();
    }
    const key = `${ids} ${gaps}`;
    if (network && drawn !== key) [drawn, reading, grid, looked] = [key, readGaps(network, ids, gaps), null, null];
    const told = answer(place);
    if (told) paintAnswer(place, told);
    else paintNoAnswer();
    paintAttention(place);
    if (!reading) return undefined;
    model.set("answer", told);
    return later();
  }

  function showOnce() { // however many traits change at once
    if (isDue) return;
    isDue = true;
    setTimeout(() => { isDue = false; if (!isGone) show(); });
  }
  for (const name of ["text", "masked", "place", "layer", "head"]) on(`change:${name}`, showOnce);
  on("leave", () => { isGone = true; clearTimeout(saving); });
  askForWeights(model, on, (arrived) => { network = arrived; showOnce(); });

  input.addEventListener("input", () => setText(input.value));
  const field = make("label", {}, title || "A text", input);
  const head = make("div", { class: "mlm-search" }, make("div", { class: "mlm-controls mlm-field" }, field));
  if (examples.length) {
    const offered = examples.map((text) => make("button", { type: "button", tabindex: "-1", dir: "auto" }, text));
    offered.forEach((node, n) => node.addEventListener("click", () => setText(examples[n])));
    head.append(buttonList("Examples", offered));
  }
  head.append(python.node, error, unknown);
  const hint = make("small", { class: "mlm-hint" }, "Click a piece, or press Enter on it, to mask it or to show "
    + "it again. A block's guess also chooses the block whose attention is shown.");
  const parts = make("div", { class: "mlm-parts mlm-fill" },
    make("div", {}, which, guesses.node), lens.node,
    make("div", { class: "mlm-attention" }, headChoice.node, words, square));
  root.append(head, strip, hint, said, parts);
  show();
}

export default widget(draw);
