// What Python makes of a drawing, in a page without it: views/ink.py and views/drawing.py, and the
// pictures that a model restores from a part of it.

// First row and the one behind the last, then the columns, of all that is not paper.
function edges(ink, side) {
  const places = [...ink.keys()].filter((place) => ink[place] > 0);
  const [rows, columns] = [places.map((place) => Math.floor(place / side)), places.map((place) => place % side)];
  return [Math.min(...rows), Math.max(...rows) + 1, Math.min(...columns), Math.max(...columns) + 1];
}

// Strokes made larger or smaller until they fill the box.
function fitted(strokes, { side, box, radius, fade }) {
  const axes = [0, 1].map((axis) => strokes.flat().map((point) => point[axis]));
  const [low, high] = [axes.map((all) => Math.min(...all)), axes.map((all) => Math.max(...all))];
  const scale = (box - 2 * (radius + fade)) / Math.max(high[0] - low[0], high[1] - low[1], 4);
  const moved = (point) => point.map((x, axis) => (x - (low[axis] + high[axis]) / 2) * scale + side / 2);
  return strokes.map((stroke) => stroke.map(moved));
}

// Weights of the old pixels in each new one, [first, weights]: a triangle, as wide as a new pixel at least.
function shares(before, after) {
  const scale = before / after;
  const reach = Math.max(scale, 1);
  return Array.from({ length: after }, (_, place) => {
    const middle = (place + 0.5) * scale;
    const first = Math.max(Math.trunc(middle - reach + 0.5), 0);
    const end = Math.min(Math.trunc(middle + reach + 0.5), before);
    const all = Array.from({ length: end - first }, (_, i) => Math.max(0, 1 - Math.abs((first + i - middle + 0.5) / reach)));
    const sum = all.reduce((a, b) => a + b);
    return [first, all.map((share) => share / sum)];
  });
}

const blend = ([first, weights], value) => weights.reduce((sum, weight, i) => sum + weight * value(first + i), 0);

function roundEven(x) {
  const near = Math.round(x);
  return near - x === 0.5 && near % 2 ? near - 1 : near;
}

// Ink that fills the box by its longer side; one pixel off is left so.
function inBox(ink, { side, box }) {
  const [top, bottom, left, right] = edges(ink, side);
  const longer = Math.max(bottom - top, right - left);
  if (Math.abs(longer - box) <= 1) return ink;
  const [high, wide] = [bottom - top, right - left].map((n) => Math.max(1, roundEven((n * box) / longer)));
  const [rows, columns] = [shares(bottom - top, high), shares(right - left, wide)];
  const across = Array.from({ length: bottom - top }, (_, row) =>
    columns.map((column) => blend(column, (x) => ink[(top + row) * side + left + x])));
  const scaled = new Array(side * side).fill(0);
  const [below, beside] = [Math.floor((side - high) / 2), Math.floor((side - wide) / 2)];
  rows.forEach((row, y) => columns.forEach((_, x) => {
    scaled[(below + y) * side + beside + x] = blend(row, (line) => across[line][x]);
  }));
  return scaled;
}

// Ink whose centre of mass lies in the middle, moved by whole pixels; none of it leaves the picture.
function centred(ink, { side }) {
  const [top, bottom, left, right] = edges(ink, side);
  const mass = ink.reduce((a, b) => a + b);
  const middle = (of) => Math.round(1e6 * ink.reduce((sum, value, place) => sum + value * of(place), 0) / mass) / 1e6;
  const shift = (at, low, high) => between(Math.ceil(side / 2 - at - 0.5), -low, side - high);
  const down = shift(middle((place) => Math.floor(place / side)), top, bottom);
  const aside = shift(middle((place) => place % side), left, right);
  return ink.map((_, place) => {
    const [row, column] = [Math.floor(place / side) - down, (place % side) - aside];
    return row >= 0 && row < side && column >= 0 && column < side ? ink[row * side + column] : 0;
  });
}

// ---- pictures beside the pad; null is a pixel that was removed

function saidOf(name, ink, side) {
  const removed = ink.filter((value) => value === null).length;
  const gone = removed ? `${removed} of ${ink.length} pixels removed, ` : "";
  const dark = ink.map((value) => (value >= 0.5 ? 1 : 0));
  if (!dark.includes(1)) return `${name}: ${gone}no ink.`;
  const [top, bottom, left, right] = edges(dark, side);
  return `${name}: ${gone}ink in rows ${top + 1} to ${bottom}, columns ${left + 1} to ${right}.`;
}

function panel(name, ink, side) {
  const canvas = make("canvas", { width: side, height: side });
  const context = canvas.getContext("2d");
  const shown = context.createImageData(side, side);
  ink.forEach((value, i) => {
    const grey = Math.round(255 * (1 - between(value ?? 0, 0, 1)));
    shown.data.set([grey, grey, grey, value === null ? 0 : 255], 4 * i);
  });
  context.putImageData(shown, 0, 0);
  return { name, source: canvas.toDataURL(), said: saidOf(name, ink.map((value) => value && between(value, 0, 1)), side) };
}

// What a model sees of a drawing, and what it makes of that.
function restoredPictures(mae, ink, { kept, mean, spread, names }, side) {
  const isKept = (pixel) => kept.includes(patchOf(pixel, mae.config)[0]);
  const made = filledIn(mae, ink.map((value) => (value - mean) / spread), kept).map((value) => value * spread + mean);
  return [panel(names[0], ink.map((value, pixel) => (isKept(pixel) ? value : null)), side), panel(names[1], made, side)];
}

const maes = new WeakMap(); // the model of each pad in the page, once it is there

// The pictures that Python would make.
export function offline({ view, strokes, with_picture: withPicture, asked: answered, offline: kept }, sent) {
  if (!("asked" in sent)) return {};
  const { side } = view;
  const lines = (all, ink) => {
    all.forEach((stroke) => drawStroke(ink, view, stroke));
    return ink;
  };
  const drawn = lines(strokes, view.start.map((shade) => (withPicture ? shade / 255 : 0)));
  if (!drawn.some((value) => value > 0)) return { pictures: [], error: "", answered };
  const digit = centred(withPicture ? inBox(drawn, view) : lines(fitted(strokes, view), new Array(side * side).fill(0)), view);
  const mae = maes.get(kept);
  const error = kept.names && !mae ? "The model that restores a drawing could not be loaded." : "";
  const restored = mae ? restoredPictures(mae, digit, kept, side) : [];
  return { pictures: [panel("centred", digit, side), ...restored], error, answered };
}
