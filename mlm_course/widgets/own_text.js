// A field for the reader's own text, which Python answers with other tokens and their attention.

const COMPUTING = 300; // milliseconds after which it says that it works

function ownText(model, on) {
  const python = connection(model, on, rest);
  const input = make("input", { type: "text", maxlength: 1000, autocomplete: "off", spellcheck: "false", dir: "auto",
    "data-keeps-focus": "own text", ...KEYS });
  input.value = model.get("text");
  const error = make("p", { class: "mlm-error", role: "alert" });
  const button = make("button", { type: "button", ...KEYS }, "Attend");
  let working = null;

  function ask() {
    clearTimeout(working);
    working = setTimeout(() => { button.textContent = "Computing \u2026"; }, COMPUTING);
    send(model, { text: input.value, asked: model.get("asked") + 1 });
    python.ask();
  }

  function rest() {
    clearTimeout(working);
    button.textContent = "Attend";
  }

  function show() {
    rest();
    error.textContent = model.get("error");
  }
  for (const name of ["answered", "error"]) on(`change:${name}`, show);
  on("change:text", () => { if (input.value !== model.get("text")) input.value = model.get("text"); });
  on("leave", () => clearTimeout(working));
  button.addEventListener("click", ask);
  input.addEventListener("keydown", (event) => {
    const modified = event.ctrlKey || event.altKey || event.metaKey || event.shiftKey;
    if (event.key === "Enter" && !modified && !event.isComposing) ask();
  });
  show();
  const field = make("div", { class: "mlm-controls mlm-field" }, make("label", {}, "Your own text", input), button);
  return make("div", { class: "mlm-search" }, field, python.node, error);
}

// In the book there is no Python: one sentence in place of an answer.
export function offline(state, sent) {
  if (!("asked" in sent)) return {};
  const error = "There is no Python here to compute attention for another text: run this cell in a notebook.";
  return { answered: sent.asked, error };
}
