// Desk and ops: keys, signs of life, local times. Photos: viewer.js. Every page works without this file.

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
    const within = document.activeElement?.closest("form"); // a message is sent from its own box
    const form = within?.querySelector("textarea") ? within : document.getElementById("answer");
    if (form) { event.preventDefault(); form.requestSubmit(form.querySelector("[name=then][value=next]")); }
    return;
  }
  if (event.key === "Escape" && typing(document.activeElement)) { document.activeElement.blur(); return; }
  // A list of saved replies is chosen from by arrows: letters stay keys there, so that nothing typed for a note is lost in it
  const writes = typing(event.target) && !event.target.matches("select[data-reply]");
  if (event.ctrlKey || event.metaKey || event.altKey || writes || document.querySelector("dialog[open]")) return;
  const element = keyed.get(event.key);
  if (!element) return;
  event.preventDefault();
  element.closest("details")?.setAttribute("open", "");
  if (/^(TEXTAREA)$/.test(element.tagName) || element.type === "search") element.focus();
  else { element.focus(); element.click(); }
  element.dispatchEvent(new CustomEvent("keyed", { bubbles: true }));
});

// A form is sent once
for (const form of document.forms) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) { event.preventDefault(); return; }
    setTimeout(() => { // once all have spoken who may stop it
      if (event.defaultPrevented) return;
      form.dataset.sent = "1";
      setTimeout(() => delete form.dataset.sent, 4000);
    });
  });
}
// What stands on the page when it comes is read out by nobody: it is put in again
for (const told of document.querySelectorAll("[data-announce], .flash[role=status]")) {
  const text = told.textContent;
  told.textContent = "";
  setTimeout(() => { told.textContent = text; }, 150);
}

// What was sent can be taken back for a few seconds; the server knows how long, whatever this clock says
for (const undo of document.querySelectorAll("[data-undo]")) {
  const all = Number(undo.dataset.undo) * 1000, ends = performance.now() + all;
  const count = undo.querySelector("[data-count]"), runs = undo.querySelector(".runs");
  const step = () => {
    const left = ends - performance.now();
    count.textContent = `${Math.max(0, Math.ceil(left / 1000))} s`;
    runs.style.setProperty("--left", Math.max(0, left / all));
    if (left > 0) return;
    clearInterval(beat);
    if (undo.contains(document.activeElement)) document.getElementById("main").focus();
    if (undo.contains(keyed.get("u") ?? null)) keyed.delete("u");
    undo.querySelector("form").remove();
    undo.querySelector(".until").textContent = undo.dataset.gone;
    setTimeout(() => undo.remove(), 4000);
  };
  const beat = setInterval(step, 250);
  step();
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
