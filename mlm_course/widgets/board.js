// Boxes of numbers to walk through, to point at and to hold: the matrices of the attention explorer.

// does: words(t, s) for the tooltip, look(t, s) at what is pointed at, rest() where the pointer leaves,
// choose(t, s, byUser). What stands across is named by the corner.
function board(root, rows, columns, name, across, does) {
  const grid = matrix(rows, columns, name, across);
  const paint = grid.small ? backdrop(grid.boxes) : (t, s, colour, closed) => {
    grid.boxes[t][s].style.backgroundColor = closed ? "" : colour;
    grid.boxes[t][s].classList.toggle("mlm-closed", closed);
  };
  const told = []; // boxes with a sentence of their own
  const hold = holding(root, grid, does.words, does.look, does.rest);
  const go = roving(grid.table, grid.boxes, does.choose);
  grid.table.addEventListener("click", (event) => {
    if (event.target.closest("tbody th")) go(under(event)[0], 0, true);
  });

  function show(values, isClosed) {
    const top = largest(values);
    values.forEach((line, t) => line.forEach((value, s) => {
      paint(t, s, heat(value, top), isClosed(t, s));
      if (!grid.small) grid.boxes[t][s].textContent = number(value);
    }));
    while (told.length) told.pop().removeAttribute("aria-label"); // of another head or stage
    hold.refresh();
  }

  function select(row) {
    grid.lines.forEach((line, i) => {
      line.classList.toggle("mlm-selected", i === row);
      line.setAttribute("aria-selected", String(i === row));
    });
  }

  function tell(t, s, sentence) {
    grid.boxes[t][s].setAttribute("aria-label", sentence);
    told.push(grid.boxes[t][s]);
  }
  return { node: grid.node, show, select, tell, go, letGo: hold.letGo };
}
