// A training as it runs: Python draws, the page changes the picture in its place.

const HIDDEN = "position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap";
const QUIET = 10000; // milliseconds between two sentences of a screen reader

function render({ model, el }) {
  const title = make("strong");
  const image = make("img", { style: "display:block;width:100%;max-width:640px;height:auto" });
  const status = make("p", { class: "mlm-words" });
  const words = make("div", { class: "mlm-words", style: "font-size:12px;white-space:pre-line" });
  const said = make("div", { "aria-live": "polite", style: HIDDEN });
  const root = make("div", { class: "mlm", style: "position:relative" }, title, image, status, words, said);

  function repaint() {
    const view = model.get("view");
    if (view.gone) return el.replaceChildren(); // the static picture has taken over
    title.textContent = view.title;
    if (image.src !== view.image) image.src = view.image; // the old picture stays until this one is there
    image.alt = view.alternative;
    words.textContent = view.summary;
    status.textContent = model.get("status_text");
    wait();
  }

  let timer = null;
  function wait() {
    timer ??= setTimeout(() => {
      timer = null;
      said.textContent = status.textContent;
    }, QUIET);
  }

  const events = ["change:view", "change:status_text"];
  events.forEach((event) => model.on(event, repaint));
  el.replaceChildren(root);
  repaint();
  return () => {
    clearTimeout(timer);
    events.forEach((event) => model.off(event, repaint));
  };
}

export default { render };
