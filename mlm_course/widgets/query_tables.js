// Beside the matrix: what one query sees, a line for each key, and what its output is made of.

function keyTable(keys, heads, classes) {
  const lines = keys.map((key) => make("tr", {},
    make("th", { scope: "row", dir: "auto" }, key), ...heads.slice(1).map(() => make("td"))));
  const caption = make("caption");
  const body = make("tbody", {}, ...lines);
  const table = make("table", { class: `mlm-row ${classes} ${keys.length > 20 ? "mlm-tight" : ""}` }, caption,
    make("thead", {}, make("tr", {}, ...heads.map((h) => make("th", { scope: "col" }, h)))), body);
  const region = { tabindex: "0", role: "region", "aria-label": "What the query sees", ...KEYS };
  const scrolls = keys.length > 12 ? region : {};
  const node = make("div", { class: "mlm-side", ...scrolls }, table);

  // Scrolls to a line inside the table only: the page stays where it is.
  function reveal(line) {
    if (!scrolls.role) return;
    const [at, box] = [line.getBoundingClientRect(), node.getBoundingClientRect()];
    const covered = table.tHead.rows[0].cells[0].getBoundingClientRect().bottom - box.top; // by what stays above
    if (at.top < box.top + covered) node.scrollTop -= box.top + covered - at.top;
    if (at.bottom > box.bottom) node.scrollTop += at.bottom - box.bottom;
  }
  return { node, table, caption, lines, body, reveal };
}

// What one query sees at each stage.
function rowTable(keys, stages) {
  const { node, caption, lines, reveal } = keyTable(keys, ["key", ...stages.map((s) => s.label)], "");

  function show(token, columns, key) {
    caption.replaceChildren("What \u201c", apart(token), "\u201d sees");
    const top = largest([columns.at(-1)]) || 1;
    lines.forEach((line, s) => {
      line.classList.toggle("mlm-current", s === key);
      columns.forEach((column, i) => {
        const cell = line.cells[i + 1];
        cell.textContent = number(column[s]);
        cell.classList.toggle("mlm-closed", column[s] === null);
      });
      line.lastChild.style.backgroundSize = `${(columns.at(-1)[s] / top) * 100}% 100%`;
    });
    if (key !== null) reveal(lines[key]);
  }
  return { node, show };
}

// A row of numbers as a strip of colours.
function stripe() {
  const canvas = make("canvas", { "aria-hidden": "true", height: 1 });
  return { canvas, paint };

  function paint(values, top) {
    canvas.width = values.length;
    const context = canvas.getContext("2d");
    values.forEach((value, d) => {
      context.fillStyle = heat(value, top) || "transparent";
      context.fillRect(d, 0, 1, 1);
    });
  }
}

// What one query's output is made of: softmax times value, key by key, one of its numbers in digits and all
// of them as colours; the last line is their sum.
function mixTable(keys) {
  const heads = ["key", "softmax", "value", "softmax \u00d7 value", "all numbers"];
  const { node, table, caption, lines, body, reveal } = keyTable(keys, heads, "mlm-mix");
  const cells = heads.slice(1).map(() => make("td"));
  const sum = make("tr", { class: "mlm-sum" }, make("th", { scope: "row" }, "output"), ...cells);
  body.append(sum);
  const stripes = [...lines, sum].map((line) => {
    const { canvas, paint } = stripe();
    line.cells[4].append(canvas);
    return paint;
  });

  // weights (S,), values (S, D), output (D,); d is the number in digits, key the line to mark or null.
  function show(token, weights, values, output, d, key) {
    caption.replaceChildren(`Number ${d} of what \u201c`, apart(token), "\u201d gets");
    table.tHead.rows[0].cells[2].textContent = `value ${d}`;
    const parts = weights.map((weight, s) => values[s].map((value) => weight * value));
    const top = largest([...parts, output]) || 1;
    const share = largest(parts.map((part) => [part[d]])) || 1;
    lines.forEach((line, s) => {
      line.classList.toggle("mlm-current", s === key);
      line.cells[1].textContent = number(weights[s]);
      line.cells[2].textContent = number(values[s][d]);
      line.cells[3].textContent = number(parts[s][d]);
      line.cells[3].style.backgroundSize = `${(Math.abs(parts[s][d]) / share) * 100}% 100%`;
      line.cells[3].classList.toggle("mlm-below", parts[s][d] < 0);
      stripes[s](parts[s], top);
    });
    sum.cells[3].textContent = number(output[d]);
    stripes.at(-1)(output, top);
    if (key !== null) reveal(lines[key]);
  }
  return { node, show };
}

// "1.95 = 0.60 x 3.00 (cat) + ...": the largest parts of one number of an output, as text and tokens.
function mixWords(keys, weights, values, total, d) {
  const parts = keys.map((_, s) => Math.abs(weights[s] * values[s][d]));
  const most = firsts(parts.map((part, s) => (weights[s] ? part : 0)));
  const said = most.flatMap((s, i) => [i ? " + " : "",
    `${number(weights[s])} \u00d7 ${number(values[s][d])} (`, apart(keys[s]), ")"]);
  const more = parts.filter((part) => part).length > most.length ? [" + \u2026"] : [];
  return [`${number(total)} = `, ...(most.length ? said : ["0"]), ...more];
}

// Places of the three largest numbers, largest first, without those that are written as 0.00.
function firsts(numbers) {
  const order = numbers.map((_, place) => place).sort((a, b) => numbers[b] - numbers[a]);
  return order.slice(0, 3).filter((place) => numbers[place] >= 0.005);
}
