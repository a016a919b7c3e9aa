// Desk and ops: keys, large photos, signs of life, local times. Every page works without this file.

const typing = (element) => element instanceof HTMLElement && (element.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(element.tagName)
  && !["radio", "checkbox", "submit", "button"].includes(element.type));

// Times in the reader's own zone
const months = document.body.dataset.months?.split(" "); // browsers say "M11" for a month in Kazakh
for (const time of document.querySelectorAll("time[data-local]")) {
  const moment = new Date(time.dateTime);
  if (Number.isNaN(moment.getTime())) continue;
  const near = Math.abs(Date.now() - moment) < 20 * 3600e3;
  time.title = time.textContent;
  const clock = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
  time.textContent = months && !near ? `${moment.getDate()} ${months[moment.getMonth()]}, ${moment.toLocaleTimeString("ru", clock)}`
    : new Intl.DateTimeFormat(document.documentElement.lang, near ? clock : { day: "numeric", month: "short", ...clock }).format(moment);
}

// Keys: an element with data-key answers to it
const keyed = new Map([...document.querySelectorAll("[data-key]")].map((element) => [element.dataset.key, element]));
for (const opener of document.querySelectorAll("[data-opens]")) {
  opener.hidden = false;
  opener.addEventListener("click", () => document.getElementById(opener.dataset.opens).showModal());
}
document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key === "Enter") {
    const answer = document.getElementById("answer");
    if (answer) { event.preventDefault(); answer.requestSubmit(answer.querySelector("[name=then][value=next]")); }
    return;
  }
  if (event.key === "Escape" && typing(document.activeElement)) { document.activeElement.blur(); return; }
  if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target) || document.querySelector("dialog[open]")) return;
  if (/^[1-4]$/.test(event.key)) { document.querySelector(`[data-photo="${event.key}"]`)?.click(); return; }
  if (event.key === "b" && zoom) { openBeside(); return; }
  const element = keyed.get(event.key);
  if (!element) return;
  event.preventDefault();
  if (/^(TEXTAREA)$/.test(element.tagName) || element.type === "search") element.focus();
  else { element.focus(); element.click(); }
});

// A form is sent once
for (const form of document.forms) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) { event.preventDefault(); return; }
    form.dataset.sent = "1";
    setTimeout(() => delete form.dataset.sent, 4000);
  });
}
// A reason for a photo ticks the photo
for (const tick of document.querySelectorAll("[data-photo-of]")) {
  tick.addEventListener("change", () => {
    if (tick.checked) document.querySelector(`[name=retake][value="${tick.dataset.photoOf}"]`).checked = true;
  });
}

// Large photos
const zoom = document.getElementById("zoom");
let size = 1, turn = 0;
const shape = () => {
  for (const pane of zoom.querySelectorAll(".pane")) pane.className = `pane z${size} r${turn}`;
};
const show = (frames) => {
  const pictures = zoom.querySelector(".pictures");
  pictures.replaceChildren(...frames.map((frame) => {
    const pane = document.createElement("div");
    const picture = frame.querySelector("img, svg").cloneNode(true);
    if (picture.tagName === "svg") picture.setAttribute("preserveAspectRatio", "xMidYMid meet");
    pane.append(picture);
    return pane;
  }));
  pictures.querySelectorAll("div").forEach((pane) => pane.classList.add("pane"));
  zoom.querySelector(".tools span").textContent = frames.map((f) => f.closest("figure").querySelector("figcaption").firstChild.textContent.trim()).join(" | ");
  size = 1; turn = 0; shape();
  if (!zoom.open) zoom.showModal();
};
const openBeside = () => {
  const faces = [...document.querySelectorAll("[data-face]")];
  if (faces.length) show(faces);
};
if (zoom) {
  for (const frame of document.querySelectorAll("[data-photo]")) frame.addEventListener("click", () => show([frame]));
  const act = { size: () => { size = size % 3 + 1; shape(); }, turn: () => { turn = (turn + 1) % 4; shape(); }, beside: openBeside, close: () => zoom.close() };
  for (const button of zoom.querySelectorAll("[data-zoom]")) button.addEventListener("click", () => act[button.dataset.zoom]());
  zoom.addEventListener("keydown", (event) => {
    const name = { "+": "size", "=": "size", r: "turn", b: "beside" }[event.key];
    if (name) { event.preventDefault(); act[name](); }
  });
}

// Signs of life: only while somebody is really working on the page
const head = document.querySelector("[data-touch]");
if (head) {
  let worked = false;
  for (const kind of ["keydown", "pointerdown", "wheel", "input"]) document.addEventListener(kind, () => { worked = true; }, { passive: true });
  setInterval(async () => {
    if (!worked) return;
    worked = false;
    try {
      const answer = await fetch(head.dataset.touch, { method: "POST", headers: { "X-CSRFToken": head.dataset.csrf }, redirect: "manual" });
      if (!answer.ok) return;
      const { until } = await answer.json();
      const shown = head.querySelector("[data-until] time");
      if (shown) shown.textContent = new Intl.DateTimeFormat(document.documentElement.lang, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" }).format(new Date(until));
    } catch { /* the next sign will do */ }
  }, 60_000);
}

// Policy editor: say at once whether a value is looser or tighter than the one that holds
const weigh = (row) => {
  let verdict = "";
  for (const field of row.querySelectorAll("[data-now]")) {
    const box = field.type === "checkbox";
    const now = box ? field.dataset.now === "1" : Number(field.dataset.now);
    const value = box ? field.checked : Number(field.value.replace(",", "."));
    if (value === now || (!box && field.value.trim() === "")) continue;
    const loose = { lower: value < now, higher: value > now, on: value && !now, off: !value && now, neither: null }[field.dataset.looser];
    if (loose === true || verdict === "looser") verdict = "looser";
    else verdict = loose === null ? "same" : "tighter";
  }
  row.classList.toggle("changed", verdict !== "");
  for (const chip of row.querySelectorAll("[data-says]")) chip.hidden = chip.dataset.says !== verdict;
};
for (const row of document.querySelectorAll("[data-setting]")) {
  weigh(row);
  row.addEventListener("input", () => weigh(row));
}
