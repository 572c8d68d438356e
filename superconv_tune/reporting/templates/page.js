"use strict";

// Buttons are listed one by one: plotly's default bar also offers to upload the figure.
const BUTTONS = [["zoom2d", "pan2d", "resetScale2d", "toImage"]];

for (const data of document.querySelectorAll("script[data-for]")) {
  const drawing = document.getElementById(data.dataset.for);
  const figure = JSON.parse(data.textContent);
  const config = { responsive: true, displaylogo: false, modeBarButtons: BUTTONS };
  Plotly.newPlot(drawing, figure.data, figure.layout, config);
}

const fit = () => document.querySelectorAll(".drawing").forEach((drawing) => Plotly.Plots.resize(drawing));
window.addEventListener("beforeprint", fit);
window.addEventListener("afterprint", fit);

function sortKey(row, column) {
  const cell = row.cells[column];
  if (!("value" in cell.dataset)) return cell.textContent.trim();
  return cell.dataset.value === "" ? null : Number(cell.dataset.value);
}

const ungrouped = (text) => String(text).replace(/(\d),(?=\d{3})/g, "$1"); // 1,234 as 1234

function compare(a, b) {
  if (typeof a === "number" && typeof b === "number") return a - b;
  return ungrouped(a).localeCompare(ungrouped(b), "en", { numeric: true });
}

function sortBy(table, column, ascending) {
  const rows = [...table.tBodies[0].rows].map((row) => [sortKey(row, column), row]);
  rows.sort(([a], [b]) => {
    if (a === null || b === null) return (a === null) - (b === null); // missing values come last in both directions
    return ascending ? compare(a, b) : compare(b, a);
  });
  table.tBodies[0].append(...rows.map(([, row]) => row));
}

for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    head.querySelector("button").addEventListener("click", () => {
      const ascending = head.getAttribute("aria-sort") !== "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", ascending ? "ascending" : "descending");
      sortBy(table, column, ascending);
    });
  });
}
