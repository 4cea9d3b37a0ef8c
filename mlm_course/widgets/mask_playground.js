// A text to hide tokens in: by a strategy that Python runs, or by hand.

// The choices of one strategy that a page without Python was given: one array of bits, 0 or 1.
function unpacked(bits) {
  return [...atob(bits)].flatMap((letter) => {
    const byte = letter.charCodeAt(0);
    return [7, 6, 5, 4, 3, 2, 1, 0].map((place) => (byte >> place) & 1);
  });
}

// The stored draw that comes nearest to what was asked for: its ratio, seed and place.
function nearest({ ratios, first, seeds }, ratio, seed) {
  const away = ratios.map((stored) => Math.abs(stored - ratio));
  const row = away.indexOf(Math.min(...away));
  const column = (((seed - first) % seeds) + seeds) % seeds;
  return { ratio: ratios[row], seed: first + column, place: row * seeds + column };
}

// What a strategy chooses, in a page without Python; where another draw has to stand for it, note says so.
export function offline(state, sent) {
  if (!["strategy", "ratio", "seed"].some((name) => name in sent)) return {};
  const { view, strategy, ratio, seed, offline: { ratios, first, seeds, chosen } } = state;
  const near = nearest({ ratios, first, seeds }, ratio, seed);
  const { bits, failed } = chosen[view.strategies.indexOf(strategy)];
  const kept = `This page keeps the draws of ratios in steps of 0.05 and of seeds ${first} to ${first + seeds - 1}`;
  const shown = `what you see is ratio ${number(near.ratio)}, seed ${near.seed}. The notebook makes every draw.`;
  const note = Math.abs(near.ratio - ratio) < 0.001 && near.seed === seed ? "" : `${kept}: ${shown}`;
  const failure = failed.find(([from, to]) => from <= near.place && near.place <= to);
  if (failure) return { error: failure[2], note };
  const all = unpacked(bits);
  let next = near.place * view.maskable.filter(Boolean).length;
  return { masked: view.maskable.map((may) => may && all[next++] === 1), error: "", note };
}

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
  const note = make("p", { class: "mlm-hint", role: "status" }); // of a page without Python
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
    note.textContent = model.get("note") ?? "";
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

  for (const name of ["masked", "error", "note", "strategy", "ratio", "seed"]) on(`change:${name}`, repaint);
  root.append(
    make("div", { class: "mlm-controls" }, field("Strategy", strategy), field("Ratio", slider, ratio),
      field("Seed", seed, again)),
    strip, words, ...(stored(model) ? [note] : []), python.node, error);
  go(0, 0);
  repaint();
}

export default widget(draw);
