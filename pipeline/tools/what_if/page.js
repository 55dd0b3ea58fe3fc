"use strict";
const field = document.querySelector("#price");
if (field) {
  const cells = [...document.querySelectorAll("[data-users]")];
  const unit = field.dataset.currency ? " " + field.dataset.currency : "";
  const money = new Intl.NumberFormat("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
  const show = () => {
    const price = Number(field.value);
    for (const cell of cells) {
      const users = cell.dataset.users.split(",").reduce((sum, each) => sum + Number(each), 0);
      cell.textContent = Number.isFinite(price) && price >= 0 ? money.format(users * price) + unit : "–";
    }
  };
  field.addEventListener("input", show);
  document.querySelector(".try").hidden = false;
  show();
}
