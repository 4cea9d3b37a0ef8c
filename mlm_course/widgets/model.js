// The course's masked language model in the page: weights, tokenizer and forward pass, each class
// and function named after its twin in Python (models/encoder.py, models/masked_lm.py, attention.py,
// models/inspection.py, tokenization.py). Vectors are Float32Arrays, a row for each of T tokens.
//
// How the weights arrive: the page sends {ask: "weights"}; what answers (Python, or in the book the
// page itself) sends {answer: "weights"} with one buffer, a safetensors file as save_model writes it.
// How the pieces arrive: as the trait "vocabulary", {kind: "wordpiece" or "words", pieces, lowercase,
// longest, special_tokens}.
//
//   const model = loadModel(buffer);                      // MaskedLM
//   const tokenizer = new Tokenizer(vocabulary);
//   const ids = tokenizer.encode(text);
//   const { logits, states, weights } = model.forward(ids, places);  // logits[i]: V scores of places[i]
//   topAnswers(logits[0], 8);                             // [[probability, id], ...]
//   logitLens(model, states, places[0]);                  // V scores before and after each block

// ---------------------------------------------------------------- weights

// The numbers in IEEE half precision, all 65,536 of them.
let halves = null;
function halfPrecision() {
  if (halves) return halves;
  halves = new Float32Array(65536);
  for (let bits = 0; bits < 65536; bits += 1) {
    const [exponent, fraction] = [(bits >> 10) & 31, bits & 1023];
    const size = exponent === 31 ? (fraction ? NaN : Infinity)
      : exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -14 * (fraction / 1024);
    halves[bits] = bits & 0x8000 ? -size : size;
  }
  return halves;
}

function fromHalves(bits) {
  const [table, values] = [halfPrecision(), new Float32Array(bits.length)];
  for (let i = 0; i < bits.length; i += 1) values[i] = table[bits[i]];
  return values;
}

// Weights by name out of a safetensors file: {about, weights: {name: {shape, values}}}.
// The file: the length of a header (8 bytes), the header (JSON), the numbers (little-endian).
function readSafetensors(buffer) {
  const view = new DataView(buffer);
  const start = 8 + (buffer.byteLength < 8 ? 0 : Number(view.getBigUint64(0, true)));
  if (start <= 8 || start > buffer.byteLength) throw new Error("The file of weights is damaged.");
  const header = new TextDecoder().decode(new Uint8Array(buffer, 8, start - 8));
  const { __metadata__: about = {}, ...entries } = JSON.parse(header);
  const weights = {};
  for (const [name, { dtype, shape, data_offsets: [from, to] }] of Object.entries(entries)) {
    const bytes = buffer.slice(start + from, start + to);
    if (dtype === "F32") weights[name] = { shape, values: new Float32Array(bytes) };
    else if (dtype === "F16") weights[name] = { shape, values: fromHalves(new Uint16Array(bytes)) };
    else throw new Error(`Weights of type ${dtype} cannot be read: only F16 and F32.`);
  }
  return { about, weights };
}

// ---------------------------------------------------------------- layers

const least = (a, b) => (a < b ? a : b);

// y = x W^T + b for rows (n, in) and weight (out, in). Two rows meet four lines of the weight at a
// time: each number that is fetched is used two or four times. At an edge a block repeats its last row.
class Linear {
  constructor({ shape, values }, bias) {
    [this.out, this.in] = shape;
    this.weight = values;
    this.bias = bias?.values ?? new Float32Array(this.out);
  }

