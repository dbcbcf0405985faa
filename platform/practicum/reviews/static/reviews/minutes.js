// Honest minutes: a second counts while this window is in sight and something was done in it within the last sixty.
"use strict";

(() => {
  const clock = document.querySelector("[data-minutes]");
  if (!clock) return;
  const STILL_MS = 60_000, TELL_EVERY = 15, WORTH_TELLING = 5;
  const token = document.querySelector("[name=csrfmiddlewaretoken]")?.value;
  const before = Number(clock.dataset.before);
  let seconds = 0, told = 0, done = performance.now(), waitUntil = 0;

  const write = () => {
    const minutes = Math.floor((before + seconds) / 60);
    clock.textContent = minutes ? `${minutes} min at this desk` : "under a minute at this desk";
  };
  async function tell() {
    if (seconds - told < WORTH_TELLING) return;
    const now = seconds, body = new FormData();
    told = now;
    body.set("csrfmiddlewaretoken", token);
    body.set("opening", clock.dataset.opening);
    body.set("seconds", now);
    try {
      const answer = await fetch(clock.dataset.minutes, { method: "POST", body, keepalive: true });
      if (!answer.ok) waitUntil = seconds + 4 * TELL_EVERY;
    } catch { told = 0; }
  }
  const act = () => { done = performance.now(); };
  for (const kind of ["pointermove", "pointerdown", "keydown", "wheel", "touchstart", "scroll"]) addEventListener(kind, act, { passive: true, capture: true });
  // What happens inside the notebook's frame is not told to this page; that it has the focus is.
  const isReading = () => document.activeElement?.tagName === "IFRAME" && document.hasFocus();
  addEventListener("blur", () => { if (isReading()) act(); });

  write();
  setInterval(() => {
    if (document.visibilityState !== "visible" || performance.now() - done > STILL_MS) return;
    seconds += 1;
    write();
    if (seconds % TELL_EVERY === 0 && seconds >= waitUntil) tell();
  }, 1000);
  addEventListener("pagehide", tell);
  document.addEventListener("visibilitychange", () => { if (document.visibilityState === "hidden") tell(); });
})();
