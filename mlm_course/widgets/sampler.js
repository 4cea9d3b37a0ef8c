// Filling masked places in steps, each function named after its twin in Python (decoding.py,
// diffusion.py). One row of N places instead of a batch; ids, masks and confidences are arrays.
//
//   const random = generator(seed);                                       // the only source of chance
//   const { canvas, masked } = blank(17);
//   for (const step of refine(predictor(model), canvas, masked, 8, sampler, random)) { ... }
//   step: { tokens, confidence, masked, again, others }, each with an entry for each place

// ---------------------------------------------------------------- settings

// The share of places that are still masked after a share of the steps: even steps.
const linearRemasking = (done) => 1 - done;

// The same: few are filled at first, many at last. Chang et al. 2022 (MaskGIT), section 3.3.
const cosineRemasking = (done) => Math.cos((Math.PI / 2) * done);

const SCHEDULES = { linear: linearRemasking, cosine: cosineRemasking };

// A sampler: { schedule, temperature, mayRemask, order, gumbel, ofRemaining }, as `Sampler` has them.
const share = (sampler, done, steps) => SCHEDULES[sampler.schedule](done / steps);

// Whether anything is left to chance.
const draws = (sampler) => sampler.temperature > 0 || sampler.order !== "confidence" || sampler.gumbel > 0;

// ---------------------------------------------------------------- chance

// Random numbers in [0, 1) that follow from a seed: mulberry32, 32 bits of state.
function generator(seed) {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let bits = Math.imul(state ^ (state >>> 15), state | 1);
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
    return ((bits ^ (bits >>> 14)) >>> 0) / 4294967296;
  };
}

const SMALLEST = 2 ** -126; // the smallest float32

// Gumbel noise made of a uniform number in [0, 1).
const gumbelNoise = (number) => -Math.log(-Math.log(Math.max(number, SMALLEST)));

// A place in a list of weights, drawn with chances in proportion to them.
function multinomial(weights, random) {
  let left = random() * weights.reduce((total, weight) => total + weight, 0);
  let last = 0;
  for (let i = 0; i < weights.length; i += 1) {
    if (!weights[i]) continue;
    [last, left] = [i, left - weights[i]];
    if (left < 0) break;
  }
  return last;
}

// ---------------------------------------------------------------- one row

// A row of [MASK] between [CLS] and [SEP], or without these, and which places are to be filled.
function blank(length, ends = true) {
  const canvas = Array(length).fill(MASK_ID);
  const masked = Array(length).fill(true);
  return ends ? { canvas: [CLS_ID, ...canvas, SEP_ID], masked: [false, ...masked, false] } : { canvas, masked };
}

// A text as a row to fill: ___ or [MASK] stands for each piece. An Error says what cannot be filled.
function gapRow(tokenizer, text, most) {
  if (!text.trim()) throw new Error("There is no text: write a sentence with gaps, ___ for each piece.");
  const read = tokenizer.read(text.replace(/_{3,}/g, "[MASK]"));
  const canvas = read.map(([id]) => id);
  const inside = tokenizer.ends ? read.slice(1, -1) : read;
  const unknown = inside.find(([id]) => id < MASK_ID);
  if (unknown) {
    const word = [...unknown[1]].slice(0, 24).join("");
    throw new Error(`\u201c${word}\u201d cannot be spelled in this vocabulary: write something else.`);
  }
  if (!canvas.includes(MASK_ID)) throw new Error("There is no gap: write ___ for each piece that is to be filled in.");
  const room = most - (canvas.length - inside.length);
  if (inside.length > room) {
    throw new Error(`The text has ${inside.length} tokens, but the model reads ${room} at most: shorten it.`);
  }
  return { canvas, masked: canvas.map((id) => id === MASK_ID) };
}

// A masked language model as `refine` asks it: predict(ids, places) gives scores (V,) for each of the
// places, and never a special token. Sahoo et al. 2024, section 3.2 ([MASK] gets no probability).
function predictor(model) {
  return (ids, places) => model.forward(ids, places).logits.map((scores) => {
    const kept = scores.slice();
    kept.fill(-Infinity, PAD_ID, MASK_ID + 1);
    return kept;
  });
}

// ---------------------------------------------------------------- refinement

const OTHERS = 3; // tokens that are named beside the one chosen

