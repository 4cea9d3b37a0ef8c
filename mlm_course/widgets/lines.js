// Queries on the left, keys on the right, a line for each weight, the wider the larger: as BertViz draws
// a head (Vig 2019). The table beside it holds the same numbers.

const LEAST = 0.01; // weights below are not drawn
const WIDE = 8; // pixels of a line of weight 1
const SVG = new DOMParser().parseFromString("<svg></svg>", "text/html").querySelector("svg").namespaceURI;
const ACROSS = 160; // pixels between the two columns

function shape(tag, attributes) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
}

// does: look(t) at a query that is pointed at, rest(), choose(t, byUser).
function lineView(tokens, keys, does) {
  const step = Math.max(tokens.length, keys.length) > 40 ? 14 : 22;
  const side = (names, tag) => names.map((name) => make(tag, { dir: "auto", title: name }, name));
  const [left, right] = [side(tokens, "button"), side(keys, "li")];
  left.forEach((node) => { node.type = "button"; node.tabIndex = -1; });
  const height = step * Math.max(tokens.length, keys.length);
  const drawing = shape("svg", { width: ACROSS, height, "aria-hidden": "true" });
  const groups = tokens.map(() => shape("g", {}));
  drawing.append(...groups);
  const queries = make("div", { class: "mlm-ends", role: "group", "aria-label": "Queries" }, ...left);
  const ends = make("ul", { class: "mlm-ends", role: "list", "aria-label": "Keys" }, ...right);
  const node = make("div", { class: "mlm-scroll mlm-lines", style: `--mlm-step:${step}px` }, queries, drawing, ends);
  let weights = null;

  function show(rows) {
    if (rows === weights) return;
    weights = rows;
    const line = (weight, t, s) => shape("line", {
      x1: 4, y1: (t + 0.5) * step, x2: ACROSS - 4, y2: (s + 0.5) * step, "stroke-width": weight * WIDE,
    });
    groups.forEach((group, t) => group.replaceChildren(
      ...rows[t].flatMap((weight, s) => (weight < LEAST ? [] : [line(weight, t, s)])),
    ));
  }

  function select(query) {
    groups.forEach((group, t) => group.classList.toggle("mlm-here", t === query));
    left.forEach((label, t) => {
      label.classList.toggle("mlm-here", t === query);
      label.setAttribute("aria-pressed", String(t === query));
    });
    right.forEach((label, s) => label.classList.toggle("mlm-here", weights[query][s] >= LEAST));
  }

  const go = roving(queries, left.map((label) => [label]), (t, _, byUser) => does.choose(t, byUser));
  queries.addEventListener("mouseover", (event) => {
    const t = left.indexOf(event.target.closest("button"));
    if (t >= 0) does.look(t);
  });
  queries.addEventListener("mouseleave", () => does.rest());
  return { node, show, select, go: (t) => go(t, 0) };
}

// The same as a drawing to save.
function drawnLines(root, title, tokens, keys, weights, query) {
  const [step, gap] = [22, 260];
  const left = widest(tokens, MONO) + 24;
  const width = Math.max(left + gap + widest(keys, MONO) + 24, widest([title], SANS) + 24);
  const context = sheet(root, width, 44 + step * Math.max(tokens.length, keys.length));
  const at = (i) => 36 + (i + 0.5) * step;
  write(context, title, 12, 18);
  tokens.forEach((token, t) => write(context, token, left - 8, at(t), "right", t === query ? `bold ${MONO}` : MONO));
  keys.forEach((key, s) => write(context, key, left + gap + 8, at(s), "left", MONO));
  const order = tokens.map((_, t) => t).sort((a, b) => (a === query) - (b === query)); // the query's on top
  order.forEach((t) => weights[t].forEach((weight, s) => {
    if (weight < LEAST) return;
    context.lineWidth = weight * WIDE;
    context.strokeStyle = t === query ? `rgb(${BLUE})` : "rgba(127, 127, 127, 0.35)";
    context.beginPath();
    context.moveTo(left, at(t));
    context.lineTo(left + gap, at(s));
    context.stroke();
  }));
  return context.canvas;
}
