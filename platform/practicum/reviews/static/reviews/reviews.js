// The desk and the inbox by keyboard; the notebook in the page's colours. Everything works without this file too.
"use strict";

(() => {
  const page = document.documentElement;
  const frame = document.querySelector("iframe[data-notebook]");
  const desk = document.querySelector("[data-desk]");
  const cells = [...document.querySelectorAll(".cell-line")];
  const isNarrow = () => matchMedia("(max-width: 991.98px)").matches;
  const pane = (name) => { document.getElementById(`pane-${name}`).checked = true; };

  // --- The notebook: which view of it, with which folds open, in which colours, at which cell ------------------------
  // Its colours follow the system by themselves; only another choice is told to it.
  const system = matchMedia("(prefers-color-scheme: dark)");
  const shown = { isSince: frame?.hasAttribute("data-since"), opened: new Set(), hash: "" };
  function address() {
    const theme = page.dataset.bsTheme, asked = new URLSearchParams();
    if (shown.isSince) asked.set("since", "1");
    if (shown.isSince && shown.opened.size) asked.set("open", [...shown.opened].join());
    if (theme !== (system.matches ? "dark" : "light")) asked.set("theme", theme);
    return new URL(`${frame.dataset.notebook}?${asked}${shown.hash}`.replace("?#", "#").replace(/\?$/, ""), location.href).href;
  }
  let at = frame?.src;
  function show() {
    const next = address();
    if (next === at) return;
    at = next;
    frame.contentWindow.location.replace(next);
  }
  if (frame) {
    show();
    new MutationObserver(show).observe(page, { attributeFilter: ["data-bs-theme"] });
  }

  // --- Stops: what changed, and what was said. Cells of an opened fold are stops too. -----------------------------------
  const isOpened = (line) => line.closest("[data-fold-of-cells]")?.open;
  const needsNoStop = (line) => desk.querySelector("[data-since]") && !line.querySelector(".cell-tag.is-new") && line.querySelector("[data-thread]");
  function stops() {
    const found = [...desk.querySelectorAll(".pane-cells .cell-line, .pane-cells [data-thread]")];
    return found.filter((stop) => stop.matches("[data-thread]") || isOpened(stop) || (stop.matches("[data-stop]") && !needsNoStop(stop)));
  }
  const lineOf = (stop) => stop?.closest(".cell-line");
  let current = null;

  function closeOthers(line) {
    for (const talk of desk.querySelectorAll(".cell-talk[data-by-choice]")) {
      if (line?.contains(talk) || [...talk.querySelectorAll("textarea")].some((box) => box.value)) continue;
      talk.open = false;
      delete talk.dataset.byChoice;
    }
  }
  function choose(stop) {
    current = stop;
    const line = lineOf(stop);
    for (const other of desk.querySelectorAll(".is-current")) other.classList.remove("is-current");
    stop.classList.add("is-current");
    line?.classList.add("is-current");
    closeOthers(line);
    const talk = line?.querySelector(".cell-talk");
    if (talk && !talk.open && !isNarrow()) { talk.open = true; talk.dataset.byChoice = "yes"; }
    if (line) {
      if (line.dataset.fold) shown.opened.add(line.dataset.fold);
      shown.hash = new URL(line.querySelector(".cell-link").href).hash;
      show();
      if (isNarrow()) pane("notebook");
    }
    stop.scrollIntoView({ block: "nearest" });
  }
  function focusOn(stop) {
    const target = stop.matches(".cell-line") ? stop.querySelector(".cell-link") : stop;
    if (target === stop) stop.tabIndex = -1;
    target.focus({ preventScroll: true });
  }
  function go(step) {
    const all = stops();
    if (!all.length) return;
    const here = all.indexOf(current);
    const next = all[here < 0 ? (step > 0 ? 0 : all.length - 1) : Math.min(all.length - 1, Math.max(0, here + step))];
    if (!isNarrow()) pane("cells");
    choose(next);
    focusOn(next);
  }

  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[target=notebook]");
    if (!link || !frame || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const url = new URL(link.href);
    const line = url.hash && cells.find((one) => new URL(one.querySelector(".cell-link").href).hash === url.hash);
    if (!line && !link.dataset.view) { at = ""; return; }
    event.preventDefault();
    if (link.dataset.view) view(link.dataset.view === "since");
    else choose(line);
  });
  function view(isSince) {
    shown.isSince = isSince;
    show();
  }

  // --- Folds ---------------------------------------------------------------------------------------------------------
  function unfold(details, isOpen) {
    details.open = isOpen;
    for (const line of details.querySelectorAll("[data-fold]")) isOpen ? shown.opened.add(line.dataset.fold) : shown.opened.delete(line.dataset.fold);
  }
  function toggleFold() {
    const all = [...desk.querySelectorAll("[data-fold-of-cells]")];
    const held = current?.closest("[data-fold-of-cells]");
    const after = all.filter((fold) => !current || current.compareDocumentPosition(fold) & Node.DOCUMENT_POSITION_FOLLOWING);
    const fold = held || after[0] || all[all.length - 1];
    if (!fold) return;
    unfold(fold, !fold.open);
    if (fold.open) { const first = fold.querySelector(".cell-line"); choose(first); focusOn(first); } else if (held) go(1);
    show();
  }
  function toggleFolds() {
    const all = [...desk.querySelectorAll("[data-fold-of-cells]")];
    const isOpen = all.some((fold) => !fold.open);
    for (const fold of all) unfold(fold, isOpen);
    show();
  }

  // --- Writing ---------------------------------------------------------------------------------------------------------
  function write(box) {
    if (!box) return;
    pane("cells");
    for (let above = box.closest("details"); above; above = above.parentElement.closest("details")) above.open = true;
    box.focus();
    box.scrollIntoView({ block: "nearest" });
  }
  function comment(onOutput) {
    const line = lineOf(current);
    const form = (line?.querySelector(".cell-said > .comment-form")) ?? document.getElementById("body-whole")?.form;
    const choice = form?.querySelector("[name=on_output]");
    if (onOutput && choice) choice.checked = true;
    write(form?.querySelector("textarea"));
  }
  const threadAt = () => current?.matches("[data-thread]") ? current : lineOf(current)?.querySelector("[data-thread]");
  function decide(decision) {
    const button = document.querySelector(`[data-decide] button[value=${decision}]`);
    if (!button) return;
    pane("decide");
    button.form.dataset.confirmFocus = "yes";
    button.click();
  }
  function rubric() {
    const first = document.querySelector(".rubric-item input:checked, .rubric-item input");
    pane("decide");
    (first ?? document.querySelector(".pane-decide"))?.focus();
  }
  // In the rubric a digit gives that many points and goes on to the next item, then to the summary.
  function points(event) {
    const item = event.target.closest(".rubric-item");
    const choice = item?.querySelector(`input[type=radio][value="${event.key}"]`);
    if (!choice) return false;
    choice.checked = true;
    choice.dispatchEvent(new Event("input", { bubbles: true }));
    const items = [...document.querySelectorAll(".rubric-item")];
    const next = items[items.indexOf(item) + 1]?.querySelector("input:checked, input") ?? document.getElementById("summary");
    next?.focus();
    return true;
  }
  // And the letter that stands at a comment of the line takes it.
  function phrase(event) {
    const found = event.target.closest(".rubric-item")?.querySelector(`[data-phrase="${CSS.escape(event.key)}"]`);
    found?.click();
    return Boolean(found);
  }

  // --- Keys ------------------------------------------------------------------------------------------------------------
  const KEYS = {
    j: () => go(1), k: () => go(-1), c: () => comment(false), C: () => comment(true),
    e: () => write(threadAt()?.querySelector(".reply textarea")), s: () => threadAt()?.querySelector(".thread-settle")?.requestSubmit(),
    o: toggleFold, O: toggleFolds, w: () => frame?.hasAttribute("data-since") && view(!shown.isSince),
    b: () => [...(threadAt()?.querySelectorAll(".keep-form") ?? [])].pop()?.requestSubmit(),
    r: rubric, a: () => decide("accepted"), x: () => decide("changes"),
    u: () => document.querySelector(".breadcrumb-line a")?.click(), "?": () => document.getElementById("keys")?.showModal(),
  };
  const typed = "input:not([type=radio], [type=checkbox]), textarea, select, [contenteditable]";
  function leave(box) {
    box.blur();
    if (current) focusOn(current);
  }
  document.addEventListener("keydown", (event) => {
    if (event.target.closest("dialog") || event.altKey || event.defaultPrevented) return;
    if (event.target.closest(typed)) {
      if (event.key === "Escape" && desk) { event.preventDefault(); leave(event.target); }
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) event.target.closest(".comment-form")?.requestSubmit();
      return;
    }
    if (event.ctrlKey || event.metaKey) return;
    if (!desk) { inboxKey(event); return; }
    const act = KEYS[event.key];
    if (points(event) || phrase(event)) event.preventDefault();
    else if (act) { event.preventDefault(); act(); }
  });
  function inboxKey(event) {
    const lines = [...document.querySelectorAll("[data-inbox] > li")];
    if (!lines.length || !["j", "k"].includes(event.key)) return;
    const here = lines.findIndex((line) => line.contains(document.activeElement));
    event.preventDefault();
    lines[Math.min(lines.length - 1, Math.max(0, here + (event.key === "j" ? 1 : -1)))].querySelector(".inbox-link").focus();
  }

  // --- The inbox asks for its first notebooks, so that they are rendered by the time one is opened ---------------------
  const warm = [...document.querySelectorAll("[data-warm]")].slice(0, 3).map((line) => line.dataset.warm);
  const warmNext = () => { const next = warm.shift(); if (next) fetch(next, { method: "HEAD", priority: "low" }).then(warmNext, () => {}); };
  addEventListener("load", () => setTimeout(warmNext, 300));

  // --- A comment that was linked to is in sight, inside its pane, with its cell -------------------------------------------
  const target = location.hash.startsWith("#comment-") && document.getElementById(location.hash.slice(1));
  if (target && desk) {
    for (let above = target.closest("details"); above; above = above.parentElement.closest("details")) above.open = true;
    const stop = target.closest("[data-thread]");
    if (stop && !isNarrow()) { choose(stop); focusOn(stop); }
    target.scrollIntoView({ block: "center" });
  }

  // --- Deciding: the button pressed says what is asked and sent ------------------------------------------------------
  const form = document.querySelector("[data-decide]");
  form?.addEventListener("click", (event) => {
    const button = event.target.closest("button[name=decision]");
    if (!button) return;
    form.querySelector("input[type=hidden][name=decision]").value = button.value;
    form.dataset.confirm = button.dataset.question;
    form.dataset.confirmLabel = button.dataset.label;
  });
})();
