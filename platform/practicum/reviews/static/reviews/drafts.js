// What a mentor types on the desk is kept on the site as it is typed, and is there again on return.
"use strict";

(() => {
  const holder = document.querySelector("[data-draft]");
  if (!holder) return;
  const token = document.querySelector("[name=csrfmiddlewaretoken]")?.value;
  const boxes = () => [...document.querySelectorAll(".comment-form textarea, #summary")];
  const points = () => [...document.querySelectorAll("[name^=points-]")];
  let version = Number(holder.dataset.version), saved = "", waiting = 0, underway = null, asked = null;

  // --- What is on the page ----------------------------------------------------------------------------------------
  function collect() {
    const fields = {};
    for (const box of boxes()) if (box.value && box.form?.dataset.sent !== "yes") fields[box.id] = box.value;
    for (const input of points()) if (input.type === "radio" ? input.checked : input.value) fields[input.name] = input.value;
    return fields;
  }
  function restore(fields, isAll) {
    for (const box of boxes()) {
      if (!fields[box.id] || (box.value && !isAll)) continue;
      box.value = fields[box.id];
      for (let above = box.closest("details"); above; above = above.parentElement.closest("details")) above.open = true;
    }
    if ("refused" in holder.dataset && !isAll) return;
    for (const input of points()) {
      if (!(input.name in fields)) continue;
      if (input.type === "radio") input.checked = input.value === fields[input.name];
      else input.value = fields[input.name];
    }
  }

  // --- Saving: one request at a time, the newest text last ------------------------------------------------------------
  function say(words, ...buttons) {
    holder.replaceChildren(words, ...buttons);
  }
  function button(words, act) {
    const made = Object.assign(document.createElement("button"), { type: "button", className: "link-button", textContent: words });
    made.addEventListener("click", act);
    return made;
  }
  async function save(isLast = false) {
    clearTimeout(waiting);
    waiting = 0;
    const fields = collect(), written = JSON.stringify(fields);
    if (written === saved || asked) return;
    if (underway && !isLast) { await underway; save(); return; }
    const body = new FormData();
    body.set("csrfmiddlewaretoken", token);
    body.set("seen", version);
    body.set("fields", written);
    underway = send(body, written, isLast);
    await underway;
    underway = null;
  }
  async function send(body, written, isLast) {
    try {
      const answer = await fetch(holder.dataset.draft, { method: "POST", body, keepalive: isLast });
      const told = await answer.json();
      if (answer.ok) { version = told.version; saved = written; say("Draft kept"); }
      else if (answer.status === 409) conflict(told);
      else say(`Not kept: ${told.message}`);
    } catch {
      say("Not kept yet; the site does not answer. It is tried again as you type.");
    }
  }
  function conflict(told) {
    asked = told;
    const settle = (act) => () => { version = told.version; asked = null; act(); save(); };
    say(`${told.message} `, button("Keep what is here", settle(() => {})), " · ", button("Take the other", settle(() => restore(told.fields, true))));
  }

  const started = JSON.parse(document.getElementById("draft-fields").textContent || "null");
  // A form that was refused shows the points that were sent; boxes that are empty are filled in any case.
  if (started) restore(started, false);
  saved = JSON.stringify(collect());
  document.addEventListener("input", (event) => {
    if (![...boxes(), ...points()].includes(event.target)) return;
    clearTimeout(waiting);
    waiting = setTimeout(save, 700);
  });
  addEventListener("pagehide", () => save(true));
  document.addEventListener("visibilitychange", () => { if (document.visibilityState === "hidden") save(true); });
})();
