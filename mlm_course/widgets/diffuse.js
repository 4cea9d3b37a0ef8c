// A masked-diffusion model that writes in the page, step by step: a blank line, the reader's own
// sentence with gaps, or a text of which some tokens were masked again. The model is fetched when a
// step is to be computed that is not there yet; the first run came with the widget, from Python.

const ORDERS = [["confidence", "most confident first"], ["random", "random"], ["bernoulli", "each by chance"]];
const PACES = { slow: 2000, medium: 900, fast: 300 }; // milliseconds between two steps
const LETTERS = 9; // of a token that has room in its box at once; fewer on a phone
const HINT = "Bold: another token than before. Dashed, \u2193: masked again for the next step. Click a token, or press "
  + "Enter on it, to mask it again; Next or Play fills what is masked. \u2190 and \u2192 go from token to token, "
  + "\u2191 and \u2193 from step to step.";

const counted = (flags) => flags.filter(Boolean).length;

// load() is a promise of the model: its weights are asked for when a step needs them, and again while
// they are not here. load.node says where that stands.
function loader(model, on) {
  const python = connection(model, on, () => { said.textContent = ""; });
  const said = make("p", { class: "mlm-note", role: "status" });
  let [isHere, arrive, asked] = [false, null, -PATIENCE];
  const network = new Promise((done) => { arrive = done; });
  whenLoaded(model, on, (loaded) => {
    said.textContent = "";
    isHere = true;
    arrive(loaded);
  });
  function load() {
    if (isHere || performance.now() - asked < PATIENCE) return network;
    asked = performance.now();
    said.textContent = "The model is on its way \u2026";
    python.ask();
    message(model, { ask: "weights" });
    return network;
  }
  load.node = make("div", {}, python.node, said);
  return load;
}

// A row that is filled step by step: start, what it began with; trace, the steps that are there; total,
// how many it has; shown, the one in sight, 0 for the start. settings() are { steps, sampler, seed } now;
// changed() runs when another step is in sight, failed(problem) when one cannot be computed.
class Run {
  constructor(load, settings, changed, failed) {
    Object.assign(this, { load, settings, changed, failed, computing: false, random: null });
  }

  // A row { canvas, masked } to fill; chance goes on where it is, unless it is to begin anew as well.
  begin(row, trace = []) {
    const total = trace.length || Math.min(this.settings().steps, counted(row.masked));
    Object.assign(this, { start: row, trace, total, shown: trace.length, target: trace.length, source: null });
  }

  get now() {
    return this.shown ? this.trace[this.shown - 1] : null;
  }

  // The tokens before the step in sight.
  get before() {
    return this.shown > 1 ? this.trace[this.shown - 2].tokens : this.start.canvas;
  }

  // Brings a step in sight, from 0 to total; what is not there yet is computed, and shown in turn.
  async reach(to) {
    this.target = Math.min(Math.max(to, 0), this.total);
    if (this.target <= this.trace.length) {
      this.shown = this.target;
      return this.changed();
    }
    if (this.computing) return this.load(); // what is under way goes on; a question that was lost is asked again
    this.computing = true;
    try {
      while (this.shown < this.target) await this.compute();
    } catch (problem) {
      this.target = this.shown;
      this.failed(problem);
    } finally {
      this.computing = false;
    }
    return undefined;
  }

  // One more step, unless meanwhile another row began, or the reader went back.
  async compute() {
    const { trace, start } = this;
    const network = await this.load();
    await new Promise((done) => { setTimeout(done); }); // the page may paint between two steps
    if (trace !== this.trace || this.target <= trace.length) return;
    const { sampler, seed } = this.settings();
    this.random ??= generator(seed);
    this.source ??= refine(predictor(network), start.canvas, start.masked, this.total, sampler, this.random);
    trace.push(this.source.next().value);
    this.shown = trace.length;
    this.changed();
  }

  // The text in sight as a row in which a token is masked, or given back; null where none stands yet.
  toggled(place) {
    const { now, start } = this;
    const masked = [...(now ? now.again : start.masked)];
    if (!now && masked[place] && start.canvas[place] === MASK_ID) return null;
    masked[place] = now ? true : !masked[place];
    return { canvas: now ? now.tokens : start.canvas, masked };
  }
}

