// The queue's clocks and its lines as they change; on a case's page who else is looking, and a word before the case is free again.
// Every page works without this file. Nothing here keeps a session alive: a page that stands open is not a person who is there.

const TICK = 1000;
const AGAIN = 45_000; // the queue is loaded anew
const SIGN = 30_000; // a sign that this page is open; the server forgets it after 75 s
const WARN = 0.2; // of the claim: at 8 of 10 idle minutes

const shown = (seconds) => {
  const whole = Math.abs(Math.round(seconds));
  return `${String(Math.floor(whole / 60)).padStart(2, "0")}:${String(whole % 60).padStart(2, "0")}`;
};
const post = (address, csrf) => fetch(address, { method: "POST", headers: { "X-CSRFToken": csrf }, redirect: "manual" });

// The queue
const live = document.getElementById("queue-live");
if (live) {
  let since = performance.now();
  setInterval(() => {
    const gone = (performance.now() - since) / 1000;
    for (const clock of live.querySelectorAll("[data-left]")) {
      const left = Number(clock.dataset.left) - gone;
      if (Math.abs(left) < 3600) clock.textContent = shown(left);
    }
  }, TICK);
  const again = async () => {
    // Not while somebody reads with the keyboard or marks text: what has the focus must not vanish.
    if (document.hidden || live.contains(document.activeElement) || !getSelection().isCollapsed) return;
    try {
      const answer = await fetch(live.dataset.again, { redirect: "manual" });
      if (!answer.ok || live.contains(document.activeElement)) return;
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      live.replaceChildren(...fresh.body.childNodes);
      since = performance.now();
    } catch { /* the next time will do */ }
  };
  if (live.dataset.again) {
    setInterval(again, AGAIN);
    document.addEventListener("visibilitychange", again);
  }
}

// A case's page
const here = document.querySelector("[data-watch]");
if (here) {
  const idle = document.querySelector("[data-idle]");
  const looking = here.querySelector("[data-looking]");
  const csrf = here.dataset.csrf;
  const title = document.title;
  let ends = idle ? performance.now() + Number(idle.dataset.claim) * 1000 : Infinity;
  let lost = false;
  const sign = async () => {
    if (document.hidden) return;
    try {
      const answer = await post(here.dataset.watch, csrf);
      if (!answer.ok) return;
      const { told, yours, seconds } = await answer.json();
      looking.textContent = told;
      looking.hidden = !told;
      if (idle) {
        lost = !yours;
        if (yours) ends = performance.now() + seconds * 1000;
        tick();
      }
    } catch { /* the next sign will do */ }
  };
  const keep = async () => {
    try {
      const answer = await post(idle.dataset.keep, csrf);
      if (answer.status === 409) lost = true;
      else if (answer.ok) ends = performance.now() + Number(idle.dataset.claim) * 1000;
    } catch { return; }
    tick();
  };
  const tick = () => {
    if (!idle) return;
    const left = (ends - performance.now()) / 1000;
    const near = lost || left <= Number(idle.dataset.claim) * WARN;
    const part = lost ? "lost" : left > 0 ? "soon" : "over";
    for (const name of ["soon", "over", "lost"]) idle.querySelector(`[data-idle-${name}]`).hidden = name !== part;
    idle.querySelector("[data-idle-keep]").hidden = lost;
    idle.querySelector("[data-idle-left]").textContent = shown(Math.max(left, 0));
    idle.hidden = !near;
    document.title = near && !lost ? `(${shown(Math.max(left, 0))}) ${title}` : title;
  };
  if (idle) {
    setInterval(tick, TICK);
    idle.querySelector("[data-idle-keep]").addEventListener("click", keep);
    let keeping = false;
    for (const kind of ["keydown", "pointerdown", "input"]) {
      document.addEventListener(kind, async () => { // whoever works on is there: no need to press a button first
        if (idle.hidden || lost || keeping) return;
        keeping = true;
        await keep();
        keeping = false;
      }, { passive: true });
    }
  }
  sign();
  setInterval(sign, SIGN);
  document.addEventListener("visibilitychange", sign);
  addEventListener("pagehide", () => {
    fetch(here.dataset.leave, { method: "POST", headers: { "X-CSRFToken": csrf }, redirect: "manual", keepalive: true }).catch(() => {});
  });
}
