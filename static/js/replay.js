// A form that takes a while is sent once and says that it works; an undo's progress moves by itself. Pages work without this file.

const AGAIN = 2000;

for (const form of document.querySelectorAll("form[data-once]")) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) { event.preventDefault(); return; }
    form.dataset.sent = "1";
    for (const button of form.querySelectorAll("button")) button.setAttribute("aria-disabled", "true");
    const busy = form.querySelector("[data-busy]");
    if (busy) busy.hidden = false;
  });
}
// Come back by the browser's own button: the form may be sent again.
addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-once]")) {
    delete form.dataset.sent;
    for (const button of form.querySelectorAll("button")) button.removeAttribute("aria-disabled");
  }
});

const progress = document.querySelector("#progress[data-again]");
if (progress) {
  const again = async () => {
    if (document.hidden) return;
    try {
      const answer = await fetch(progress.dataset.again, { redirect: "manual" });
      if (answer.ok && !progress.contains(document.activeElement)) {
        const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
        progress.replaceChildren(...fresh.body.childNodes);
      }
    } catch { /* the next time will do */ }
    if (progress.querySelector("[data-done]")) clearInterval(timer);
  };
  const timer = setInterval(again, AGAIN);
}
