// Sorts a table by the column whose heading is pressed; opens what is folded before it is printed.
"use strict";

const numberOf = (cell) => Number(cell.dataset.value);
const textOf = (cell) => cell.textContent.trim();

function compare(one, other, numeric) {
  return numeric
    ? numberOf(one) - numberOf(other)
    : textOf(one).localeCompare(textOf(other), undefined, { numeric: true });
}

function sortBy(head) {
  const table = head.closest("table");
  const column = [...head.parentElement.children].indexOf(head);
  const down = head.getAttribute("aria-sort") === "ascending";
  const body = table.tBodies[0];
  const numeric = head.classList.contains("number");
  const rows = [...body.rows].sort(
    (a, b) => compare(a.cells[column], b.cells[column], numeric) * (down ? -1 : 1),
  );
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", down ? "descending" : "ascending");
  body.append(...rows);
}

for (const button of document.querySelectorAll("th button")) {
  button.addEventListener("click", () => sortBy(button.closest("th")));
}
addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details")) details.open = true;
});
