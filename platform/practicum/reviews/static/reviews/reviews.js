// The desk and the inbox by keyboard; the notebook in the page's colours. Everything works without this file too.
"use strict";

(() => {
  const page = document.documentElement;
  const frame = document.querySelector("iframe[data-notebook]");
  const cells = [...document.querySelectorAll("[data-cells] > li")];
  const isNarrow = () => matchMedia("(max-width: 991.98px)").matches;

  // --- Colours: the notebook follows the system by itself; only another choice is told to it -------------------------
  const system = matchMedia("(prefers-color-scheme: dark)");
  let anchor = "";
  function address(hash) {
    const theme = page.dataset.bsTheme;
    return `${frame.dataset.notebook}${theme === (system.matches ? "dark" : "light") ? "" : `?theme=${theme}`}${hash}`;
  }
  function colour() {
    for (const line of cells) {
      const link = line.querySelector(".cell-link");
      link.href = address(new URL(link.href).hash);
    }
    const next = new URL(address(anchor), location.href);
    if (next.search !== new URL(frame.src).search) frame.src = next;
  }
  if (frame) {
    colour();
    new MutationObserver(colour).observe(page, { attributeFilter: ["data-bs-theme"] });
  }

  // --- Cells -----------------------------------------------------------------------------------------------------
  function choose(line) {
    for (const other of cells) other.classList.toggle("is-current", other === line);
    anchor = new URL(line.querySelector(".cell-link").href).hash;
    const talk = line.querySelector(".cell-talk");
    for (const other of cells) {
      const opened = other.querySelector(".cell-talk[data-by-choice]");
      if (opened && other !== line && !opened.querySelector("textarea")?.value) { opened.open = false; delete opened.dataset.byChoice; }
    }
    if (talk && !talk.open && !isNarrow()) { talk.open = true; talk.dataset.byChoice = "yes"; }
    if (isNarrow()) document.getElementById("pane-notebook").checked = true;
    line.scrollIntoView({ block: "nearest" });
  }
  for (const line of cells) line.querySelector(".cell-link").addEventListener("click", () => choose(line));

  // --- Keys: j and k move, c writes a comment -----------------------------------------------------------------------
  const lines = cells.length ? cells : [...document.querySelectorAll("[data-inbox] > li")];
  const linkOf = (line) => line.querySelector(".cell-link, .inbox-link");
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input:not([type=radio]), textarea, select, [contenteditable], dialog");
    if (typing || event.ctrlKey || event.metaKey || event.altKey || !["j", "k", "c"].includes(event.key)) return;
    const at = lines.findIndex((line) => line.classList.contains("is-current") || line.contains(document.activeElement));
    if (event.key === "c") {
      const box = lines[at]?.querySelector(".cell-said > .comment-form textarea");
      if (box) { event.preventDefault(); box.closest("details").open = true; box.focus(); }
      return;
    }
    const next = lines[Math.min(lines.length - 1, Math.max(0, at + (event.key === "j" ? 1 : -1)))];
    if (!next) return;
    event.preventDefault();
    linkOf(next).focus();
    if (cells.length) linkOf(next).click();
  });

  // --- A comment that was linked to is in sight even inside a pane ------------------------------------------------------
  const target = location.hash.startsWith("#comment-") && document.getElementById(location.hash.slice(1));
  if (target) {
    target.closest("details")?.setAttribute("open", "");
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
