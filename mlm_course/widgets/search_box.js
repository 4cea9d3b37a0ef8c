// A query that is typed, and below it the passages that a search puts first.

const QUICK = 100; // milliseconds; a search that takes longer waits for a pause in typing
const SLOWEST = 400; // milliseconds of such a pause, at most
const WORKING = 300; // milliseconds after which a search says that it works

const answer = (model) => ({ hits: model.get("hits"), said: model.get("said"), error: model.get("error") });

// Where answers come from: ask({ query, method }) is a promise of one, { hits, said, error }, and
// node tells of trouble. Python answers by setting traits; a page without it may search by itself.
function fromPython(model, on, silent) {
  const python = connection(model, on, silent);
  let settle = () => {};
  on("change:answered", () => settle());
  const ask = (question) => new Promise((resolve) => {
    const asked = model.get("asked") + 1;
    settle = () => model.get("answered") === asked && resolve(answer(model));
    send(model, { ...question, asked });
    python.ask();
  });
  return { ask, node: python.node };
}

// One question under way at a time. Of those that come meanwhile the newest waits, and an answer
// that it has overtaken is not shown. insist: does not wait for an answer that seems lost.
function oneAtATime(ask, show) {
  let [next, since, took, turn, busy] = [null, 0, 0, 0, false];
  async function put(question, insist) {
    next = question;
    if (busy && !(insist && performance.now() - since > PATIENCE)) return;
    const mine = ++turn;
    busy = true;
    while (next) {
      const now = next;
      [next, since] = [null, performance.now()];
      const reply = await ask(now);
      if (mine !== turn) return;
      took = performance.now() - since;
      if (!next) show(reply);
    }
    busy = false;
  }
  return { put, pause: () => (took < QUICK ? 0 : Math.min(took, SLOWEST)), isBusy: () => busy };
}

const pieces = (parts) => parts.map(([text, isMarked]) => (isMarked ? make("mark", {}, text) : text));

// A hit: it can have the focus, and where its passage is long, Enter shows all of it.
function passage({ name, score, share, excerpt, full }, place) {
  const bar = make("span", { class: "mlm-score", title: "score", style: `background-size:${share * 100}% 100%` }, score);
  const head = make("header", {}, `${place + 1}.`, make("strong", { dir: "auto" }, name), bar);
  const id = `mlm-${Math.random().toString(36).slice(2)}`;
  const text = make("p", { id, dir: "auto" });
  const more = make("button", { type: "button", tabindex: "-1", ...KEYS });
  const named = { "aria-label": `${place + 1}. ${name}, score ${score}`, "aria-describedby": id };
  const node = make("article", { tabindex: "-1", ...named, ...KEYS }, head, text);

  let isOpen = true;
  function turn() {
    isOpen = !isOpen;
    text.replaceChildren(...pieces(isOpen ? full : excerpt));
    more.textContent = isOpen ? "less" : "more";
    more.setAttribute("aria-expanded", String(isOpen));
    more.setAttribute("aria-label", `${more.textContent} of ${name}`);
  }
  turn();
  if (full.length) node.append(more);
  more.addEventListener("click", turn);
  node.addEventListener("keydown", (event) => {
    const modified = event.ctrlKey || event.altKey || event.metaKey || event.shiftKey;
    if (event.target !== node || modified || ![" ", "Enter"].includes(event.key)) return;
    event.preventDefault();
    if (full.length) turn();
  });
  return { node, more };
}