  forward(x, n) {
    const { weight: w, bias, in: size, out } = this;
    const y = new Float32Array(n * out);
    for (let o = 0; o < out; o += 4) {
      const o1 = least(o + 1, out - 1), o2 = least(o + 2, out - 1), o3 = least(o + 3, out - 1);
      for (let t = 0; t < n; t += 2) {
        const u = least(t + 1, n - 1);
        let a0 = bias[o], a1 = bias[o1], a2 = bias[o2], a3 = bias[o3];
        let b0 = a0, b1 = a1, b2 = a2, b3 = a3;
        let p = o * size, q = o1 * size, r = o2 * size, s = o3 * size;
        for (let i = t * size, j = u * size, end = i + size; i < end; i += 1, j += 1) {
          const a = x[i], b = x[j], w0 = w[p], w1 = w[q], w2 = w[r], w3 = w[s];
          p += 1; q += 1; r += 1; s += 1;
          a0 += a * w0; a1 += a * w1; a2 += a * w2; a3 += a * w3;
          b0 += b * w0; b1 += b * w1; b2 += b * w2; b3 += b * w3;
        }
        const i = t * out, j = u * out;
        y[i + o] = a0; y[i + o1] = a1; y[i + o2] = a2; y[i + o3] = a3;
        y[j + o] = b0; y[j + o1] = b1; y[j + o2] = b2; y[j + o3] = b3;
      }
    }
    return y;
  }
}

// Each row brought to mean 0 and variance 1, then scaled and shifted: (n, D) -> (n, D).
class LayerNorm {
  constructor(scale, shift, eps) {
    Object.assign(this, { scale: scale.values, shift: shift.values, eps });
  }

  forward(x) {
    const { scale, shift, eps } = this;
    const size = scale.length;
    const y = new Float32Array(x.length);
    for (let start = 0; start < x.length; start += size) {
      let [mean, variance] = [0, 0];
      for (let i = 0; i < size; i += 1) mean += x[start + i] / size;
      for (let i = 0; i < size; i += 1) variance += (x[start + i] - mean) ** 2 / size;
      const factor = 1 / Math.sqrt(variance + eps);
      for (let i = 0; i < size; i += 1) y[start + i] = (x[start + i] - mean) * factor * scale[i] + shift[i];
    }
    return y;
  }
}

