// The sums of the matrix as it is typed, and a button that clears a cell. The server checks again when it is sent.
"use strict";

(() => {
  const form = document.querySelector("[data-quotas]");
  if (!form) return;
  const today = form.dataset.today;
  const valueOf = (cell, name) => cell.querySelector(`[name$="-${name}"]`)?.value ?? "";
  const writeDay = (day) => new Date(`${day}T12:00:00Z`).toLocaleDateString("en-GB", { day: "numeric", month: "long", timeZone: "UTC", ...(day.slice(0, 4) === today.slice(0, 4) ? {} : { year: "numeric" }) });
  const countsOn = (day) => (share) => (!share.from || share.from <= day) && (!share.to || day <= share.to);
  const partsOn = (day, shares) => shares.filter(countsOn(day)).map((share) => share.guaranteed).filter((count) => count > 0);
  const sum = (parts) => parts.reduce((total, part) => total + part, 0);
  const added = (parts) => (parts.length > 1 ? `${parts.join(" + ")} = ${sum(parts)}` : `${sum(parts)}`);

  // Of a shared GPU one cohort at a time holds parts: each guarantee is counted in whole GPUs.
  function says(day, guaranteed, slots, perGpu) {
    const total = sum(guaranteed);
    const when = day === today ? "today" : `on ${writeDay(day)}`;
    if (total > slots) return `${added(guaranteed)} slot${total === 1 ? " is" : "s are"} guaranteed ${when}, and the pool has ${slots}.`;
    const gpus = guaranteed.map((count) => Math.ceil(count / perGpu));
    return `${added(guaranteed)} slots are guaranteed ${when}. One cohort at a time uses the ${perGpu} slots of a GPU: ${added(gpus)} GPUs are needed, and the pool has ${Math.floor(slots / perGpu)}.`;
  }

  function addUp(column) {
    const slots = Number(column.dataset.slots);
    const perGpu = Number(column.dataset.parts);
    const shares = [...form.querySelectorAll(`[data-quota="${column.dataset.pool}"]`)]
      .map((cell) => ({ guaranteed: Number.parseInt(valueOf(cell, "guaranteed"), 10) || 0, from: valueOf(cell, "from_on"), to: valueOf(cell, "to_on") }));
    // A sum rises only on the day a share begins.
    const days = [today, ...shares.map((share) => share.from).filter((day) => day > today).sort()];
    const fullest = days.reduce((most, day) => (sum(partsOn(day, shares)) > sum(partsOn(most, shares)) ? day : most), today);
    const gpusOn = (day) => sum(partsOn(day, shares).map((count) => Math.ceil(count / perGpu)));
    const over = days.find((day) => gpusOn(day) > Math.floor(slots / perGpu));
    column.querySelector("[data-sum]").textContent = sum(partsOn(today, shares));
    column.querySelector("[data-outlook]").textContent = fullest === today ? "" : `, ${sum(partsOn(fullest, shares))} on ${writeDay(fullest)}`;
    const sentence = over ? says(over, partsOn(over, shares), slots, perGpu) : "";
    const told = column.querySelector("[data-overrun]");
    const isTold = column.querySelector("[data-refusal]") !== null;
    if (!isTold && told.textContent !== sentence) told.textContent = sentence;
    column.classList.toggle("is-refused", isTold || Boolean(over));
  }

  const columns = [...form.querySelectorAll("[data-pool]")];
  columns.forEach(addUp);
  form.addEventListener("input", (event) => {
    const cell = event.target.closest("[data-quota]");
    if (!cell) return;
    const column = columns.find((each) => each.dataset.pool === cell.dataset.quota);
    column.querySelector("[data-refusal]")?.remove();
    cell.classList.toggle("is-changed", [...cell.querySelectorAll("input")].some((input) => input.value !== input.defaultValue));
    addUp(column);
  });
  // A plan may suppose another number of slots.
  for (const count of form.querySelectorAll("[data-slots-of]")) {
    count.addEventListener("input", () => {
      const column = columns.find((each) => each.dataset.pool === count.dataset.slotsOf);
      const slots = Number.parseInt(count.value, 10);
      if (!column || Number.isNaN(slots)) return;
      column.dataset.slots = slots;
      column.querySelector("[data-sum]").nextSibling.textContent = ` of ${slots} slot${slots === 1 ? "" : "s"} guaranteed`;
      column.querySelector("[data-refusal]")?.remove();
      addUp(column);
    });
  }
  for (const button of form.querySelectorAll("[data-clear]")) {
    button.hidden = false;
    button.addEventListener("click", () => {
      const cell = button.closest("[data-quota]");
      for (const input of cell.querySelectorAll("input")) input.value = "";
      cell.querySelector("input").dispatchEvent(new Event("input", { bubbles: true }));
      cell.querySelector("input").focus();
    });
  }
})();
