// A text that is filled in step by step: for every widget that shows such steps. All of them are in
// the view, so that the slider never waits for Python.

// Letters of a typewriter that a text is wide; those of Chinese, Japanese and Korean count twice.
function letters(text) {
  return [...text].reduce((sum, letter) => sum + (letter.codePointAt(0) >= 0x2e80 ? 2 : 1), 0);
}

// Shade of a confidence. The same as views/refinement.py.
function shade(sure) {
  return `rgba(${BLUE}, ${Math.round(sure * 0.6 * 20) / 20})`;
}

// Boxes of tokens, three lines each: what the model saw, what stands there after the step, how sure it was.
// Returns node, with the names of the lines beside each row into which the tokens are broken, and in it
// strip, nodes (the buttons), boxes (their parts), and widen(letters), how wide each box is at every step.
function tokenBoxes(count, on) {
  const boxes = Array.from({ length: count }, () => {
    const parts = { seen: make("span", { dir: "auto" }), kept: make("span", { dir: "auto" }), sure: make("small") };
    const node = make("button", { type: "button", tabindex: "-1" }, ...Object.values(parts));
    return { node, ...parts };
  });
  const nodes = boxes.map(({ node }) => node);
  const strip = make("ul", { class: "mlm-strip mlm-refined", role: "list", "aria-label": "Tokens" },
    ...nodes.map((node) => make("li", {}, node)));
  const widen = (widths) => nodes.forEach(({ parentNode }, place) => {
    parentNode.style.minWidth = `min(100%, ${Math.max(widths[place], 6)}ch + 20px)`;
  });
  const sides = make("div", { class: "mlm-sides", "aria-hidden": "true" });
  const beside = new ResizeObserver(() => {
    const tops = new Set(nodes.map((node) => node.parentNode.offsetTop));
    sides.replaceChildren(...[...tops].map((top) => make("div", { style: `top:${top}px` },
      ...["model sees", "after the step", "confidence"].map((line) => make("span", {}, line)))));
  });
  beside.observe(strip);
  on("leave", () => beside.disconnect());
  return { node: make("div", { class: "mlm-rows" }, sides, strip), strip, nodes, boxes, widen };
}

// One box as it stands after a step. sure: null for a token that is given; verdict: whether it is right, or null.
function paintBox({ node, seen, kept, sure }, { token, sure: confidence, masked, again, changed, verdict = null }) {
  const told = confidence === null ? "given" : number(confidence);
  seen.textContent = masked ? "[MASK]" : token;
  seen.classList.toggle("mlm-closed", masked);
  kept.textContent = token;
  kept.style.backgroundColor = confidence === null ? "" : shade(confidence);
  sure.textContent = told + (again ? " \u2193" : "") + (verdict === null ? "" : verdict ? " \u2713" : " \u2717");
  node.classList.toggle("mlm-filled", masked);
  node.classList.toggle("mlm-again", again);
  node.classList.toggle("mlm-changed", changed);
  const facts = [
    token, told, masked && "was masked", changed && "changed", again && "masked again",
    verdict !== null && (verdict ? "right" : "wrong"),
  ];
  node.setAttribute("aria-label", facts.filter(Boolean).join(", "));
}

// Draws a view of steps into root; the model's "step" is the one that is shown.
function drawSteps(view, model, root, on) {
  const { title, steps, given, right, history } = view;
  const last = steps.length;
  const now = () => Math.min(Math.max(model.get("step"), 1), last);
  let looked = null; // place of the token that tells its history

  const slider = make("input", { type: "range", "aria-label": "Step", min: 1, max: last, step: 1, ...KEYS });
  const where = make("div", { "aria-hidden": "true", style: `min-width:${`${last} of ${last}`.length}ch` });
  const back = make("button", { type: "button", ...KEYS }, "Previous");
  const forth = make("button", { type: "button", ...KEYS }, "Next");
  const words = make("p", { class: "mlm-words", "aria-live": "polite" });
  const told = make("p", { class: "mlm-words", "aria-live": "polite" });

  const { node: rows, strip, boxes, nodes, widen } = tokenBoxes(given.length, on);
  widen(given.map((_, place) => Math.max(...steps.map((step) => letters(step.tokens[place])))));

  function go(step) {
    if (step >= 1 && step <= last) send(model, { step });
  }

  // What happened to a token up to now; null says nothing.
  function tell(place) {
    const known = place === null ? [] : history[place].filter(([, from, to]) => from <= now() && now() <= to);
    told.textContent = known.length ? `Token ${place + 1}: ${known.map(([part]) => part).join("; ")}.` : "";
  }

  function repaintBox(box, place) {
    const { tokens, confidences, masked, again, changed } = steps[now() - 1];
    const verdict = right && now() === last ? right[place] : null;
    paintBox(box, {
      token: tokens[place], sure: given[place] ? null : confidences[place], masked: masked[place], again: again[place],
      changed: changed[place], verdict,
    });
  }

  function repaint() {
    const step = steps[now() - 1];
    boxes.forEach(repaintBox);
    slider.value = now();
    slider.setAttribute("aria-valuetext", `step ${now()} of ${last}`);
    where.textContent = `${now()} of ${last}`;
    back.setAttribute("aria-disabled", String(now() === 1));
    forth.setAttribute("aria-disabled", String(now() === last));
    words.textContent = `${step.words} ${step.why}`;
    tell(looked);
  }

  slider.addEventListener("input", () => go(Number(slider.value)));
  back.addEventListener("click", () => go(now() - 1));
  forth.addEventListener("click", () => go(now() + 1));
  // Up and down walk through the steps, at the token that has the focus.
  strip.addEventListener("keydown", (event) => {
    const by = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (!by || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    go(now() + by);
  });
  roving(strip, [nodes], () => {})(0, 0);
  const at = (event) => nodes.indexOf(event.target.closest("button"));
  strip.addEventListener("focusin", (event) => { looked = at(event); tell(looked); });
  strip.addEventListener("mouseover", (event) => at(event) >= 0 && tell(at(event)));
  strip.addEventListener("mouseleave", () => tell(looked));

  on("change:step", repaint);
  if (title) root.append(make("strong", {}, title));
  if (last > 1) {
    const field = make("div", { class: "mlm-field", role: "group", "aria-label": "Step" },
      make("span", {}, "Step"), slider, where, back, forth);
    root.append(make("div", { class: "mlm-controls" }, field));
  }
  const legend = "Bold: another token than before. Dashed, \u2193: masked again for the next step. "
    + "Point at a token, or go there with Tab, \u2190 and \u2192, to see what happened to it; \u2191 and \u2193 change the step.";
  root.append(rows, words, told, make("small", {}, legend));
  repaint();
}
