// What pages do beyond reading: theme toggle, menus, confirmations, charts, relative times, live parts.
"use strict";

const root = document.documentElement;
const chartLibrary = document.currentScript.dataset.chartLibrary;

function labelThemeToggles() {
  const next = root.dataset.bsTheme === "dark" ? "light" : "dark";
  for (const button of document.querySelectorAll("[data-theme-toggle]")) button.setAttribute("aria-label", `Use ${next} colours`);
}

function toggleTheme() {
  const next = root.dataset.bsTheme === "dark" ? "light" : "dark";
  root.dataset.bsTheme = next;
  try { localStorage.setItem("practicum-theme", next); } catch { /* storage is switched off: it holds for this page */ }
}

function askFirst(form) {
  const dialog = document.createElement("dialog");
  dialog.className = "confirm";
  const question = document.createElement("p");
  question.textContent = form.dataset.confirm;
  const buttons = document.createElement("div");
  const keep = Object.assign(document.createElement("button"), { type: "button", className: "btn btn-outline-secondary", textContent: "Not now" });
  const go = Object.assign(document.createElement("button"), { type: "button", className: "btn btn-primary", textContent: form.dataset.confirmLabel || "Yes" });
  keep.addEventListener("click", () => dialog.close());
  go.addEventListener("click", () => { 
    form.dataset.confirmed = "yes";
    dialog.close();
    // A live part may have been painted anew while the question stood open; its old form still says what was meant.
    if (!form.isConnected) { form.hidden = true; document.body.append(form); }
    form.requestSubmit();
  });
  dialog.addEventListener("close", () => dialog.remove());
  dialog.setAttribute("aria-label", form.dataset.confirmLabel || "Please confirm");
  go.autofocus = form.dataset.confirmFocus === "yes";
  buttons.append(keep, go);
  dialog.append(question, buttons);
  document.body.append(dialog);
  dialog.showModal();
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!(form instanceof HTMLFormElement)) return;
  if (form.dataset.confirm && form.dataset.confirmed !== "yes") {
    event.preventDefault();
    askFirst(form);
    return;
  }
  if (form.dataset.sent === "yes") { event.preventDefault(); return; }
  if (form.method === "post" && !form.hasAttribute("hx-post")) {
    form.dataset.sent = "yes";
    for (const button of form.querySelectorAll("button[type=submit]")) button.setAttribute("aria-disabled", "true");
  }
});

// Coming back with the browser's back button shows the page as it was left: forms work again.
addEventListener("pageshow", (event) => {
  if (!event.persisted) return;
  for (const form of document.querySelectorAll("form")) { delete form.dataset.sent; delete form.dataset.confirmed; }
});

document.addEventListener("click", (event) => {
  const target = event.target instanceof Element ? event.target : null;
  if (!target) return;
  if (target.closest("[data-theme-toggle]")) toggleTheme();
  target.closest("[data-dismiss]")?.parentElement.remove();
  const copy = target.closest("[data-copy]");
  if (copy) navigator.clipboard?.writeText(copy.dataset.copy).then(() => { copy.textContent = "Copied"; });
  for (const menu of document.querySelectorAll("details.menu[open]")) if (!menu.contains(target)) menu.open = false;
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll("details.menu[open]")) { menu.open = false; menu.querySelector("summary").focus(); }
});

// --- Relative times -------------------------------------------------------------------------------------------------
const SIZES = [[86400, "day"], [3600, "h"], [60, "min"], [1, "s"]];

function fromNow(seconds) {
  const length = Math.abs(seconds);
  if (length < 10) return seconds >= 0 ? "just now" : "now";
  const [size, unit] = SIZES.find(([most]) => length >= most);
  const count = Math.floor(length / size);
  const text = `${count} ${unit}${unit === "day" && count !== 1 ? "s" : ""}`;
  return seconds > 0 ? `${text} ago` : `in ${text}`;
}

function tellTimes() {
  for (const time of document.querySelectorAll("time[data-ago]")) {
    time.textContent = fromNow(Math.round((Date.now() - Date.parse(time.dateTime)) / 1000));
  }
}

// --- The reader's clock ---------------------------------------------------------------------------------------------
// Times are written in the site's zone, which the footer names; where the reader's clock says another hour, that is said too.
const writeOwn = new Intl.DateTimeFormat(undefined, { weekday: "short", hour: "2-digit", minute: "2-digit" });

function minutesAhead(written, moment = new Date(written)) {
  const [, sign, hours, minutes] = written.match(/([+-])(\d\d):?(\d\d)$/) ?? ["", "+", 0, 0];
  return -moment.getTimezoneOffset() - Number(`${sign}1`) * (Number(hours) * 60 + Number(minutes));
}

