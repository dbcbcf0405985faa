// The bank of comments: found by typing, put in at the cursor, counted.
"use strict";

(() => {
  const dialog = document.getElementById("bank");
  if (!dialog) return;
  const search = dialog.querySelector("[role=combobox]");
  const options = [...dialog.querySelectorAll("[role=option]")];
  const summary = document.getElementById("summary");
  const token = document.querySelector("[name=csrfmiddlewaretoken]")?.value;
  const boxes = ".comment-form textarea, #summary";
  let box = null, cursor = [0, 0], written = null;

  function insert(into, snippet, [from, to], before = "") {
    into.setRangeText(before + snippet.dataset.body, from, to, "end");
    into.dispatchEvent(new Event("input", { bubbles: true }));
    const body = new FormData();
    body.set("csrfmiddlewaretoken", token);
    fetch(snippet.dataset.use, { method: "POST", body, keepalive: true }).catch(() => {});
  }

  // --- A line of the rubric: into the comment that is being written, else into the summary -----------------------------
  document.addEventListener("input", (event) => { if (event.target.matches?.(boxes)) written = event.target; });
  function append(snippet) {
    const into = written?.value.trim() ? written : summary;
    insert(into, snippet, [into.value.length, into.value.length], into.value.trim() ? "\n" : "");
    if (into === summary) return;
    document.getElementById("pane-cells").checked = true;
    for (let above = into.closest("details"); above; above = above.parentElement.closest("details")) above.open = true;
    into.focus();
    into.scrollIntoView({ block: "nearest" });
  }

  // --- Finding -------------------------------------------------------------------------------------------------------
  const found = () => options.filter((option) => !option.hidden);
  function select(option) {
    for (const other of options) other.setAttribute("aria-selected", String(other === option));
    if (option) { search.setAttribute("aria-activedescendant", option.id); option.scrollIntoView({ block: "nearest" }); } else search.removeAttribute("aria-activedescendant");
  }
  function narrow() {
    const words = search.value.toLowerCase().split(/\s+/);
    for (const option of options) option.hidden = !words.every((word) => option.textContent.toLowerCase().includes(word));
    select(found()[0]);
  }
  function open(target) {
    box = target;
    cursor = [box.selectionStart, box.selectionEnd];
    dialog.showModal();
    if (search) { search.value = ""; narrow(); search.focus(); }
  }
  function take(option) {
    dialog.close();
    box.focus();
    if (option) insert(box, option, cursor, box === summary && box.value.trim() && cursor[0] === box.value.length ? "\n" : "");
  }
  search?.addEventListener("input", narrow);
  search?.addEventListener("keydown", (event) => {
    const all = found(), here = all.findIndex((option) => option.getAttribute("aria-selected") === "true");
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && all.length) select(all[(here + step + all.length) % all.length]);
    else if (event.key === "Enter") take(all[here]);
    else return;
    event.preventDefault();
  });
  for (const option of options) option.addEventListener("click", () => take(option));
  dialog.addEventListener("close", () => box?.focus());

  // --- Opening: Ctrl + / in a box, or its button -----------------------------------------------------------------------
  document.addEventListener("keydown", (event) => {
    const into = event.target.closest?.(boxes);
    if (!into || event.key !== "/" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    open(into);
  });
  document.addEventListener("click", (event) => {
    const opener = event.target.closest?.("[data-bank-open]");
    if (opener) open(opener.closest("form").querySelector("textarea"));
    const snippet = event.target.closest?.("button[data-phrase]");
    if (snippet) append(snippet);
  });
})();