function draw(model, root, on, source = fromPython) {
  const { title, methods, examples } = model.get("view");
  const { ask, node } = source(model, on, () => {
    clearTimeout(working);
    if (lane.isBusy()) said.textContent = "";
  });
  const input = make("input", { type: "search", maxlength: 300, autocomplete: "off", spellcheck: "false", ...KEYS });
  const label = make("label", {}, title || "Search", input);
  const said = make("p", { class: "mlm-words", "aria-live": "polite" });
  const error = make("p", { class: "mlm-error", role: "alert" });
  const below = make("div");
  let method = model.get("method");
  let last = model.get("query"); // the query that was asked for last
  let [timer, working] = [null, null]; // until a question is asked, and until it takes long
  const search = choice("Search with", methods.map((name) => [name, name]), (name) => {
    method = name;
    put();
  });

  // The first of what stands below the field, and moves among it by arrow keys.
  function rows(list, nodes, onMove = () => {}) {
    below.replaceChildren(list);
    if (nodes.length) roving(list, [nodes], (_, place) => onMove(place))(0, 0);
  }

  function showExamples() {
    said.textContent = examples.length ? "Type a query, or choose an example." : "Type a query.";
    if (below.querySelector(".mlm-strip")) return;
    const buttons = examples.map((query) => make("button", { type: "button", tabindex: "-1", dir: "auto" }, query));
    const list = make("ul", { class: "mlm-strip", role: "list", "aria-label": "Examples" },
      ...buttons.map((button) => make("li", {}, button)));
    rows(list, buttons);
    list.addEventListener("click", (event) => {
      const place = buttons.indexOf(event.target.closest("button"));
      if (place < 0) return;
      input.value = examples[place];
      input.focus();
      put();
    });
  }

  function showHits(hits) {
    const inside = below.contains(document.activeElement);
    const passages = hits.map(passage);
    const list = make("ol", { class: "mlm-hits", role: "list", "aria-label": "Passages" },
      ...passages.map(({ node }) => make("li", {}, node)));
    rows(list, passages.map(({ node }) => node), (place) => {
      passages.forEach(({ more }, i) => more.setAttribute("tabindex", i === place ? "0" : "-1"));
    });
    list.addEventListener("click", (event) => event.target.closest("button")?.focus()); // not its article
    if (inside) (passages[0]?.node ?? input).focus(); // they had it, and are gone
  }

  function show(answer) {
    clearTimeout(working);
    error.textContent = answer.error;
    if (!input.value.trim()) return showExamples();
    said.textContent = answer.said;
    showHits(answer.hits);
  }

  const lane = oneAtATime(ask, show);

  function put(insist = false) {
    [timer, working].forEach(clearTimeout);
    timer = null;
    last = input.value.trim();
    root.toggleAttribute("data-clears", input.value !== "");
    if (!last) show(answer(model));
    else {
      working = setTimeout(() => { said.textContent = "Searching \u2026"; }, WORKING);
      below.querySelector(".mlm-strip")?.remove(); // examples are for an empty field
    }
    lane.put({ query: last, method }, insist);
  }

  function typed() {
    root.toggleAttribute("data-clears", input.value !== "");
    clearTimeout(timer);
    timer = null;
    const query = input.value.trim();
    if (query === last) return;
    if (query && lane.pause()) timer = setTimeout(put, lane.pause());
    else put();
  }
  input.addEventListener("input", (event) => event.isComposing || typed());
  input.addEventListener("compositionend", typed);
  if (stored(model)) input.addEventListener("focus", () => prepare(stored(model)), { once: true });

  const plain = (event) => !(event.ctrlKey || event.altKey || event.metaKey || event.shiftKey || event.isComposing);
  input.addEventListener("keydown", (event) => {
    if (!plain(event)) return;
    if (event.key === "Enter") put(true);
    if (event.key !== "ArrowDown") return;
    event.preventDefault();
    below.querySelector("[tabindex='0']")?.focus();
  });
  below.addEventListener("keydown", (event) => { // up from the first one leads back to the field
    const first = below.querySelector("article, button");
    if (event.key !== "ArrowUp" || !plain(event) || !first?.contains(event.target)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    input.focus();
  }, true);
  root.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !root.hasAttribute("data-clears") || event.isComposing) return;
    event.preventDefault();
    event.stopPropagation();
    input.value = "";
    input.focus();
    put();
  });

  // What Python sets, or another view of this widget.
  function follow() {
    if (lane.isBusy() || timer) return; // the reader comes first
    [method, last] = [model.get("method"), model.get("query")];
    search.set(method);
    if (input.value.trim() !== last) input.value = last;
    root.toggleAttribute("data-clears", input.value !== "");
    show(answer(model));
  }
  for (const name of ["query", "method", "hits", "said", "error"]) on(`change:${name}`, follow);
  on("leave", () => [timer, working].forEach(clearTimeout));

  const controls = make("div", { class: "mlm-controls", role: "search" }, label);
  if (methods.length > 1) controls.append(search.node);
  const hint = make("small", { class: "mlm-hint" },
    "\u2193 and \u2191 move through the passages, Enter shows all of one, Esc clears.");
  const note = stored(model) ? [make("small", { class: "mlm-hint" }, limits(stored(model)))] : [];
  root.append(make("div", { class: "mlm-search" }, controls, node, error, ...note, said, below, hint));
  follow();
}

export default widget(draw);