function tellOwnClock() {
  for (const zone of document.querySelectorAll("[data-site-zone]")) {
    const ahead = minutesAhead(zone.dataset.siteZone, new Date()), away = Math.abs(ahead);
    if (!ahead) continue;
    const length = [away >= 60 ? `${Math.floor(away / 60)} h` : "", away % 60 ? `${away % 60} min` : ""].filter(Boolean).join(" ");
    zone.textContent = ` (your clock: ${length} ${ahead > 0 ? "ahead" : "behind"})`;
  }
  for (const span of document.querySelectorAll("[data-own-span]")) {
    const [begin, end] = span.dataset.ownSpan.split("/");
    if (minutesAhead(begin) || minutesAhead(end)) span.textContent = `; by your clock ${writeOwn.formatRange(new Date(begin), new Date(end))}`;
  }
}

// --- Charts ---------------------------------------------------------------------------------------------------------
const charts = new Map();
const colour = (name) => getComputedStyle(root).getPropertyValue(`--p-${name}`).trim();
const writeDay = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const writeMoment = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });

// Labels of the horizontal lines, written at the right end and pushed apart so that none covers another.
const lineLabels = {
  id: "lineLabels",
  beforeDatasetsDraw(chart) {
    const labelled = chart.data.datasets.filter((set) => set.lineLabel).map((set) => ({ text: set.lineLabel, colour: set.borderColor, y: chart.scales.y.getPixelForValue(set.data[0].y) }));
    labelled.sort((one, other) => one.y - other.y);
    let above = -Infinity;
    const { ctx, chartArea } = chart;
    ctx.save();
    ctx.font = `12px ${getComputedStyle(document.body).fontFamily}`;
    ctx.textAlign = "right";
    ctx.textBaseline = "bottom";
    for (const label of labelled) {
      const y = Math.max(label.y - 3, above + 14);
      above = y;
      ctx.fillStyle = label.colour;
      ctx.fillText(label.text, chartArea.right - 4, y);
    }
    ctx.restore();
  },
};

function axes(digits) {
  const grid = { color: colour("line"), drawTicks: false };
  const ticks = { color: colour("muted"), padding: 8, maxRotation: 0, autoSkipPadding: 16 };
  return { y: { grid, border: { display: false }, ticks: { ...ticks, callback: (value) => Number(value).toFixed(digits) } }, x: { grid: { display: false }, border: { color: colour("line-strong") }, ticks } };
}

function progressChart(data) {
  const points = data.points.map((point) => ({ x: Date.parse(point.at), y: point.value, number: point.number, url: point.url, line: point.line, name: point.name, isOwn: point.is_own }));
  const better = (one, other) => (data.goal === "max" ? one > other : one < other);
  let best = null;
  const climb = points.map(({ x, y }) => ({ x, y: (best = best === null || better(y, best) ? y : best) }));
  const times = points.map((point) => point.x);
  // From the cohort's first day to its last, so that the time that is left shows, and the lines' names stand in it.
  const first = Math.min(Date.parse(data.from), ...times), last = Math.max(Date.parse(data.to), ...times);
  const room = (last - first) * 0.02;
  const until = Math.max(...times, Math.min(Date.now(), last));
  if (climb.length) climb.push({ x: until, y: best });
  // A board's points say whose they are: one line for each intern, one's own in colour, under that of the best of all.
  const whose = [...new Set(points.filter((point) => point.name).map((point) => point.line))];
  const stairs = (line) => {
    const own = points.filter((point) => point.line === line);
    const colourOf = colour(own[0].isOwn ? "chart-4" : "line-strong");
    return { label: own[0].name, data: [...own, { x: until, y: own[own.length - 1].y }], stepped: "before", borderColor: colourOf, borderWidth: own[0].isOwn ? 2.25 : 1.25, pointRadius: 0, pointHitRadius: 0 };
  };
  const flat = (line, index) => ({
    type: "line", label: line.label, lineLabel: line.label, data: [{ x: first - room, y: line.value }, { x: last + room, y: line.value }],
    borderColor: line.is_baseline ? colour("chart-2") : colour(index % 2 ? "chart-3" : "muted"), borderWidth: line.is_baseline ? 2 : 1.25, borderDash: line.is_baseline ? [] : [5, 4], pointRadius: 0, pointHitRadius: 0,
  });
  const scales = axes(Math.min(data.digits, 3));
  scales.x = { ...scales.x, type: "linear", min: first - room, max: last + room, ticks: { ...scales.x.ticks, maxTicksLimit: 6, callback: (value) => writeDay.format(value) } };
  scales.y.grace = "12%";
  return {
    type: "line",
    data: { datasets: [
      ...whose.map(stairs),
      { label: "Best so far", data: climb, stepped: "before", borderColor: colour("chart-1"), borderWidth: 2.25, pointRadius: 0, pointHitRadius: 0 },
      { label: "Submission", data: points, showLine: false, backgroundColor: colour("surface"), borderColor: colour("chart-1"), borderWidth: 2, pointRadius: 4.5, pointHoverRadius: 6 },
      ...data.lines.map(flat),
    ] },
    options: {
      scales,
      onClick: (_event, found, chart) => { const url = found[0] && chart.data.datasets[found[0].datasetIndex].data[found[0].index].url; if (url) location.assign(url); },
      plugins: { tooltip: { callbacks: { title: ([hit]) => `Submission ${hit.raw.number}`, label: (hit) => `${data.metric} ${hit.raw.y.toFixed(data.digits)}`, afterLabel: (hit) => writeMoment.format(hit.raw.x) } } },
    },
    plugins: [lineLabels],
  };
}