// The k likeliest of some tokens, [probability, id] each; of equal ones the first.
function likeliest(probabilities, k) {
  const best = [];
  for (let id = 0; id < probabilities.length; id += 1) {
    const chance = probabilities[id];
    if (best.length === k && chance <= best[k - 1][0]) continue;
    let at = best.length;
    while (at && best[at - 1][0] < chance) at -= 1;
    best.splice(at, 0, [chance, id]);
    best.length = Math.min(best.length, k);
  }
  return best;
}

// The token for a place, out of its scores, and the probability that the model gave it:
// temperature 0 takes the likeliest. others: what else was likely, as `likeliest` has it.
function chooseToken(logits, temperature, random) {
  const probabilities = softmax(new Float32Array(logits));
  const best = likeliest(probabilities, OTHERS + 1);
  let token = best[0][1];
  if (temperature > 0) {
    const top = logits[token];
    token = multinomial(softmax(new Float64Array(logits).map((score) => (score - top) / Math.max(temperature, 1e-30))), random);
  }
  const others = best.filter(([, id]) => id !== token).slice(0, OTHERS);
  return { token, probability: probabilities[token], others };
}

// Rounded down, but not for what floating-point numbers lost.
const floor = (number) => Math.floor(number + 1e-9);

// How many of n masked places each step fills: n in the first, then what was masked again.
function nMasked(n, steps, sampler) {
  const counts = [n];
  for (let done = 1; done < steps; done += 1) {
    const [left, last] = [share(sampler, done, steps), counts[done - 1]];
    if (sampler.ofRemaining) {
      const before = share(sampler, done - 1, steps);
      counts.push(before ? Math.min(last, floor((last * left) / before)) : 0);
    } else {
      const count = sampler.mayRemask ? floor(n * left) : Math.min(floor(n * left), last - 1);
      counts.push(Math.min(Math.max(count, 1), n));
    }
  }
  return counts;
}

// The `count` smallest keys, as booleans; ties: leftmost first.
function lowest(keys, count) {
  const order = keys.map((_, i) => i).sort((i, j) => (keys[i] === keys[j] ? i - j : keys[i] - keys[j]));
  const taken = new Set(order.slice(0, count));
  return keys.map((_, i) => taken.has(i));
}

// Which places the next step fills anew, after `done` of the steps: `count` of the candidates, but
// order "bernoulli" leaves the number to chance.
function remask(confidence, candidates, count, done, steps, sampler, random) {
  if (sampler.order === "bernoulli") {
    const before = share(sampler, done - 1, steps);
    const stay = before ? share(sampler, done, steps) / before : 0;
    return candidates.map((candidate) => random() < stay && candidate);
  }
  let score = confidence;
  if (sampler.order === "random") score = confidence.map(() => random());
  else if (sampler.gumbel) {
    const size = sampler.gumbel * (1 - done / steps);
    score = confidence.map((sure) => Math.log(sure) + size * gumbelNoise(random()));
  }
  const keys = score.map((key, i) => (candidates[i] ? key : Infinity));
  return lowest(keys, count).map((taken, i) => taken && candidates[i]);
}

// The steps by which the masked places of a canvas are filled, one at a time: each is computed when it
// is asked for. A step as in Python, with `again`, what the next one masks, and each place's others.
function* refine(predict, canvas, masked, steps, sampler, random) {
  let [tokens, nowMasked] = [canvas.slice(), masked.slice()];
  let confidence = canvas.map(() => 1);
  let others = canvas.map(() => []);
  const counts = nMasked(masked.filter(Boolean).length, steps, sampler);
  for (let done = 1; done <= steps; done += 1) {
    const places = [...nowMasked.keys()].filter((place) => nowMasked[place]);
    const ids = tokens.map((id, place) => (nowMasked[place] ? MASK_ID : id));
    const logits = places.length ? predict(ids, places) : [];
    [tokens, confidence, others] = [tokens.slice(), confidence.slice(), others.slice()];
    places.forEach((place, i) => {
      const chosen = chooseToken(logits[i], sampler.temperature, random);
      [tokens[place], confidence[place], others[place]] = [chosen.token, chosen.probability, chosen.others];
    });
    const candidates = sampler.mayRemask ? masked : nowMasked;
    const again = done === steps ? canvas.map(() => false)
      : remask(confidence, candidates, counts[done], done, steps, sampler, random);
    yield { tokens, confidence, masked: nowMasked, again, others };
    nowMasked = again;
  }
}
