// Brings a page of the book to life without a kernel. In place of each widget's static picture it
// draws the widget itself, from the same JavaScript as in a notebook and the state that was stored
// when the lesson ran. Where that fails, the picture stays, and a sentence says why.

const STATIC = new URL("./", document.currentScript?.src || document.baseURI);
const FROM_DISK = "This is a picture: opened from the disk, a page may not load its live parts. "
  + "\u201cmake book-serve\u201d shows the book with all of them.";
const BROKEN = "This is a picture: its live part could not be loaded.";
const AHEAD = "800px"; // a widget is drawn before the reader has scrolled to it

const alike = (a, b) => a === b || JSON.stringify(a) === JSON.stringify(b);

// The model that a widget talks to, without Jupyter: traits, change events, and answers.
// offline(state, sent) answers what the page has set, as Python would in a notebook;
// reply(message) answers a message, with [content, buffers] or nothing.
function standIn(state, offline, reply, onFailure) {
  const listeners = {};
  const unsent = new Set();
  let last = Promise.resolve(); // answers come in the order of their questions
  const tell = (event, ...what) => [...(listeners[event] ?? [])].forEach((f) => f(...what));

  function receive(changes) { // all of them first, as a model of Jupyter does
    const names = Object.keys(changes ?? {}).filter((name) => !alike(state[name], changes[name]));
    names.forEach((name) => { state[name] = changes[name]; });
    names.forEach((name) => tell(`change:${name}`));
  }
  const answer = (work) => { last = last.then(work).catch(onFailure); };

  return {
    get: (name) => state[name],
    set(name, value) {
      const changes = typeof name === "string" ? { [name]: value } : name;
      Object.keys(changes).forEach((n) => { if (!alike(state[n], changes[n])) unsent.add(n); });
      receive(changes);
    },
    save_changes() {
      const sent = Object.fromEntries([...unsent].map((name) => [name, state[name]]));
      unsent.clear();
      if (offline) answer(async () => receive(await offline({ ...state }, sent)));
    },
    send(content) { // a page that still loads or works on an answer is there, too: that is said at once
      const told = async () => {
        const replied = await reply(content);
        if (replied) tell("msg:custom", ...replied);
      };
      if (content.ask === "here?") told().catch(onFailure);
      else answer(told);
    },
    on(event, f) { (listeners[event] ??= []).push(f); },
    off(event, f) { listeners[event] = f ? (listeners[event] ?? []).filter((g) => g !== f) : []; },
  };
}

// What a page answers in Python's place: that it is there, and a model's weights.
async function replyOf(state, message) {
  if (message.ask === "here?") return [{ answer: "here" }, []];
  if (message.ask === "weights") return [{ answer: "weights" }, [await weights(state.checkpoint)]];
  return undefined;
}

// Weights of a checkpoint, fetched once a page.
const fetched = {};
function weights(checkpoint) {
  const get = async () => {
    const response = await fetch(new URL(`models/${checkpoint}/model.safetensors`, STATIC));
    if (!response.ok) throw new Error(`the model could not be loaded (${response.status})`);
    return response.arrayBuffer();
  };
  fetched[checkpoint] ??= get().catch((problem) => {
    delete fetched[checkpoint]; // the next question tries again
    throw problem;
  });
  return fetched[checkpoint];
}

function note(text) {
  const node = document.createElement("p");
  node.className = "book-note";
  node.setAttribute("role", "status");
  node.textContent = text;
  return node;
}

// Draws the widget of a placeholder, and takes the picture away once it stands.
async function mount(placeholder) {
  const name = placeholder.dataset.widget;
  const root = document.createElement("div");
  try {
    const stored = placeholder.querySelector(":scope > script[type='application/json']");
    const state = JSON.parse(stored.textContent);
    const module = await import(new URL(`widgets/${name}.js`, STATIC).href);
    const says = note("");
    const fail = (problem) => { says.textContent = `No answer: ${problem.message}.`; };
    const model = standIn(state, module.offline, (message) => replyOf(state, message), fail);
    placeholder.append(root, says);
    await module.default.render({ model, el: root });
    [...placeholder.children].forEach((child) => child === root || child === says || child.remove());
    placeholder.dataset.live = "yes";
  } catch (problem) {
    root.remove();
    placeholder.append(note(location.protocol === "file:" ? FROM_DISK : `${BROKEN} (${problem.message})`));
    placeholder.dataset.live = "no";
  }
}

// Widgets in sight first, others when they come near.
function mountAll() {
  const seen = new IntersectionObserver((entries) => entries.filter((e) => e.isIntersecting).forEach((entry) => {
    seen.unobserve(entry.target);
    mount(entry.target);
  }), { rootMargin: AHEAD });
  document.querySelectorAll(".mlm-widget").forEach((placeholder) => seen.observe(placeholder));
}

// Hints come one after the other: each button opens the next.
function hintsOneByOne() {
  for (const list of document.querySelectorAll(".book-hints")) {
    const hints = [...list.querySelectorAll(":scope > details")];
    hints.forEach((hint, i) => { hint.hidden = i > 0; });
    hints.forEach((hint, i) => hint.addEventListener("toggle", () => {
      if (hint.open && hints[i + 1]) hints[i + 1].hidden = false;
    }));
  }
}

// What scrolls can be reached by keyboard, and has a name.
function scrollableByKeyboard() {
  for (const box of document.querySelectorAll(".bd-content .text_html, .bd-content .text_html div, .book-math")) {
    const fits = box.scrollWidth <= box.clientWidth + 1 && box.scrollHeight <= box.clientHeight + 1;
    if (box.closest(".mlm") || fits) continue;
    if (getComputedStyle(box).overflowX === "visible" || box.hasAttribute("tabindex")) continue;
    box.tabIndex = 0;
    box.setAttribute("role", "region");
    box.setAttribute("aria-label", "picture, scrolls");
  }
}

// Excerpts of found pages come from their text: not from the buttons and the contents beside it.
function excerptsOfTheText() {
  if (typeof Search === "undefined") return;
  const BESIDE = ".bd-header-article, .bd-sidebar-secondary, #jb-print-docs-body, .prev-next-footer";
  const whole = Search.htmlToText;
  Search.htmlToText = (html, anchor) => {
    const page = new DOMParser().parseFromString(html, "text/html");
    page.querySelectorAll(BESIDE).forEach((part) => part.remove());
    return whole.call(Search, page.documentElement.outerHTML, anchor);
  };
}

// On paper everything is open, hints too; afterwards all is as the reader had it.
function openForPrint() {
  const [folded, later] = ["details:not([open])", ".book-hints > details[hidden]"].map((which) =>
    [...document.querySelectorAll(which)]);
  const set = (isOpen) => {
    folded.forEach((part) => { part.open = isOpen; });
    later.forEach((hint) => { hint.hidden = !isOpen; });
  };
  set(true);
  addEventListener("afterprint", () => set(false), { once: true });
}

function begin() {
  mountAll();
  hintsOneByOne();
  excerptsOfTheText();
  scrollableByKeyboard();
  addEventListener("load", scrollableByKeyboard); // fonts and pictures have their sizes then
  addEventListener("resize", scrollableByKeyboard);
  addEventListener("beforeprint", openForPrint);
}
if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin);
else begin();