function usageChart(data) {
  const scales = axes(0);
  scales.x.stacked = !data.side_by_side;
  scales.x.ticks.callback = function (index) { return this.getLabelForValue(index); };
  Object.assign(scales.y, { stacked: !data.side_by_side, beginAtZero: true, suggestedMax: data.capacity });
  if (data.side_by_side) scales.y.ticks.callback = (value) => Number(value.toFixed(2));
  else scales.y.ticks.precision = 0;
  return {
    type: "bar",
    data: { labels: data.hours, datasets: [
      ...data.series.map((series, index) => ({ label: series.label, data: series.values, backgroundColor: colour(series.colour ?? `chart-${(index % 6) + 1}`), borderRadius: 3, categoryPercentage: 0.86, barPercentage: 1 })),
      ...(data.lines ?? []).map((line) => ({ type: "line", label: line.label, data: line.values, borderColor: colour("ink"), backgroundColor: colour("ink"), borderWidth: 2, pointRadius: 0, pointStyle: "line", stack: line.label, stepped: "middle", order: -1 })),
      ...(data.capacity == null ? [] : [{ type: "line", label: `Capacity: ${data.capacity}`, data: data.hours.map(() => data.capacity), borderColor: colour("line-strong"), borderDash: [5, 4], borderWidth: 1.5, pointRadius: 0, pointHitRadius: 0, pointStyle: "line", stack: "capacity" }]),
    ] },
    options: { scales, plugins: { legend: { display: true, position: "bottom", labels: { color: colour("muted"), usePointStyle: true, boxHeight: 7, padding: 18 } }, tooltip: { mode: "index", intersect: false } } },
  };
}

// Below the line people started earlier than nine in ten were said to.
function promisesChart(data) {
  const scales = axes(0);
  const farthest = Math.max(1, ...data.series.flatMap((series) => series.points.flatMap(({ x, y }) => [x, y])));
  Object.assign(scales.x, { type: "linear", min: 0, max: Math.ceil(farthest * 1.05), grid: scales.y.grid, title: { display: true, text: "Nine in ten by, minutes", color: colour("muted") } });
  Object.assign(scales.y, { min: 0, max: Math.ceil(farthest * 1.05), title: { display: true, text: "Waited, minutes", color: colour("muted") } });
  return {
    type: "scatter",
    data: { datasets: [
      ...data.series.map((series) => ({ label: series.label, data: series.points, backgroundColor: colour(series.colour), borderColor: colour("surface"), borderWidth: 1, pointRadius: 4, pointHoverRadius: 6 })),
      { type: "line", label: "As promised", data: [{ x: 0, y: 0 }, { x: farthest * 1.05, y: farthest * 1.05 }], borderColor: colour("line-strong"), borderDash: [5, 4], borderWidth: 1.5, pointRadius: 0, pointHitRadius: 0, pointStyle: "line" },
    ] },
    options: { scales, plugins: { legend: { display: true, position: "bottom", labels: { color: colour("muted"), usePointStyle: true, boxHeight: 7, padding: 18 } }, tooltip: { callbacks: { label: (hit) => `${hit.dataset.label}: by ${hit.raw.x} min, waited ${hit.raw.y} min` } } } },
  };
}

