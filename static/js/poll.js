// Pages that wait. [data-poll]: asks how the request stands, shows the step of the check, and loads the page anew when something has
// changed; 1 s for 10 s, then 2 s, then 5 s; 15 s where people are slow. [data-follow]: the computer's page while the phone is at work
// shows how far it has come, and goes on when it is done. At most 200 bytes an answer, 304 when nothing changed.
// Without script the page refreshes itself.
const poll = document.querySelector("[data-poll]");
const follow = document.querySelector("[data-follow]");
const is = { ...poll?.dataset };
const busy = ["submitted", "verifying"];
const began = Date.now();
let etag;
let speaking, spoken = 0;

async function ask() {
  try {
    const answer = await fetch(is.poll ?? follow.dataset.follow, { headers: etag ? { "If-None-Match": etag } : {}, cache: "no-store", redirect: "manual" });
    if (answer.type === "opaqueredirect" || answer.status === 404) return anew();
    if (answer.status === 200) {
      const first = !etag;
      etag = answer.headers.get("ETag");
      const now = await answer.json();
      if (poll ? stands(now) : came(now, first)) return undefined;
    }
  } catch { /* no connection just now: ask again */ }
  setTimeout(next, pause());
}

function next() {
  if (document.hidden) document.addEventListener("visibilitychange", ask, { once: true });
  else ask();
}

function pause() {
  const waited = Date.now() - began;
  if ("slow" in is) return 15000;
  return waited < (poll ? 10000 : 60000) ? 1000 : waited < (poll ? 60000 : 300000) ? 2000 : 5000;
}

// What is being typed is not thrown away: then a line says that there is news.
function anew() {
  const news = document.querySelector("[data-news]");
  if (news && [...document.querySelectorAll("textarea, input[type=file]")].some((field) => field.value)) news.hidden = false;
  else location.reload();
  return true;
}

// --- How the request stands; true when the page need not ask any more

function stands(now) {
  if (busy.includes(now.state) && busy.includes(is.state)) show(now);
  else if (now.state !== is.state || String(now.version) !== is.version) return anew();
  return "messages" in is && String(now.messages) !== is.messages && anew();
}

function show(now) {
  document.querySelector("[data-again]")?.toggleAttribute("hidden", !now.again);
  const steps = [...poll.querySelectorAll("[data-step]")];
  const at = steps.findIndex((step) => step.dataset.step === (now.step ?? "submitted"));
  if (at < 0 || steps[at].className === "now") return;
  steps.forEach((step, number) => {
    step.className = number < at ? "done" : number === at ? "now" : "next";
    step.ariaCurrent = number === at ? "step" : null;
  });
  // At most one announcement in two seconds; only the newest is worth hearing.
  clearTimeout(speaking);
  speaking = setTimeout(() => {
    spoken = Date.now();
    document.querySelector("[data-poll-status]").textContent = steps[at].textContent;
  }, Math.max(0, spoken + 2000 - Date.now()));
}

// --- How far the phone has come

function came({ next: on, page }, first) {
  if (on && on !== location.pathname) { location.assign(on); return true; }
  const said = follow.querySelector("[data-said]");
  if (first || !said || !page) return false;
  // What is read aloud stays the same element: a region that is swapped whole is silent.
  const { body } = new DOMParser().parseFromString(page, "text/html");
  const words = body.querySelector("[data-said]");
  const held = follow.contains(document.activeElement);
  said.textContent = words.textContent;
  words.remove();
  while (said.nextSibling) said.nextSibling.remove();
  follow.append(...body.childNodes);
  if (held) document.querySelector("main").focus();
  copies();
  return false;
}

function copies() {
  for (const button of follow.querySelectorAll("[data-copy]")) {
    button.hidden = !navigator.clipboard;
    button.onclick = async () => {
      await navigator.clipboard.writeText(button.dataset.copy);
      button.textContent = button.dataset.copied;
    };
  }
}

if (poll) setTimeout(next, pause());
else if (follow) { copies(); ask(); }