// The error function by its series 2/sqrt(pi) exp(-x^2) (x + 2x^3/3 + 4x^5/15 + ...), of positive terms.
function erf(x) {
  let [term, sum] = [x, 0];
  for (let n = 1; sum + term !== sum; n += 1) {
    sum += term;
    term *= (2 * x * x) / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}

// erf between 0 and 4 at steps of 1/64, and its slopes; past 4 it is 1 to within 2e-8.
const [STEPS, END] = [64, 4];
const grid64 = Float64Array.from({ length: STEPS * END + 2 }, (_, i) => i / STEPS);
const erfs = grid64.map(erf);
const slopes = grid64.map((x) => (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) / STEPS);

// x times the share of a normal distribution below x, in place. Between two steps erf is the cubic
// that has its values and slopes at both: off by less than 1e-8.
function gelu(x) {
  for (let i = 0; i < x.length; i += 1) {
    const far = Math.abs(x[i]) * Math.SQRT1_2 * STEPS;
    let value = 1;
    if (far < STEPS * END) {
      const k = Math.floor(far);
      const u = far - k, rise = erfs[k + 1] - erfs[k];
      const p = slopes[k], q = slopes[k + 1];
      value = erfs[k] + u * (p + u * (3 * rise - 2 * p - q + u * (p + q - 2 * rise)));
    }
    x[i] *= 0.5 * (1 + (x[i] < 0 ? -value : value));
  }
  return x;
}

// Scores turned into weights that sum to 1, in place.
function softmax(scores) {
  let [top, sum] = [-Infinity, 0];
  for (let i = 0; i < scores.length; i += 1) if (scores[i] > top) top = scores[i];
  for (let i = 0; i < scores.length; i += 1) sum += Math.exp(scores[i] - top);
  for (let i = 0; i < scores.length; i += 1) scores[i] = Math.exp(scores[i] - top) / sum;
  return scores;
}

// H attentions side by side: x (T, D) -> x (T, D) and the weights, a (T, T) for each head.
class MultiHeadAttention {
  constructor(part, heads) {
    Object.assign(this, { qkv: part.linear("qkv"), output: part.linear("output"), heads });
  }

  forward(x, n) {
    const qkv = this.qkv.forward(x, n);
    const mixed = new Float32Array(x.length);
    const weights = Array.from({ length: this.heads }, (_, h) => this.head(h, qkv, n, mixed));
    return { x: this.output.forward(mixed, n), weights };
  }

  // One head's weights; what it mixes goes to its own columns of `mixed`.
  head(h, qkv, n, mixed) {
    const size = this.output.in;
    const width = size / this.heads;
    const weights = new Float32Array(n * n);
    const scale = 1 / Math.sqrt(width);
    for (let t = 0; t < n; t += 1) {
      const [query, out] = [t * 3 * size + h * width, t * size + h * width];
      const row = weights.subarray(t * n, (t + 1) * n);
      for (let s = 0; s < n; s += 1) {
        const key = s * 3 * size + size + h * width;
        let score = 0;
        for (let i = 0; i < width; i += 1) score += qkv[query + i] * qkv[key + i];
        row[s] = score * scale;
      }
      softmax(row);
      for (let s = 0; s < n; s += 1) {
        const value = s * 3 * size + 2 * size + h * width, weight = row[s];
        for (let i = 0; i < width; i += 1) mixed[out + i] += weight * qkv[value + i];
      }
    }
    return weights;
  }
}

// Two linear layers with a GELU between them.
class FeedForward {
  constructor(part) {
    Object.assign(this, { expand: part.linear("expand"), contract: part.linear("contract") });
  }

  forward(x, n) {
    return this.contract.forward(gelu(this.expand.forward(x, n)), n);
  }
}

const sum = (a, b) => a.map((value, i) => value + b[i]);

// Attention, then the feed-forward network, each added to what came in.
class EncoderBlock {
  constructor(part, config) {
    this.preNorm = config.pre_norm;
    this.attention = new MultiHeadAttention(part.within("attention"), config.n_heads);
    this.attentionNorm = part.layerNorm("attention_norm");
    this.feedForward = new FeedForward(part.within("feed_forward"));
    this.feedForwardNorm = part.layerNorm("feed_forward_norm");
  }

  forward(x, n) {
    const { x: mixed, weights } = this.attention.forward(this.preNorm ? this.attentionNorm.forward(x) : x, n);
    x = sum(x, mixed);
    if (this.preNorm) return { x: sum(x, this.feedForward.forward(this.feedForwardNorm.forward(x), n)), weights };
    x = this.attentionNorm.forward(x);
    return { x: this.feedForwardNorm.forward(sum(x, this.feedForward.forward(x, n))), weights };
  }
}

// A vector for each token: what it is, where it stands, and (BERT) that it is of the first segment.
class Embeddings {
  constructor(part, config) {
    this.token = part.of("token.weight");
    this.position = part.of("position.weight");
    this.segment = config.n_segments ? part.of("segment.weight") : null;
    this.norm = config.pre_norm ? null : part.layerNorm("norm");
  }

  forward(ids) {
    const [count, size] = this.token.shape;
    const room = this.position.shape[0];
    if (ids.length > room) throw new Error(`The model has room for ${room} tokens.`);
    if (ids.some((id) => !(id >= 0 && id < count))) throw new Error(`Ids go from 0 to ${count - 1}.`);
    const x = new Float32Array(ids.length * size);
    const [token, position, segment] = [this.token.values, this.position.values, this.segment?.values];
    ids.forEach((id, t) => {
      for (let i = 0; i < size; i += 1) {
        x[t * size + i] = token[id * size + i] + position[t * size + i] + (segment ? segment[i] : 0);
      }
    });
    return this.norm ? this.norm.forward(x) : x;
  }
}

// Embeddings and a stack of blocks. forward gives x (T, D), the states between the blocks (one more
// than blocks, the embeddings first, not normalised) and each block's weights, a (T, T) for each head.
class Encoder {
  constructor(part, config) {
    this.config = config;
    this.embeddings = new Embeddings(part.within("embeddings"), config);
    const block = (_, i) => new EncoderBlock(part.within(`blocks.${i}`), config);
    this.blocks = Array.from({ length: config.n_layers }, block);
    this.finalNorm = config.pre_norm ? part.layerNorm("final_norm") : null;
  }

  forward(ids) {
    const states = [this.embeddings.forward(ids)];
    const weights = [];
    for (const block of this.blocks) {
      const after = block.forward(states.at(-1), ids.length);
      states.push(after.x);
      weights.push(after.weights);
    }
    return { x: this.normed(states.at(-1)), states, weights };
  }

  normed(x) {
    return this.finalNorm ? this.finalNorm.forward(x) : x;
  }
}

// An encoder, and a head that names the masked tokens; its output layer is the token embedding.
class MaskedLM {
  constructor(part, config) {
    this.config = config;
    this.encoder = new Encoder(part.within("encoder"), config);
    this.dense = part.linear("dense");
    this.norm = part.layerNorm("norm");
    this.decoder = new Linear(part.of("encoder.embeddings.token.weight"), part.of("decoder_bias"));
  }

  // The scores of the whole vocabulary at the places that are asked: logits[i] (V,) for places[i].
  forward(ids, places) {
    const { x, states, weights } = this.encoder.forward(ids);
    return { logits: this.logits(places.map((place) => rowOf(x, place, this.config.d_model))), states, weights };
  }

  // Scores (V,) for each of some vectors (D,).
  logits(rows) {
    const [n, size] = [rows.length, this.config.d_model];
    const x = new Float32Array(n * size);
    rows.forEach((row, i) => x.set(row, i * size));
    const scores = this.decoder.forward(this.norm.forward(gelu(this.dense.forward(x, n))), n);
    return rows.map((_, i) => rowOf(scores, i, this.decoder.out));
  }
}

const rowOf = (x, t, size) => x.subarray(t * size, (t + 1) * size);

// Some of the weights of a file, by the names that they have inside a module of Python.
class Part {
  constructor(weights, config, prefix = "") {
    Object.assign(this, { weights, config, prefix });
  }

  within(name) {
    return new Part(this.weights, this.config, `${this.prefix}${name}.`);
  }

  of(name) {
    const weight = this.weights[this.prefix + name];
    if (!weight) throw new Error(`The file of weights lacks ${this.prefix}${name}.`);
    return weight;
  }

  linear(name) {
    const bias = this.weights[`${this.prefix}${name}.bias`]; // none where the config says so
    return new Linear(this.of(`${name}.weight`), bias);
  }

  layerNorm(name) {
    return new LayerNorm(this.of(`${name}.weight`), this.of(`${name}.bias`), this.config.norm_eps);
  }
}

// The MaskedLM in a safetensors file that save_model wrote.
function loadModel(buffer) {
  const { about, weights } = readSafetensors(buffer);
  if (about.model !== "MaskedLM") throw new Error("The file of weights holds no MaskedLM of this course.");
  const config = JSON.parse(about.config);
  return new MaskedLM(new Part(weights, config), config);
}

// arrive(MaskedLM) runs, once, when the weights are here that model.send({ ask: "weights" }) asks for.
function whenLoaded(model, on, arrive) {
  let isHere = false;
  on("msg:custom", (content, buffers) => {
    if (content.answer !== "weights" || isHere) return;
    isHere = true;
    const [file] = buffers; // an ArrayBuffer, or in Jupyter a view into one
    arrive(loadModel(file.buffer ? file.buffer.slice(file.byteOffset, file.byteOffset + file.byteLength) : file));
  });
}

// The same, and asks for them.
function askForWeights(model, on, arrive) {
  whenLoaded(model, on, arrive);
  message(model, { ask: "weights" });
}

// ---------------------------------------------------------------- reading a model

// The k likeliest answers to one gap, [probability, id] each, the likeliest first.
function topAnswers(logits, k) {
  const chances = softmax(Float64Array.from(logits));
  const best = [];
  chances.forEach((chance, id) => {
    if (best.length === k && chance <= best[k - 1][0]) return;
    const at = best.findIndex(([other]) => other < chance);
    best.splice(at < 0 ? best.length : at, 0, [chance, id]);
    best.length = least(best.length, k);
  });
  return best;
}

// What the head would answer at a place if the stack ended early: scores (V,) for the embeddings and
// after each block, put through the final norm.
function logitLens(model, states, place) {
  const { encoder, config } = model;
  return model.logits(states.map((x) => encoder.normed(rowOf(x, place, config.d_model))));
}

// ---------------------------------------------------------------- tokens

const SPECIAL_TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];
const [PAD_ID, UNK_ID, CLS_ID, SEP_ID, MASK_ID] = [0, 1, 2, 3, 4];
const SPECIAL = /(\[(?:PAD|UNK|CLS|SEP|MASK)\])/;
const CHINESE = new RegExp("[\\u4e00-\\u9fff\\u3400-\\u4dbf\\uf900-\\ufaff\\u{20000}-\\u{2a6df}"
  + "\\u{2a700}-\\u{2b81f}\\u{2b920}-\\u{2ceaf}\\u{2f800}-\\u{2fa1f}]", "gu");
