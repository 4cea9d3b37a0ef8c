// A sentence with gaps that is typed, and below it how a model fills them, step by step.

const WORKING = 300; // milliseconds after which it says that it works

// ---- in a page without Python: the examples' answers are stored; what is typed a model fills, if there is one

const UNKNOWN = "This page answers the examples only. To fill your own sentence, run the notebook of this lesson.";
const LLADA = { schedule: "linear", temperature: 0, mayRemask: false, order: "confidence", gumbel: 0, ofRemaining: true };
const models = new WeakMap(); // of each gap filler in the page, once it is there

const storedAnswer = ({ answers }, text) => answers.find((answer) => answer.text.trim() === text.trim());

// The steps in which a model fills the gaps of a text, as many as there are gaps. The twin of fill_gaps.
async function fillGaps(net, vocabulary, text) {
  const tokenizer = new Tokenizer(vocabulary);
  const name = (id) => vocabulary.labels[id] ?? vocabulary.pieces[id];
  const { canvas, masked } = gapRow(tokenizer, text, net.config.max_length);
  const steps = [];
  for (const step of refine(predictor(net), canvas, masked, masked.filter(Boolean).length, LLADA, null)) {
    steps.push(step);
    await new Promise((resume) => { setTimeout(resume); }); // the page stays alive
  }
  const named = (others) => others.map(([chance, id]) => [name(id), chance]);
  return refinementSteps(steps.map((step) => step.tokens.map(name)), steps.map((step) => step.confidence),
    steps.map((step) => step.masked), steps.map((step) => step.others.map(named)));
}

// What came of it, in a sentence. The same as in gap_filler.py.
function saidOf({ steps, given }) {
  const counted = (n, word) => `${n} ${word}${n === 1 ? "" : "s"}`;
  const { tokens } = steps.at(-1);
  const text = tokens.join(tokens.every((token) => [...token].length === 1) ? "" : " ");
  return `${counted(given.filter((free) => !free).length, "gap")} filled in ${counted(steps.length, "step")}. Result: ${text}`;
}

export async function offline({ text, asked: answered, checkpoint, vocabulary, offline: kept }, sent) {
  if (!("asked" in sent)) return {};
  const known = storedAnswer(kept, text);
  if (known) return { filled: known.filled, said: known.said, step: 1, error: "", answered };
  if (!checkpoint) return { error: UNKNOWN, answered };
  if (!models.has(kept)) return { error: "The model that fills the gaps could not be loaded.", answered };
  try {
    const filled = await fillGaps(models.get(kept), vocabulary, text);
    return { filled, said: saidOf(filled), step: 1, error: "", answered };
  } catch (problem) {
    return { error: problem.message, answered };
  }
}

// ---- the page

function draw(model, root, on) {
  const { title, examples } = model.get("view");
  const python = connection(model, on, () => { said.textContent = model.get("said"); });
  const input = make("input", { type: "text", maxlength: 1000, autocomplete: "off", spellcheck: "false", dir: "auto", ...KEYS });
  const label = make("label", {}, title || "A sentence with gaps, ___ for each piece", input);
  const button = make("button", { type: "button", ...KEYS }, "Fill");
  const error = make("p", { class: "mlm-error", role: "alert" });
  const said = make("p", { class: "mlm-words", "aria-live": "polite" });
  const below = make("div");
  let [working, drawn, isDue] = [null, null, false];

  const kept = stored(model);
  on("msg:custom", ({ answer }, buffers) => {
    if (answer === "weights" && kept) models.set(kept, loadModel(buffers[0]));
  });

  function ask() {
    const needs = kept && model.get("checkpoint") && !models.has(kept) && !storedAnswer(kept, input.value);
    if (needs) message(model, { ask: "weights" }); // answered before the question
    clearTimeout(working);
    working = setTimeout(() => { said.textContent = "Filling \u2026"; }, WORKING);
    send(model, { text: input.value, asked: model.get("asked") + 1 });
    python.ask();
  }

  function show() {
    clearTimeout(working);
    drawn?.leave();
    drawn = listening(model);
    if (input.value !== model.get("text")) input.value = model.get("text");
    error.textContent = model.get("error");
    said.textContent = model.get("said");
    below.replaceChildren();
    drawSteps(model.get("filled"), model, below, drawn.on);
  }

  function showOnce() { // however many traits an answer changes
    if (isDue) return;
    isDue = true;
    queueMicrotask(() => { isDue = false; show(); });
  }
  for (const name of ["answered", "text", "filled", "error"]) on(`change:${name}`, showOnce);
  on("leave", () => { clearTimeout(working); drawn?.leave(); });

  button.addEventListener("click", ask);
  input.addEventListener("keydown", (event) => {
    const modified = event.ctrlKey || event.altKey || event.metaKey || event.shiftKey;
    if (event.key === "Enter" && !modified && !event.isComposing) ask();
  });

  const field = make("div", { class: "mlm-controls mlm-field" }, label, button);
  const head = make("div", { class: "mlm-search" }, field, python.node, error);
  if (examples.length) {
    const buttons = examples.map((text) => make("button", { type: "button", tabindex: "-1", dir: "auto" }, text));
    const list = make("ul", { class: "mlm-strip", role: "list", "aria-label": "Examples" },
      ...buttons.map((node) => make("li", {}, node)));
    roving(list, [buttons], () => {})(0, 0);
    buttons.forEach((node, place) => node.addEventListener("click", () => {
      input.value = examples[place];
      ask();
    }));
    head.append(list);
  }
  root.append(head, said, below);
  show();
}

export default widget(draw);
