
// Without this script the tables stand as they were written; with it, a button in each column's header sorts them.
const MISSING = ["", "–"];
const number = said => parseFloat(said.replace(/^[<>≤≥≲≈~+\s]+/, "").replace("−", "-"));

/** Numbers by value (an interval by the value before it), then words, then what is missing, whichever way the others go. */
function compare(a, b, sign) {
  const rank = said => MISSING.includes(said) ? 2 : Number.isNaN(number(said)) ? 1 : 0;
  if (rank(a) !== rank(b)) return rank(a) - rank(b);
  return sign * (rank(a) === 0 ? number(a) - number(b) : a.localeCompare(b, "en", {numeric: true}));
}

for (const table of document.querySelectorAll("table")) {
  const body = table.tBodies[0], heads = [...table.tHead.rows[0].cells], written = [...body.rows];
  if (written.length < 2) continue;
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      // ascending, descending, and as it was written
      const order = {ascending: "descending", descending: null}[head.ariaSort] ?? (head.ariaSort ? null : "ascending");
      for (const other of heads) other.ariaSort = other === head ? order : null;
      const said = row => row.cells[column].textContent.trim();
      const sign = order === "descending" ? -1 : 1;
      body.append(...(order ? written.toSorted((a, b) => compare(said(a), said(b), sign)) : written));
    });
  });
}
