// Quiz questions: a click on an option judges it here, at once; Python keeps the record.

const LOST = "Not recorded yet: the kernel is busy or gone. If this line stays, run this cell again and click once more.";

const KEPT = "mlm-course-quiz"; // where a page without Python keeps the answers, by question

function remembered() {
  try {
    return JSON.parse(localStorage.getItem(KEPT)) ?? {};
  } catch { // a browser that keeps nothing, or what is no longer readable
    return {};
  }
}

function remember(chosen) {
  try {
    localStorage.setItem(KEPT, JSON.stringify({ ...remembered(), ...chosen }));
  } catch { /* a browser that keeps nothing */ }
}

const recorded = (chosen) => Object.fromEntries(Object.entries(chosen).map(([id, letter]) => [id, [letter, ""]]));

// The record of a page without Python, which the browser keeps.
export function offline(state, { chosen }) {
  if (!chosen) return {};
  remember(chosen);
  return { saved: recorded(chosen) };
}

// The answers of an earlier visit, of the questions and options that there still are.
function restore(model) {
  const before = remembered();
  const still = model.get("view").questions.filter(({ id, options }) => options.some(({ letter }) => letter === before[id]));
  const chosen = Object.fromEntries(still.map(({ id }) => [id, before[id]]));
  model.set("chosen", chosen);
  model.set("saved", recorded(chosen));
}

// Text in which `backticks` become code.
function rich(text) {
  return text.split(/`([^`\n]+)`/).map((part, i) => (i % 2 ? make("code", {}, part) : part));
}

function ask(question, model, on) {
  const { id, prompt, options } = question;
  const says = make("div", { class: "mlm-says", role: "status" });
  const lost = make("p", { class: "mlm-lost", role: "status" });
  const buttons = options.map(({ letter, text }) => {
    const mark = make("span", { class: "mlm-sign", "aria-hidden": "true" });
    const button = make("button", { type: "button", ...KEYS }, mark, make("span", {}, `${letter}) `, ...rich(text)));
    button.addEventListener("click", () => send(model, { chosen: { ...model.get("chosen"), [id]: letter } }));
    return button;
  });
  let timer;

  function repaint() {
    const chosen = model.get("chosen")[id];
    options.forEach(({ letter, right }, i) => {
      const here = letter === chosen;
      buttons[i].setAttribute("aria-pressed", String(here));
      buttons[i].className = here ? (right ? "mlm-right" : "mlm-wrong") : "";
      buttons[i].firstChild.textContent = here ? (right ? "\u2713" : "\u2717") : "";
    });
    const option = options.find(({ letter }) => letter === chosen);
    if (!option) return;
    const verdict = `${option.letter} is ${option.right ? "right" : "not it"}.`;
    if (says.dataset.shown !== chosen) {
      says.dataset.shown = chosen; // a screen reader hears it once
      says.replaceChildren(make("strong", {}, verdict), " ", ...rich(option.feedback));
    }
    confirm(chosen);
  }

  // What Python says of the record: nothing if all went well.
  function confirm(chosen) {
    const [letter, note] = model.get("saved")[id] ?? [];
    clearTimeout(timer);
    if (letter === chosen) lost.textContent = note;
    else timer = setTimeout(() => { lost.textContent = LOST; }, PATIENCE);
  }

  on("change:chosen", repaint);
  on("change:saved", repaint);
  repaint();
  return make("fieldset", { class: "mlm-question" },
    make("legend", {}, make("strong", {}, id), " ", ...rich(prompt)), ...buttons, says, lost);
}

function draw(model, root, on) {
  root.classList.add("mlm-quiz");
  if (stored(model)) restore(model);
  root.append(...model.get("view").questions.map((question) => ask(question, model, on)));
  if (stored(model)) root.append(make("small", {}, "Your answers stay in this browser. In the notebook they count for your progress."));
}

export default widget(draw);