// A step in words, or the start.
function runWords({ start, shown, total, now, before }) {
  const n = counted(start.masked);
  if (!n) return "Nothing is masked: click a token, and the model fills it anew.";
  if (!now) {
    const places = n === 1 ? "1 place is masked" : `${n} places are masked`;
    return `${places}, to be filled in ${total === 1 ? "1 step" : `${total} steps`}.`;
  }
  const again = counted(now.again);
  const changed = counted(now.tokens.map((token, place) => before[place] !== MASK_ID && before[place] !== token));
  const filled = `${counted(now.masked)} of ${n} filled in${changed ? `, ${changed} changed` : ""}`;
  const next = shown === total ? "This was the last step." : `${again || "None"} ${again === 1 ? "is" : "are"} masked again.`;
  return `Step ${shown} of ${total}: ${filled}. ${next}`;
}

// The boxes of a run's tokens, and what is told of one of them. tokenizer and named(id), a token's label;
// act: toggle(place) and step(by). Returns node, told, layOut() for a row of another length, repaint(), say().
function tokenStrip(run, model, tokenizer, named, act) {
  const node = make("div", { class: "mlm-diffuse" });
  const told = make("p", { class: "mlm-words", "aria-live": "polite" });
  const first = tokenizer.ends ? 1 : 0; // the place of the first box: [CLS] has none
  const widest = Math.min(LETTERS, Math.max(...tokenizer.pieces.map((_, id) => letters(named(id)))));
  const cited = (id) => ["\u201c", apart(named(id)), "\u201d"];
  const say = (...parts) => told.replaceChildren(...parts);
  let [drawn, boxes, widen, widths, looked] = [null, [], null, [], null];

  function layOut() {
    const count = run.start.canvas.length - 2 * first;
    if (boxes.length === count) return;
    drawn?.leave();
    drawn = listening(model);
    const { node: rows, strip, nodes, ...rest } = tokenBoxes(count, drawn.on);
    ({ boxes, widen } = rest);
    widths = boxes.map(() => (window.innerWidth < 600 ? 0 : widest));
    looked = null;
    nodes.forEach((box, i) => {
      box.addEventListener("click", () => act.toggle(i + first));
      box.addEventListener("mouseenter", () => tell(i));
      box.addEventListener("focus", () => { looked = i; tell(i); });
    });
    strip.addEventListener("mouseleave", () => tell(looked));
    strip.addEventListener("keydown", (event) => { // up and down walk through the steps
      const by = { ArrowUp: -1, ArrowDown: 1 }[event.key];
      if (!by || event.ctrlKey || event.altKey || event.metaKey) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      act.step(by);
    });
    roving(strip, [nodes], () => {})(0, 0);
    node.replaceChildren(rows);
  }

  function repaint() {
    const { start, now, before } = run;
    boxes.forEach((box, i) => {
      const place = i + first;
      const [token, old] = [(now?.tokens ?? start.canvas)[place], before[place]];
      const isFree = start.masked[place];
      paintBox(box, {
        token: named(token), sure: isFree && now ? now.confidence[place] : null, again: Boolean(now?.again[place]),
        masked: (now ?? start).masked[place], changed: now !== null && old !== MASK_ID && old !== token,
      });
      if (now || !isFree) widths[i] = Math.max(widths[i], letters(named(token)));
      else paintGap(box);
    });
    widen(widths);
    tell(looked);
  }

  // A place before the first step: nothing is in it.
  function paintGap({ node: box, kept, sure }) {
    [kept.textContent, sure.textContent] = ["", ""];
    box.setAttribute("aria-label", "[MASK], to be filled in");
  }

  // What the steps up to now chose at a place, and what else was likely; null says nothing.
  function tell(i) {
    if (i === null) return say();
    const { start, trace, shown } = run;
    const place = i + first;
    if (!start.masked[place]) return say(`Token ${i + 1}: `, ...cited(start.canvas[place]), " is given.");
    const choices = trace.slice(0, shown).flatMap((step, k) => (step.masked[place] ? [[k + 1, step]] : []));
    const parts = choices.flatMap(([k, { tokens, confidence, others }], n) => [
      n ? `; masked again, step ${k} chose ` : `step ${k} chose `, ...cited(tokens[place]), ` (${number(confidence[place])})`,
      ...others[place].flatMap(([p, id], o) => [o ? ", " : ", beside ", ...cited(id), ` (${number(p)})`]),
    ]);
    return say(`Token ${i + 1}: `, ...(parts.length ? parts : ["[MASK], to be filled in"]), ".");
  }

  // The text as it stands, with gaps where something is masked next.
  function sentence() {
    const { start, now } = run;
    const [tokens, gaps] = now ? [now.tokens, now.again] : [start.canvas, start.masked];
    const texts = tokens.map((id, place) => (gaps[place] ? "___" : named(id)));
    return texts.slice(first, tokens.length - first).join(" ").replace(/ ##/g, "").replace(/ ([.,!?;])(?= |$)/g, "$1");
  }
  return { node, told, layOut, repaint, say, cited, sentence, leave: () => drawn?.leave() };
}

// ---------------------------------------------------------------- controls

// A button; where it has aria-disabled it can be reached, and does nothing.
function pushButton(text, onClick) {
  const node = make("button", { type: "button", ...KEYS }, text);
  node.addEventListener("click", () => node.getAttribute("aria-disabled") !== "true" && onClick());
  return node;
}

const setting = (name, ...nodes) => make("label", { class: "mlm-setting" }, make("span", {}, name), ...nodes);

// A slider with its number; show(value, text).
function rangeSetting(name, limits, onInput) {
  const [input, value] = [make("input", { type: "range", ...limits, ...KEYS }), make("output", {})];
  input.addEventListener("input", () => onInput(Number(input.value)));
  const show = (now, text = now) => { [input.value, value.textContent] = [now, text]; };
  return { input, show, node: setting(name, input, value) };
}

function selectSetting(name, options, onChange) {
  const input = make("select", KEYS, ...options.map(([value, text]) => make("option", { value }, text)));
  input.addEventListener("change", () => onChange(input.value));
  return { input, node: setting(name, input) };
}

// The settings of the sampler, each a trait. Returns node and repaint(sampler, steps, most).
function samplerControls(model) {
  const put = (name) => (value) => send(model, { [name]: value });
  const steps = rangeSetting("Steps", { min: 1, max: 1 }, put("steps"));
  const temperature = rangeSetting("Temperature", { min: 0, max: 1.5, step: 0.1 }, put("temperature"));
  const order = selectSetting("Order", ORDERS, put("order"));
  const schedule = selectSetting("Schedule", Object.keys(SCHEDULES).map((name) => [name, name]), put("schedule"));
  const tick = make("input", { type: "checkbox", ...KEYS });
  tick.addEventListener("change", () => put("may_remask")(tick.checked));
  const remasking = make("label", { class: "mlm-tick" }, tick, make("span", {}, "kept tokens may be masked again"));
  const group = { class: "mlm-controls mlm-field mlm-settings mlm-sampler", role: "group", "aria-label": "Sampler" };
  const node = make("div", group, steps.node, temperature.node, order.node, schedule.node, remasking);

  function repaint(sampler, total, most) {
    steps.input.max = Math.max(most, 1);
    steps.show(Math.max(total, 1), total);
    temperature.show(sampler.temperature, number(sampler.temperature).slice(0, -1));
    [order.input.value, schedule.input.value] = [sampler.order, sampler.schedule];
    [tick.checked, tick.disabled] = [sampler.mayRemask, sampler.order === "bernoulli"];
  }
  return { node, repaint };
}

// The choice of what is filled: a blank line of some length, or a text, which check(text) has to pass.
// Returns nodes and repaint(); again(text) runs for a text that is there already.
function rowControls(model, check, again) {
  const { examples, longest } = model.get("view");
  const length = rangeSetting("Length", { min: 1, max: longest }, (value) => send(model, { length: value }));
  const text = make("input", { type: "text", maxlength: 1000, autocomplete: "off", spellcheck: "false", dir: "auto", ...KEYS });
  text.value = model.get("text") || examples[0] || "";
  const own = make("div", { class: "mlm-own" }, setting("Your sentence, ___ for each gap", text), pushButton("Use it", use));
  const offered = examples.map((example) => make("button", { type: "button", tabindex: "-1", dir: "auto" }, example));
  offered.forEach((node, n) => node.addEventListener("click", () => { text.value = examples[n]; use(); }));
  const list = make("ul", { class: "mlm-strip mlm-offered", role: "list", "aria-label": "Examples" },
    ...offered.map((node) => make("li", {}, node)));
  if (offered.length) roving(list, [offered], () => {})(0, 0);
  const kinds = [["blank", "a blank line"], ["own", "a sentence with gaps"]];
  const from = choice("What is to be filled", kinds, (kind) => {
    show(kind === "own");
    if (kind === "blank" && model.get("text")) send(model, { text: "" });
    if (kind === "own" && text.value) use();
  });

  function use() {
    if (!check(text.value)) return;
    if (text.value === model.get("text")) again();
    else send(model, { text: text.value });
  }
  text.addEventListener("keydown", (event) => {
    const modified = event.ctrlKey || event.altKey || event.metaKey || event.shiftKey;
    if (event.key === "Enter" && !modified && !event.isComposing) use();
  });

  function show(isOwn) {
    from.set(isOwn ? "own" : "blank");
    [own.hidden, list.hidden, length.node.hidden] = [!isOwn, !isOwn || !offered.length, isOwn];
  }
  function repaint() {
    if (model.get("text")) text.value = model.get("text");
    length.show(model.get("length"));
    show(Boolean(model.get("text")));
  }
  const node = make("div", { class: "mlm-controls mlm-field mlm-settings" }, from.node, length.node, own);
  return { nodes: [node, list], repaint };
}

// Buttons and a slider that lead through a run. act: play, pause, fromOrigin, writeAnew.
function playControls(run, act) {
  const stepped = (to) => () => { act.pause(); run.reach(to()); };
  const player = pushButton("Play", act.play);
  player.classList.add("mlm-player");
  const back = pushButton("Previous", stepped(() => run.target - 1));
  const forth = pushButton("Next", stepped(() => run.target + 1));
  const slider = make("input", { type: "range", min: 0, "aria-label": "Step", ...KEYS });
  slider.addEventListener("input", () => {
    const wanted = Number(slider.value); // before the controls are painted
    act.pause();
    run.reach(wanted);
  });
  const where = make("div", { "aria-hidden": "true", class: "mlm-where" });
  const speed = selectSetting("Speed", Object.keys(PACES).map((name) => [name, name]), () => {});
  speed.input.value = "medium";
  const over = pushButton("Start again", () => { act.pause(); act.fromOrigin(); });
  const other = pushButton("Write anew", act.writeAnew);
  const seed = make("output", {});
  const node = make("div", { class: "mlm-controls mlm-field mlm-settings", role: "group", "aria-label": "Playing" },
    make("div", { class: "mlm-field" }, player, back, forth), make("div", { class: "mlm-field" }, slider, where),
    speed.node, make("div", { class: "mlm-field" }, over, other, seed));

  function repaint(playing, chance) {
    const { shown, total } = run;
    [slider.max, slider.value] = [Math.max(total, 1), shown];
    slider.setAttribute("aria-valuetext", shown ? `step ${shown} of ${total}` : "start");
    where.textContent = `${shown} of ${total}`;
    player.textContent = playing ? "Pause" : "Play";
    seed.textContent = chance || "nothing is left to chance";
    const disabled = [[player, !total], [back, !shown], [forth, shown === total], [other, !chance]];
    disabled.forEach(([button, is]) => button.setAttribute("aria-disabled", String(is)));
  }
  return { node, repaint, pace: () => PACES[speed.input.value] };
}

// ---------------------------------------------------------------- put together

function draw(model, root, on) {
  const { title, most, gumbel, of_remaining: ofRemaining, run: stored } = model.get("view");
  const vocabulary = model.get("vocabulary");
  const tokenizer = new Tokenizer(vocabulary);
  const named = (id) => vocabulary.labels[id] ?? tokenizer.pieces[id];
  const load = loader(model, on);
  const error = make("p", { class: "mlm-error", role: "alert" });
  const words = make("p", { class: "mlm-words", "aria-live": "polite" });
  const written = make("p", { class: "mlm-written", dir: "auto" });
  let [playing, timer] = [false, null];

  const settings = () => ({
    steps: model.get("steps"),
    seed: model.get("seed"),
    sampler: {
      schedule: model.get("schedule"), temperature: model.get("temperature"), order: model.get("order"),
      mayRemask: model.get("may_remask") && model.get("order") !== "bernoulli", gumbel, ofRemaining,
    },
  });
  const run = new Run(load, settings, repaint, (problem) => {
    pause();
    error.textContent = problem.message;
  });

  // ---- playing

  function pause() {
    clearTimeout(timer);
    playing = false;
    repaintControls();
  }

  async function tick() {
    await run.reach(run.shown + 1);
    if (!playing) return;
    if (run.shown === run.total) pause();
    else timer = setTimeout(tick, controls.pace());
  }

  function play() {
    clearTimeout(timer);
    playing = true;
    if (run.shown === run.total) run.reach(0);
    repaintControls();
    timer = setTimeout(tick, run.shown ? 0 : controls.pace() / 2);
  }

  // Other random numbers, from the start. Played, unless the reader wants little to move.
  function writeAnew() {
    pause();
    const isStill = matchMedia("(prefers-reduced-motion: reduce)").matches;
    then = isStill ? () => run.reach(run.total) : play;
    send(model, { seed: model.get("seed") + 1 });
  }

  // ---- rows

  // The present row once more, or another one; a run that was playing plays on.
  function restart(row = run.start) {
    clearTimeout(timer);
    error.textContent = "";
    run.random = null;
    run.begin(row);
    repaint();
    if (playing) play();
  }

  // The row that the settings ask for, from its start.
  function fromOrigin() {
    const text = model.get("text");
    if (!text) restart(blank(model.get("length"), tokenizer.ends));
    else if (check(text)) restart(gapRow(tokenizer, text, most));
  }

  function check(text) {
    try {
      gapRow(tokenizer, text, most);
      return true;
    } catch (problem) {
      error.textContent = problem.message;
      return false;
    }
  }

  function toggle(place) {
    pause();
    const row = run.toggled(place);
    if (!row) return strip.say("Nothing stands here yet: Next or Play fills it.");
    run.begin(row);
    repaint();
    const fate = row.masked[place] ? " is masked again. Next or Play fills what is masked." : " stays.";
    return strip.say(...strip.cited(row.canvas[place]), fate);
  }

  // ---- what is seen

  const act = { play: () => (playing ? pause() : play()), pause, fromOrigin, writeAnew };
  const controls = playControls(run, act);
  const strip = tokenStrip(run, model, tokenizer, named, { toggle, step: (by) => { pause(); run.reach(run.target + by); } });
  const rows = rowControls(model, check, () => { pause(); fromOrigin(); });
  const sampling = samplerControls(model);

  function repaintControls() {
    const { sampler, seed } = settings();
    const by = run.trace === stored.steps ? "drawn in Python" : "drawn in this page";
    controls.repaint(playing, draws(sampler) && `${by}, seed ${seed}`);
    sampling.repaint(sampler, run.total, counted(run.start.masked));
  }

  function repaint() {
    strip.layOut();
    strip.repaint();
    words.textContent = runWords(run);
    written.setAttribute("aria-live", run.shown === run.total ? "polite" : "off"); // the finished text is read out
    written.textContent = strip.sentence();
    repaintControls();
  }

  // ---- changes of the traits, however many at once

  let [due, then] = [null, null]; // what they ask for, and what comes after it
  function once(change) {
    if (!due) queueMicrotask(() => {
      due();
      then?.();
      [due, then] = [null, null];
    });
    if (due !== fromOrigin) due = change;
  }
  const again = () => restart();
  for (const name of ["text", "length"]) on(`change:${name}`, rows.repaint);
  for (const name of ["text", "length", "seed"]) on(`change:${name}`, () => once(fromOrigin));
  for (const name of ["steps", "temperature", "order", "schedule", "may_remask"]) on(`change:${name}`, () => once(again));
  on("leave", () => {
    clearTimeout(timer);
    playing = false;
    run.begin(run.start); // what is under way ends
    strip.leave();
  });

  if (title) root.append(make("strong", {}, title));
  root.append(...rows.nodes, controls.node, load.node, error, written, words, strip.node, strip.told,
    make("small", { class: "mlm-hint" }, HINT), sampling.node);
  const isAsStored = Object.entries(stored.settings).every(([name, value]) => model.get(name) === value);
  run.begin(stored, isAsStored ? stored.steps : []);
  rows.repaint();
  repaint();
  if (!isAsStored) fromOrigin(); // they were changed before this page was drawn
}

export default widget(draw);
