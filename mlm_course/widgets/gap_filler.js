// A sentence with gaps that is typed, and below it how a model fills them, step by step.

const WORKING = 300; // milliseconds after which it says that it works

function draw(model, root, on) {
  const { title, examples } = model.get("view");
  const python = connection(model, on);
  const input = make("input", { type: "text", maxlength: 1000, autocomplete: "off", spellcheck: "false", dir: "auto", ...KEYS });
  const label = make("label", {}, title || "A sentence with gaps, ___ for each piece", input);
  const button = make("button", { type: "button", ...KEYS }, "Fill");
  const error = make("p", { class: "mlm-error", role: "alert" });
  const said = make("p", { class: "mlm-words", "aria-live": "polite" });
  const below = make("div");
  let [working, drawn, isDue] = [null, null, false];

  function ask() {
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
