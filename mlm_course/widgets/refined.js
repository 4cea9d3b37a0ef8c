// A text that was filled in step by step, as steps.js draws it: what each step did, in words. The
// twin of refinement_steps in views/refinement.py, for a page that fills a text by itself.

// A token in quotation marks; one that runs from right to left does not turn what follows it.
function quoted(token) {
  return `\u201c${/[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff]/.test(token) ? `\u2068${token}\u2069` : token}\u201d`;
}

const placesOf = (flags) => [...flags.keys()].filter((place) => flags[place]);
const shareOf = (n, of) => (n === of && of > 1 ? `all ${of}` : `${n} of ${of}`);
const leastConfident = (n) => (n === 1 ? "least confident" : `${n} least confident`);
const alike = (a, b) => a.length === b.length && a.every((value, i) => value === b[i]);

// Whether the places chosen are the least confident ones among some; equal ones may stay.
function areLeast(confidences, chosen, among) {
  if (!chosen.length || !chosen.every((place) => among.includes(place))) return false;
  const top = Math.max(...chosen.map((place) => confidences[place]));
  return among.every((place) => chosen.includes(place) || confidences[place] >= top);
}

// The least confident of the tokens that are the model's own.
function lowestSaid({ confidences, tokens }, given) {
  const own = placesOf(given.map((free) => !free));
  if (!own.length) return "";
  const place = own.reduce((a, b) => (confidences[b] < confidences[a] ? b : a));
  return `; lowest confidence ${number(confidences[place])}, ${quoted(tokens[place])}`;
}

// What a step did.
function wordsOf(steps, given, place) {
  const [step, total] = [steps[place], given.filter((free) => !free).length];
  const filled = step.masked.filter(Boolean).length;
  const changed = step.changed.filter(Boolean).length || "none";
  const done = filled ? `${shareOf(filled, total)} ${total === 1 ? "token" : "tokens"} filled in${place ? `, ${changed} of them changed` : ""}`
    : "nothing was masked, nothing is filled in";
  return `Step ${place + 1} of ${steps.length}: ${done}${lowestSaid(step, given)}.`;
}

// Which tokens are masked again, by what the confidences and the places say of them.
function why({ again: flags, masked, confidences }, given, isLast) {
  const [again, own, fresh] = [flags, given.map((free) => !free), masked].map(placesOf);
  const among = `the ${fresh.length} just filled in`;
  if (isLast) return "This was the last step.";
  if (!again.length) return "Nothing is masked again.";
  if (alike(again, own)) return `Masked again: ${shareOf(again.length, own.length)}.`;
  if (areLeast(confidences, again, own)) return `Masked again: the ${leastConfident(again.length)} of ${own.length}.`;
  if (alike(again, fresh)) return `Masked again: ${among}.`;
  if (areLeast(confidences, again, fresh)) return `Masked again: the ${leastConfident(again.length)} of ${among}.`;
  const of = again.every((place) => fresh.includes(place)) ? among : String(own.length);
  return `Masked again: ${again.length} of ${of}, and not the least confident.`;
}

// What a step put in the place of one token, or what stood there when the first began.
function choiceSaid(step, given, place, count) {
  const [token, sure] = [quoted(step.tokens[place]), number(step.confidences[place])];
  if (given[place]) return `${token} is given, never masked`;
  if (!step.masked[place]) return `${token} (${sure}) from the start`;
  if (count === 1) return `step 1 chose ${token} (${sure})`;
  return `masked again, step ${count} chose ${token}${step.changed[place] ? "" : " again"} (${sure})`;
}

// What happened to one token: words, and the first and last step at which they are said.
function historyOf(steps, given, place, others) {
  return steps.flatMap((step, i) => {
    const told = [];
    if (step.masked[place] || i === 0) {
      const besides = step.masked[place] ? others[i][place].map(([token, chance]) => `${quoted(token)} (${number(chance)})`) : [];
      const also = besides.length ? `, before ${besides.join(", ")}` : "";
      told.push([choiceSaid(step, given, place, i + 1) + also, i + 1, steps.length]);
    }
    if (step.again[place]) told.push([`masked again before step ${i + 2}`, i + 1, i + 1]);
    return told;
  });
}

// The view of steps out of tokens, confidences, masked and others, each with an entry for each step and place.
function refinementSteps(tokens, confidences, masked, others) {
  const given = tokens[0].map((_, place) => !masked.some((row) => row[place]));
  const steps = tokens.map((row, i) => ({
    tokens: row, confidences: confidences[i], masked: masked[i],
    changed: row.map((token, place) => token !== tokens[Math.max(i - 1, 0)][place]),
    again: masked[i + 1] ?? row.map(() => false),
  }));
  const told = steps.map((step, i) => ({ ...step, words: wordsOf(steps, given, i), why: why(step, given, i + 1 === steps.length) }));
  const history = given.map((_, place) => historyOf(steps, given, place, others));
  return { kind: "refinement", title: "", given, right: null, steps: told, history };
}
