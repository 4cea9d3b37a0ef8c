// A text to hide tokens in: by a strategy that Python runs, or by hand.

function field(label, ...controls) {
  return make("div", { class: "mlm-field", role: "group", "aria-label": label }, make("span", {}, label), ...controls);
}

function draw(model, root, on) {
  const { tokens, maskable, strategies } = model.get("view");
  const input = (type, label, more) => make("input", { type, "aria-label": label, ...KEYS, ...more });
  const strategy = make("select", { "aria-label": "Strategy", ...KEYS },
    ...strategies.map((name) => make("option", { value: name }, name)));
  const slider = input("range", "Ratio", { min: 0, max: 1, step: 0.05 });
  const ratio = input("number", "Ratio as a number", { min: 0, max: 1, step: 0.01 });
  const seed = input("number", "Seed", { min: 0, step: 1 });
  const again = make("button", { type: "button", ...KEYS }, "Draw again");
  const error = make("p", { class: "mlm-error", role: "alert" });
  const words = make("p", { class: "mlm-words", "aria-live": "polite" });
  const buttons = tokens.map((token, i) => make("button", {
    type: "button", tabindex: "-1", "aria-disabled": maskable[i] ? undefined : "true",
    title: maskable[i] ? undefined : "may not be hidden",
  }));

  // The same sentence as counts() in views/strip.py.
  function count(masked) {
    const gone = masked.filter(Boolean).length;
    const candidates = maskable.filter(Boolean).length;
    const fixed = tokens.length - candidates;
    const noun = candidates === 1 ? "token" : "tokens";
    const rest = fixed ? ` that may be hidden (${fixed} may not)` : "";
    return `${gone} of ${candidates} ${noun}${rest} hidden: a ratio of ${number(candidates ? gone / candidates : 0)}.`;
  }

  function repaint() {
    const masked = model.get("masked");
    buttons.forEach((button, i) => {
      if (maskable[i]) button.setAttribute("aria-pressed", String(masked[i]));
      button.classList.toggle("mlm-closed", masked[i]);
      button.replaceChildren(
        make("span", { dir: "auto" }, masked[i] ? "[MASK]" : tokens[i]),
        make("small", { dir: "auto" }, masked[i] ? tokens[i] : ""));
    });
    words.textContent = count(masked);
    error.textContent = model.get("error");
    strategy.value = model.get("strategy");
    slider.value = model.get("ratio");
    for (const [name, node] of [["ratio", ratio], ["seed", seed]]) {
      if (node !== document.activeElement) node.value = model.get(name); // nobody is typing in it
    }
  }

  const python = connection(model, on);
  function draws(traits) { // what only Python can do
    send(model, traits);
    python.ask();
  }

  // Sends each number that Python accepts while it is typed; puts the old one back at the end.
  function listen(node, name, fits) {
    const back = () => { node.value = model.get(name); };
    node.addEventListener("input", () => {
      const value = Number(node.value);
      if (node.value.trim() !== "" && fits(value)) draws({ [name]: value });
    });
    node.addEventListener("change", back);
    node.addEventListener("keydown", (event) => event.key === "Enter" && back()); // no change event in JupyterLab
  }
  const share = (value) => value >= 0 && value <= 1;
  listen(slider, "ratio", share);
  listen(ratio, "ratio", share);
  listen(seed, "seed", (value) => Number.isSafeInteger(value) && value >= 0);
  strategy.addEventListener("change", () => draws({ strategy: strategy.value }));
  again.addEventListener("click", () => draws({ seed: model.get("seed") + 1 }));

  const strip = make("ul", { class: "mlm-strip", role: "list", "aria-label": "Tokens" },
    ...buttons.map((button) => make("li", {}, button)));
  const go = roving(strip, [buttons], () => {});
  strip.addEventListener("click", (event) => {
    const place = buttons.indexOf(event.target.closest("button"));
    if (place < 0 || !maskable[place]) return;
    send(model, { masked: model.get("masked").map((gone, i) => (i === place ? !gone : gone)) });
  });

  for (const name of ["masked", "error", "strategy", "ratio", "seed"]) on(`change:${name}`, repaint);
  root.append(
    make("div", { class: "mlm-controls" }, field("Strategy", strategy), field("Ratio", slider, ratio),
      field("Seed", seed, again)),
    strip, words, python.node, error);
  go(0, 0);
  repaint();
}

export default widget(draw);
