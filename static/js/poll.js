// A page that waits: asks how the request stands and loads itself anew when that has changed.
// 1 s for 10 s, then 2 s, then 5 s (facts: at most one answer of 200 bytes; 304 when nothing changed). Without script the page refreshes itself.
const place = document.querySelector("[data-poll]");
const began = Date.now();
let etag = null;
let version = place?.dataset.version;

function pause() {
  const waited = Date.now() - began;
  if ("slow" in place.dataset) return 15000;
  return waited < 10000 ? 1000 : waited < 60000 ? 2000 : 5000;
}

async function ask() {
  try {
    const answer = await fetch(place.dataset.poll, { headers: etag ? { "If-None-Match": etag } : {}, cache: "no-store", redirect: "manual" });
    if (answer.type === "opaqueredirect" || answer.status === 404) return location.reload();
    if (answer.status === 200) {
      etag = answer.headers.get("ETag");
      const now = await answer.json();
      if (now.state === "verifying" && place.dataset.state === "submitted") show(now);
      else if (now.state !== place.dataset.state || (!now.waiting && String(now.version) !== version)) return location.reload();
    }
  } catch { /* no connection just now: ask again */ }
  setTimeout(next, pause());
}

function show(now) {
  place.dataset.state = now.state;
  version = String(now.version);
  place.querySelector('[data-step="submitted"]')?.setAttribute("class", "done");
  place.querySelector('[data-step="verifying"]')?.setAttribute("class", "now");
  const said = document.querySelector("[data-poll-status]");
  if (said) said.textContent = said.dataset.verifying;
}

function next() {
  if (document.hidden) document.addEventListener("visibilitychange", ask, { once: true });
  else ask();
}

if (place) setTimeout(next, pause());
