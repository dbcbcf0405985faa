// The notebook that a mentor reads follows what its intern saves; it is loaded anew only when it changed, and in the page's
// colours. Without this file the page shows what was saved when it was loaded.
"use strict";

(() => {
  const holder = document.getElementById("help-notebook");
  const frame = holder?.querySelector("iframe");
  if (!frame) return;
  const system = matchMedia("(prefers-color-scheme: dark)");
  let at = frame.getAttribute("src") || "";

  function show() {
    const chosen = document.querySelector("#help-live [data-frame]");
    holder.hidden = !chosen;
    if (!chosen) { at = ""; frame.removeAttribute("src"); return; }
    const theme = document.documentElement.dataset.bsTheme;
    const next = chosen.dataset.frame + (theme === (system.matches ? "dark" : "light") ? "" : `&theme=${theme}`);
    if (next === at) return;
    at = next;
    frame.src = next;
  }
  show();
  document.addEventListener("htmx:afterSettle", show);
  new MutationObserver(show).observe(document.documentElement, { attributeFilter: ["data-bs-theme"] });
})();
