// Attention one stage after the other, with a sentence on what happens; nothing moves by itself.

const READING = 3500; // milliseconds of a stage
const HAPPENS = {
  scores: "Scores: each query is compared with each key. A large number says that they match.",
  masked: "Mask: a pair that is closed gets minus infinity in place of its score.",
  weights: "Softmax: each row becomes weights, none below 0, that sum to 1. Minus infinity becomes 0.",
  output: "Output: each query gets the average of the keys\u2019 values, by its weights.",
};

// Buttons and what a screen reader hears. now() is the name of the stage, go(name) shows one and
// say(sentence) writes it. stop() ends the play.
function player(names, now, go, say, on) {
  const play = make("button", { type: "button" }, "Play");
  const next = make("button", { type: "button" }, "Next stage");
  const heard = make("span", { class: "mlm-heard", "aria-live": "polite" });
  let [timer, paused] = [null, false];

  function show(name) {
    go(name);
    say(HAPPENS[name]);
    heard.textContent = HAPPENS[name];
  }
  const after = () => names[(names.indexOf(now()) + 1) % names.length];

  function run(name) {
    show(name);
    timer = setTimeout(() => (name === names.at(-1) ? stop() : run(after())), READING);
    play.textContent = "Pause";
  }

  function stop() {
    clearTimeout(timer);
    timer = null;
    paused = false;
    play.textContent = "Play";
  }
  play.addEventListener("click", () => {
    if (!timer) return run(paused && now() !== names.at(-1) ? after() : names[0]);
    stop();
    paused = true;
  });
  next.addEventListener("click", () => {
    stop();
    show(after());
  });
  on("leave", stop);
  const still = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
  return { buttons: still ? [next] : [play, next], heard, stop };
}