// Memory and GPU of one run over its seconds; what is a percentage has its own axis on the right.
function curveChart(data) {
  const scales = axes(1);
  const title = (text) => ({ display: true, text, color: colour("muted") });
  const hasPercent = data.lines.some((line) => line.axis);
  Object.assign(scales.x, { type: "linear", min: 0, title: title("Seconds") });
  Object.assign(scales.y, { beginAtZero: true, title: title("GB") });
  if (hasPercent) scales.percent = { ...scales.y, position: "right", min: 0, max: 100, grid: { display: false }, title: title("%"), ticks: { ...scales.y.ticks, callback: (value) => value } };
  return {
    type: "line",
    data: { datasets: data.lines.map((line) => ({ label: line.label, data: line.points, yAxisID: line.axis ?? "y", borderColor: colour(line.colour), backgroundColor: colour(line.colour), borderWidth: 2, pointRadius: 0, pointHitRadius: 8, pointStyle: "line" })) },
    options: { scales, plugins: { legend: { display: data.lines.length > 1, position: "bottom", labels: { color: colour("muted"), usePointStyle: true, boxHeight: 7, padding: 18 } }, tooltip: { mode: "index", intersect: false, callbacks: { title: ([hit]) => `After ${hit.raw.x} s` } } } },
  };
}

const KINDS = { progress: progressChart, usage: usageChart, promises: promisesChart, curve: curveChart };

function drawChart(figure) {
  const data = JSON.parse(document.getElementById(figure.dataset.chart).textContent);
  const settings = KINDS[data.kind](data);
  settings.options = {
    responsive: true, maintainAspectRatio: false, animation: false, ...settings.options,
    plugins: { legend: { display: false }, ...settings.options.plugins },
  };
  charts.get(figure)?.destroy();
  charts.set(figure, new Chart(figure.querySelector("canvas"), settings));
}

// The library is fetched only by a page that has a chart.
let library = null;
function loadLibrary() {
  library ??= new Promise((resolve) => {
    const script = Object.assign(document.createElement("script"), { src: chartLibrary });
    script.addEventListener("load", resolve);
    document.head.append(script);
  });
  return library;
}

async function drawCharts() {
  for (const [figure, chart] of charts) if (!figure.isConnected) { chart.destroy(); charts.delete(figure); }
  const figures = [...document.querySelectorAll("figure[data-chart]")].filter((figure) => !charts.has(figure));
  if (figures.length === 0) return;
  await loadLibrary();
  for (const figure of figures) if (figure.isConnected) drawChart(figure);
}

new MutationObserver(() => { labelThemeToggles(); for (const figure of charts.keys()) drawChart(figure); }).observe(root, { attributeFilter: ["data-bs-theme"] });

// --- Live parts -----------------------------------------------------------------------------------------------------
// A poll that was sent elsewhere (signed out meanwhile) must not paste that page into this one.
document.addEventListener("htmx:beforeSwap", (event) => {
  const { xhr, pathInfo, requestConfig } = event.detail;
  if (!xhr.responseURL || requestConfig.verb !== "get") return;
  const asked = new URL(pathInfo.requestPath, location.href).pathname;
  if (new URL(xhr.responseURL).pathname !== asked) { event.detail.shouldSwap = false; location.reload(); }
});

// A part that is painted anew keeps what the reader did in it: the focus, and what was unfolded.
const REACHABLE = "a[href], button, input, select, textarea, summary, [tabindex]";
let kept = null;
document.addEventListener("htmx:beforeSwap", ({ detail: { target } }) => {
  kept = {
    id: target.id,
    focus: target.contains(document.activeElement) ? [...target.querySelectorAll(REACHABLE)].indexOf(document.activeElement) : -1,
    open: [...target.querySelectorAll("details")].map((part) => part.open),
  };
});
document.addEventListener("htmx:afterSwap", () => {
  const part = kept?.id ? document.getElementById(kept.id) : null;
  if (part) {
    const details = part.querySelectorAll("details");
    if (details.length === kept.open.length) details.forEach((each, index) => { each.open = kept.open[index] || each.open; });
    part.querySelectorAll(REACHABLE)[kept.focus]?.focus({ preventScroll: true });
  }
  kept = null;
});
document.addEventListener("htmx:afterSettle", () => { drawCharts(); tellTimes(); tellOwnClock(); });

labelThemeToggles();
drawCharts();
tellOwnClock();
// Without HTTPS a browser lets no page write to the clipboard.
if (!navigator.clipboard) for (const copy of document.querySelectorAll("[data-copy]")) copy.hidden = true;
setInterval(tellTimes, 1000);

// A button whose answer did not come says so; a live part that is asked for again and again need not.
function tellFailure({ detail: { requestConfig, xhr } }) {
  if (requestConfig.verb === "get") return;
  document.querySelector("[data-failure]")?.remove();
  const said = document.createElement("div");
  said.className = "alert alert-danger";
  said.setAttribute("role", "alert");
  said.dataset.failure = "";
  said.textContent = xhr.status === 503 || xhr.status === 0
    ? "The site can't do that just now. Nothing was changed; try again in a minute."
    : "That did not work. Load the page again to see how it stands.";
  document.getElementById("content").prepend(said);
}
document.addEventListener("htmx:responseError", tellFailure);
document.addEventListener("htmx:sendError", tellFailure);
