"use strict";
const money = new Intl.NumberFormat("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
for (const chart of document.querySelectorAll(".priced")) {
  const field = chart.querySelector(".try input");
  const show = () => {
    const price = Number(field.value);
    for (const cell of chart.querySelectorAll("[data-amount]")) {
      cell.textContent = Number.isFinite(price) && price >= 0 ? money.format(Number(cell.dataset.amount) * price) : "–";
    }
  };
  field.addEventListener("input", show);
  chart.querySelector(".try").hidden = false;
  show();
}
