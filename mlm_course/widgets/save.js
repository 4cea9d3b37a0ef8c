// A matrix as a PNG file: drawn here, with its labels, and handed to the reader. Nothing is fetched, and
// nothing leaves the page.

const SHARP = 2; // pixels of the file for one of the page
const MONO = "11px ui-monospace, monospace";
const SANS = "12px system-ui, sans-serif";

const fileName = (...parts) => parts.join(" ").toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "-")
  .replace(/^-+|-+$/g, "").slice(0, 60) || "matrix";

// An empty sheet in the page's own colours; its context writes and rules in the colour of the text.
function sheet(root, width, height) {
  const { color, backgroundColor } = getComputedStyle(root);
  const canvas = make("canvas", { width: Math.ceil(width) * SHARP, height: Math.ceil(height) * SHARP });
  const context = canvas.getContext("2d");
  context.scale(SHARP, SHARP);
  context.fillStyle = backgroundColor;
  context.fillRect(0, 0, width, height);
  Object.assign(context, { fillStyle: color, strokeStyle: "rgba(127, 127, 127, 0.35)", textBaseline: "middle" });
  return context;
}

function widest(texts, font) {
  const context = make("canvas").getContext("2d");
  context.font = font;
  return Math.max(0, ...texts.map((text) => context.measureText(text).width));
}

function write(context, text, x, y, align = "left", font = SANS) {
  Object.assign(context, { font, textAlign: align });
  context.fillText(text, x, y);
}

// Hatching of a box by the number of its pattern. The same as shared.css.
function hatch(context, pattern, x, y, width, height) {
  const ink = ["rgba(127, 127, 127, 0.5)", `rgba(${RUST}, 0.5)`, `rgba(${BLUE}, 0.5)`, "rgba(127, 127, 127, 0.5)"];
  const before = context.strokeStyle;
  context.save();
  context.beginPath();
  context.rect(x, y, width, height);
  context.clip();
  context.strokeStyle = ink[pattern];
  context.setLineDash(pattern === 3 ? [2, 3] : []);
  context.beginPath();
  for (let step = -height; step < width + height; step += 6) {
    const [from, to] = [[step, step + height], [step + height, step]][pattern] ?? [step, step];
    if (pattern < 2) context.moveTo(x + to, y), context.lineTo(x + from, y + height);
    else context.moveTo(x, y + step), context.lineTo(x + width, y + step);
  }
  context.stroke();
  context.restore();
  context.strokeStyle = before;
}

// Labelled boxes; fill(context, t, s, x, y, width, height) paints one and text(t, s) writes into it.
// legend is a list of [fill, words].
function drawnMatrix(root, { title, rows, columns, across = "key", fill, text, legend = [] }) {
  const small = columns.length > 20;
  const [width, height] = small ? [16, 16] : [44, 28];
  const corner = [`${across} \u2192`, "query \u2193"];
  const turned = widest(columns, MONO) > width - 4;
  const left = Math.max(widest(rows, MONO), widest(corner, MONO)) + 20;
  const top = 44 + (turned ? Math.max(widest(columns, MONO), 20) : 24);
  const bottom = top + rows.length * height + 12;
  const right = left + columns.length * width + 12;
  const words = Math.max(widest([title], SANS) + 24, widest(legend.map((line) => line[1]), SANS) + 70);
  const context = sheet(root, Math.max(right, words), bottom + legend.length * 24);
  write(context, title, 12, 18);
  corner.forEach((word, i) => write(context, word, left - 8, top - 24 + 14 * i, "right", MONO));
  columns.forEach((column, s) => {
    context.save();
    context.translate(left + (s + 0.5) * width, top - (turned ? 6 : 10));
    if (turned) context.rotate(-Math.PI / 2);
    write(context, column, 0, 0, turned ? "left" : "center", MONO);
    context.restore();
  });
  rows.forEach((row, t) => {
    write(context, row, left - 8, top + (t + 0.5) * height, "right", MONO);
    columns.forEach((_, s) => box(left + s * width, top + t * height, width, height,
      (...at) => fill(context, t, s, ...at), small ? "" : text(t, s)));
  });
  legend.forEach(([paint, said], i) => {
    box(12, bottom + 24 * i, 36, 20, (...at) => paint(context, ...at), "");
    write(context, said, 58, bottom + 24 * i + 10);
  });
  return context.canvas;

  function box(x, y, wide, high, paint, written) {
    const ink = context.fillStyle;
    paint(x, y, wide, high);
    context.fillStyle = ink;
    context.strokeRect(x, y, wide, high);
    if (written) write(context, written, x + wide / 2, y + high / 2 + 1, "center");
  }
}

// A button that saves what draws() draws, under the name that names() gives.
function saveButton(draws, names, label = "Save as PNG") {
  const button = make("button", { type: "button", ...KEYS }, label);
  button.addEventListener("click", () => draws().toBlob((picture) => {
    const link = make("a", { href: URL.createObjectURL(picture), download: `${fileName(...names())}.png` });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  }));
  return button;
}
