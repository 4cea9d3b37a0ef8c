// The search box in a page without Python: the examples' answers are stored, and typed words are
// looked up in the passages that the page was given.

const WORD = /[\p{L}\p{N}]+/gu; // this and what follows is the same as in views/search.py
const SHORTEST_STEM = 3;
const EXCERPT = 280; // letters
const EXCERPT_LINES = 6;

function stems(query, common) {
  const words = (query.toLowerCase().match(WORD) ?? []);
  const telling = words.filter((word) => !common.includes(word));
  return (telling.length ? telling : words)
    .map((word) => (word.length > SHORTEST_STEM && word.endsWith("s") ? word.slice(0, -1) : word));
}

// A text in pieces, each with whether it is a word of the query.
function marked(text, stems) {
  const isMarked = (word) => stems.some((stem) => word === stem || (stem.length >= SHORTEST_STEM && word.startsWith(stem)));
  const parts = [];
  let end = 0;
  for (const { 0: word, index } of text.matchAll(WORD)) {
    if (!isMarked(word.toLowerCase())) continue;
    parts.push([text.slice(end, index), false], [word, true]);
    end = index + word.length;
  }
  return [...parts, [text.slice(end), false]].filter(([part]) => part);
}

function excerptOf(text) {
  const flowing = text.split(/\s+/).filter(Boolean).join(" ");
  if (flowing.length <= EXCERPT) return flowing;
  const end = flowing.lastIndexOf(" ", EXCERPT - 1);
  return `${flowing.slice(0, end >= EXCERPT / 2 ? end : EXCERPT)} \u2026`;
}

// What passage() below draws of a passage.
function shownHit([name, text], score, share, stems) {
  const isLong = text.length > EXCERPT * 1.2 || text.split("\n").length > EXCERPT_LINES;
  const excerpt = marked(isLong ? excerptOf(text) : text, stems);
  return { name, score, share, excerpt, full: isLong ? marked(text, stems) : [] };
}

// How often each word of a text stands in it: stretches of two or more letters and digits.
function counted(text) {
  const counts = new Map();
  for (const [word] of text.toLowerCase().matchAll(/[\p{L}\p{N}_]{2,}/gu)) counts.set(word, (counts.get(word) ?? 0) + 1);
  return counts;
}

// Scores by words in common, rare ones counting more: query -> a number for each text. The twin of WordIndex.
function wordIndex(texts) {
  const weights = texts.map(counted);
  const textsWith = new Map();
  weights.forEach((counts) => counts.forEach((_, word) => textsWith.set(word, (textsWith.get(word) ?? 0) + 1)));
  const rarity = (word) => Math.log((1 + texts.length) / (1 + textsWith.get(word))) + 1;

  function weigh(counts) { // to a length of 1
    counts.forEach((n, word) => (textsWith.has(word) ? counts.set(word, (1 + Math.log(n)) * rarity(word)) : counts.delete(word)));
    const length = Math.hypot(...counts.values());
    counts.forEach((weight, word) => counts.set(word, weight / length));
    return counts;
  }
  weights.forEach(weigh);
  return (query) => {
    const asked = [...weigh(counted(query))];
    return weights.map((text) => asked.reduce((sum, [word, weight]) => sum + weight * (text.get(word) ?? 0), 0));
  };
}

async function unpacked(packed) {
  const bytes = Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"))).json();
}

const libraries = new WeakMap(); // passages of each box in the page, read when they are first asked for
async function library(kept) {
  if (!libraries.has(kept)) libraries.set(kept, unpacked(kept.passages));
  return libraries.get(kept);
}

const indexes = new WeakMap(); // of the passages' words
function indexOf(passages) {
  if (!indexes.has(passages)) indexes.set(passages, wordIndex(passages.map(([, text]) => text)));
  return indexes.get(passages);
}

// Makes the first answer come as soon as the others.
function prepare(kept) {
  if (kept.kept) library(kept).then(indexOf);
}

function searchWords(passages, query, k) {
  const scores = indexOf(passages)(query);
  const order = scores.map((_, place) => place).filter((place) => scores[place] > 0);
  return order.sort((a, b) => scores[b] - scores[a]).slice(0, k).map((place) => [place, scores[place]]);
}

export async function offline(state, sent) {
  if (!("asked" in sent)) return {};
  const { query, method, asked: answered, offline: kept } = state;
  if (!query) return { hits: [], said: "", error: "", answered };
  const known = kept.answers.find((one) => one.query === query && one.method === method);
  if (!known && !kept.kept) return { error: "This page answers the examples only. In the notebook the search answers what you type.", answered };
  const passages = await library(kept);
  const stemmed = stems(query, kept.common);
  const show = ([place, score, share]) => shownHit(passages[place], score, share, stemmed);
  if (known) return { hits: known.hits.map(show), said: known.said, error: "", answered };
  const hits = searchWords(passages, query, kept.k);
  const best = hits.length ? hits[0][1] : 1;
  const [decimals, scale] = best < 0.1 ? [4, best] : [2, 1];
  const count = hits.length ? `${hits.length} passage${hits.length === 1 ? "" : "s"}` : "No passage";
  return {
    hits: hits.map(([place, score]) => show([place, score.toFixed(decimals), Math.min(score / scale, 1)])),
    said: `${count} for \u201c\u2068${query}\u2069\u201d, by shared words.`,
    error: "", answered,
  };
}

// What this page can do, in a sentence or two.
function limits({ answers, kept, all }) {
  const examples = answers.length ? "What each search answered to the examples is kept in this page." : "";
  const which = kept < all ? `in ${kept.toLocaleString("en")} of ${all.toLocaleString("en")} passages` : "in all passages";
  const typed = kept
    ? `What you type is looked up here by shared words, ${which}; in the notebook every search answers it.`
    : "In the notebook it also answers what you type.";
  return [examples, typed].filter(Boolean).join(" ");
}
