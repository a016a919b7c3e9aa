// The computer's page while the phone is at work: asks how far it has come, shows that, goes on when it is done. 304 while nothing changes.
const place = document.querySelector("[data-follow]");
const said = place?.querySelector("[data-said]");
const began = Date.now();
let etag;

async function ask() {
  try {
    const answer = await fetch(place.dataset.follow, { headers: etag ? { "If-None-Match": etag } : {}, cache: "no-store", redirect: "manual" });
    if (answer.type === "opaqueredirect" || answer.status === 404) return location.reload();
    if (answer.status === 200) {
      const { next, page } = await answer.json();
      if (next && next !== location.pathname) return location.assign(next);
      if (etag && said && page) show(page);
      etag = answer.headers.get("ETag");
    }
  } catch { /* no connection just now: ask again */ }
  const waited = Date.now() - began;
  setTimeout(later, waited < 60000 ? 1000 : waited < 300000 ? 2000 : 5000);
}

// What is read aloud stays the same element: a region that is swapped whole is silent.
function show(page) {
  const { body } = new DOMParser().parseFromString(page, "text/html");
  const words = body.querySelector("[data-said]");
  const held = place.contains(document.activeElement);
  said.textContent = words.textContent;
  words.remove();
  while (said.nextSibling) said.nextSibling.remove();
  place.append(...body.childNodes);
  if (held) document.querySelector("main").focus();
  copies();
}

function copies() {
  for (const button of place.querySelectorAll("[data-copy]")) {
    button.hidden = !navigator.clipboard;
    button.onclick = async () => {
      await navigator.clipboard.writeText(button.dataset.copy);
      button.textContent = button.dataset.copied;
    };
  }
}

function later() {
  if (document.hidden) document.addEventListener("visibilitychange", ask, { once: true });
  else ask();
}

if (place) {
  copies();
  ask();
}