const PUNCTUATION = /([!-/:-@[-`{-~]|\p{P})/u;

// A text as BERT reads it: no control characters, spaces around Chinese characters; lowercase also
// drops accents. Twin of tokenizers' BertNormalizer.
function bertNormalize(text, lowercase) {
  const clean = text.replace(/(?![\t\n\r])[\p{Cc}\p{Cf}\p{Co}\p{Cs}\ufffd]/gu, "").replace(CHINESE, " $& ");
  if (!lowercase) return clean;
  const bare = clean.normalize("NFD").replace(/\p{Mn}/gu, "");
  return [...bare].map((letter) => letter.toLowerCase()).join(""); // one by one: no final sigma
}

// The words of a text: split at spaces, each punctuation mark alone. Twin of BertPreTokenizer.
function bertPreTokenize(text) {
  return text.split(/\p{White_Space}+/u).flatMap((part) => part.split(PUNCTUATION)).filter(Boolean);
}

// Ids of the pieces of one word, each the longest that fits, from the left; [UNK] if some part has none.
function wordPiece(word, numbers, longest) {
  const letters = [...word];
  if (letters.length > longest) return [UNK_ID];
  const ids = [];
  for (let start = 0, end = 0; start < letters.length; start = end) {
    const piece = () => (start ? "##" : "") + letters.slice(start, end).join("");
    end = letters.length;
    while (end > start && !numbers.has(piece())) end -= 1;
    if (end === start) return [UNK_ID];
    ids.push(numbers.get(piece()));
  }
  return ids;
}

// A text as ids, over pieces (WordPiece) or over whole words (tinyworld).
class Tokenizer {
  constructor({ kind, pieces, lowercase, longest, special_tokens: ends }) {
    Object.assign(this, { kind, pieces, lowercase, longest, ends });
    this.numbers = new Map(pieces.map((piece, id) => [piece, id]));
  }

  // The ids of a text, [CLS] before and [SEP] after it where the model was trained so. A special
  // token that is written out in the text is that token.
  encode(text) {
    return this.read(text).map(([id]) => id);
  }

  // The same, [id, word] each: the word that a piece belongs to.
  read(text) {
    const special = (token) => [SPECIAL_TOKENS.indexOf(token), token];
    const read = text.split(SPECIAL).flatMap((part, i) => (i % 2 ? [special(part)] : this.words(part)));
    return this.ends ? [[CLS_ID, "[CLS]"], ...read, [SEP_ID, "[SEP]"]] : read;
  }

  words(text) {
    const ids = (word) => (this.kind === "words" ? [this.numbers.get(word) ?? UNK_ID]
      : wordPiece(word, this.numbers, this.longest));
    return bertPreTokenize(bertNormalize(text, this.lowercase)).flatMap((word) => ids(word).map((id) => [id, word]));
  }
}
