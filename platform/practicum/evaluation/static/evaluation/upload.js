// Drag and drop, a progress bar, and refusals shown in place. Without this file the page is an ordinary form.
"use strict";

const form = document.querySelector("form[data-upload]");
const drop = form.querySelector(".drop");
const field = form.querySelector("input[type=file]");
const chosen = form.querySelector("[data-chosen]");
const progress = form.querySelector("[data-progress]");
const button = form.querySelector("button[type=submit]");
const refusal = document.getElementById("upload-refusal");

function refuse(message) {
  const notice = document.createElement("div");
  notice.className = "notice notice-warn mb-3";
  notice.setAttribute("role", "alert");
  notice.append(Object.assign(document.createElement("p"), { className: "mb-0", textContent: message }));
  refusal.replaceChildren(notice);
}

function showProgress(part) {
  const percent = Math.round(part * 100);
  progress.hidden = false;
  progress.setAttribute("aria-valuenow", String(percent));
  progress.firstElementChild.style.width = `${percent}%`;
}

function end() {
  progress.hidden = true;
  button.disabled = false;
}

function show() {
  const file = field.files[0];
  if (file) chosen.textContent = `${file.name} · ${(file.size / 1e6).toFixed(1)} MB`;
}

function receive(request) {
  const page = new DOMParser().parseFromString(request.responseText, "text/html");
  const told = page.getElementById("upload-refusal");
  if (request.status < 300 && !told) return location.assign(request.responseURL);
  end();
  if (told) return refusal.replaceChildren(...told.childNodes);
  const heading = page.querySelector("main h1");
  return refuse(heading ? heading.textContent.trim() : "The site did not take it. Try again in a minute.");
}

for (const name of ["dragenter", "dragover"]) drop.addEventListener(name, (event) => { event.preventDefault(); drop.classList.add("is-over"); });
for (const name of ["dragleave", "drop"]) drop.addEventListener(name, (event) => { event.preventDefault(); drop.classList.remove("is-over"); });
drop.addEventListener("drop", (event) => { if (event.dataTransfer.files.length) { field.files = event.dataTransfer.files; show(); } });
field.addEventListener("change", show);

form.addEventListener("submit", (event) => {
  event.preventDefault();
  // The site's own guard against sending a form twice would keep this one shut after a refusal.
  event.stopPropagation();
  const file = field.files[0];
  refusal.replaceChildren();
  if (file && file.size > Number(form.dataset.mostBytes)) return refuse(`This file has ${(file.size / 1e6).toFixed(1)} MB, which is more than is taken.`);
  const request = new XMLHttpRequest();
  request.open("POST", form.action);
  request.upload.addEventListener("progress", (sent) => { if (sent.lengthComputable) showProgress(sent.loaded / sent.total); });
  request.addEventListener("load", () => receive(request));
  request.addEventListener("error", () => { end(); refuse("The site did not answer, or the connection broke off. Nothing was taken; try again."); });
  button.disabled = true;
  showProgress(0);
  return request.send(new FormData(form));
});
