// The masked autoencoder for images in the page, twin of models/image_mae.py, on the blocks of
// model.js. Images of one colour; patches are rows of P * P numbers.

// Blocks one after the other, and a norm behind them: x (n, D) -> (n, D).
class BlockStack {
  constructor(part) {
    const { config } = part;
    this.blocks = Array.from({ length: config.n_layers }, (_, i) => new EncoderBlock(part.within(`blocks.${i}`), config));
    this.finalNorm = config.pre_norm ? part.layerNorm("final_norm") : null;
  }

  forward(x, n) {
    for (const block of this.blocks) ({ x } = block.forward(x, n));
    return this.finalNorm ? this.finalNorm.forward(x) : x;
  }
}

class ImageMAE {
  constructor(weights, config) {
    const part = new Part(weights, config);
    const values = (name) => part.of(name).values;
    this.config = config;
    this.embed = part.linear("embed");
    this.encoder = new BlockStack(new Part(weights, config.encoder, "encoder."));
    this.toDecoder = part.linear("to_decoder");
    this.decoder = new BlockStack(new Part(weights, config.decoder, "decoder."));
    this.toPixels = part.linear("to_pixels");
    [this.cls, this.mask] = [values("cls_token"), values("mask_token")];
    [this.positions, this.decoderPositions] = [values("positions"), values("decoder_positions")];
  }

  // The guess at all patches (L, P*P) from those at the places `kept`, in that order.
  forward(patches, kept) {
    const n = kept.length + 1; // [CLS] stands in front
    const x = this.embed.forward(Float32Array.from(kept.flatMap((place) => [...rowOf(patches, place, this.embed.in)])), n - 1);
    const latent = this.encoder.forward(this.placed([...this.cls, ...x], this.positions, [0, ...kept.map((place) => place + 1)]), n);
    return this.decode(this.toDecoder.forward(latent, n), kept);
  }

  // Each row with the position of its place added.
  placed(x, positions, places) {
    const size = positions.length / (this.count + 1);
    return Float32Array.from(x, (value, i) => value + positions[places[Math.floor(i / size)] * size + (i % size)]);
  }

  get count() {
    return (this.config.height / this.config.patch_size) * (this.config.width / this.config.patch_size);
  }

  // Mask tokens where a patch was removed, then the decoder.
  decode(x, kept) {
    const places = Array.from({ length: this.count + 1 }, (_, place) => place);
    const rows = places.flatMap((place) => {
      const row = place ? kept.indexOf(place - 1) + 1 : 0;
      return [...(place && !row ? this.mask : rowOf(x, row, this.mask.length))];
    });
    const all = this.decoder.forward(this.placed(rows, this.decoderPositions, places), places.length);
    return this.toPixels.forward(all, places.length).subarray(this.toPixels.out);
  }
}

// For each pixel of an image, [its patch, its place in the patch].
function patchOf(pixel, { width, patch_size: size }) {
  const [row, column] = [Math.floor(pixel / width), pixel % width];
  const patch = Math.floor(row / size) * (width / size) + Math.floor(column / size);
  return [patch, (row % size) * size + (column % size)];
}

function patchify(image, config) {
  const patches = new Float32Array(image.length);
  image.forEach((value, pixel) => {
    const [patch, place] = patchOf(pixel, config);
    patches[patch * config.patch_size ** 2 + place] = value;
  });
  return patches;
}

// An image with its removed patches as the model restored them.
function filledIn(mae, image, kept) {
  const restored = mae.forward(patchify(image, mae.config), kept);
  return Array.from(image, (value, pixel) => {
    const [patch, place] = patchOf(pixel, mae.config);
    return kept.includes(patch) ? value : restored[patch * mae.config.patch_size ** 2 + place];
  });
}

// The ImageMAE in a safetensors file that save_model wrote.
function loadImageMAE(file) {
  const { about, weights } = readSafetensors(file);
  if (about.model !== "ImageMAE") throw new Error(`The file holds a ${about.model ?? "model from elsewhere"}, not an ImageMAE.`);
  return new ImageMAE(weights, JSON.parse(about.config));
}
