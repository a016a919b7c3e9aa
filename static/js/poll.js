// A page that waits: asks how the request stands, shows the step of the check, and loads itself anew when something has changed.
// 1 s for 10 s, then 2 s, then 5 s; 15 s where people are slow (at most 200 bytes an answer, 304 when nothing changed).
// Without script the page refreshes itself.
const place = document.querySelector("[data-poll]");
const said = document.querySelector("[data-poll-status]");
const began = Date.now();
const is = { ...place?.dataset };
const busy = ["submitted", "verifying"];
let etag = null;
let speaking, spoken = 0;

function pause() {
  const waited = Date.now() - began;
  if ("slow" in is) return 15000;
  return waited < 10000 ? 1000 : waited < 60000 ? 2000 : 5000;
}

async function ask() {
  try {
    const answer = await fetch(is.poll, { headers: etag ? { "If-None-Match": etag } : {}, cache: "no-store", redirect: "manual" });
    if (answer.type === "opaqueredirect" || answer.status === 404) return anew();
    if (answer.status === 200) {
      etag = answer.headers.get("ETag");
      const now = await answer.json();
      if (busy.includes(now.state) && busy.includes(is.state)) show(now);
      else if (now.state !== is.state || String(now.version) !== is.version) return anew();
      if ("messages" in is && String(now.messages) !== is.messages) return anew();
    }
  } catch { /* no connection just now: ask again */ }
  setTimeout(next, pause());
}

function show(now) {
  document.querySelector("[data-again]").hidden = !now.again;
  const steps = [...place.querySelectorAll("[data-step]")];
  const at = steps.findIndex((step) => step.dataset.step === (now.step ?? "submitted"));
  if (at < 0 || steps[at].className === "now") return;
  steps.forEach((step, number) => {
    step.className = number < at ? "done" : number === at ? "now" : "next";
    step.ariaCurrent = number === at ? "step" : null;
  });
  say(steps[at].textContent);
}

// At most one announcement in two seconds; only the newest is worth hearing.
function say(words) {
  clearTimeout(speaking);
  speaking = setTimeout(() => { spoken = Date.now(); said.textContent = words; }, Math.max(0, spoken + 2000 - Date.now()));
}

// What is being typed is not thrown away: then a line says that there is news.
function anew() {
  const news = document.querySelector("[data-news]");
  if (news && [...document.querySelectorAll("textarea, input[type=file]")].some((field) => field.value)) news.hidden = false;
  else location.reload();
}

function next() {
  if (document.hidden) document.addEventListener("visibilitychange", ask, { once: true });
  else ask();
}

if (place) setTimeout(next, pause());
