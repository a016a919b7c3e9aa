// Comforts of the customer's pages; every page works without them.
// Forms: no double send. Times: the reader's zone. Session: typing keeps it alive.
const first = document.querySelector("[autofocus]"); // browsers rather go where the address says (#...), which is where the last page was left
if (first) { history.replaceState(null, "", " "); first.focus(); }

const { account, left, months: names } = document.body.dataset;
const months = names?.split(" "); // browsers say "M11" for a month in Kazakh
for (const time of document.querySelectorAll("time[data-local]")) {
  const date = new Date(time.dateTime), clock = { hour: "2-digit", minute: "2-digit" };
  time.textContent = months ? `${date.getDate()} ${months[date.getMonth()]}, ${date.toLocaleTimeString("ru", clock)}`
    : date.toLocaleString(document.documentElement.lang, { day: "numeric", month: "long", ...clock });
}

for (const form of document.querySelectorAll("form[method=post]:not([data-upload])")) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) return event.preventDefault();
    form.dataset.sent = "1";
    setTimeout(() => delete form.dataset.sent, 8000);
  });
}
addEventListener("pageshow", () => document.querySelectorAll("[data-sent]").forEach((form) => delete form.dataset.sent));

// A photo that waits to be sent (upload.js) is of a passport or a face: signing out takes it off this device, and so do a day and
// another customer who signs in here.
const DAY = 86400000;
const drop = () => new Promise((done) => {
  setTimeout(done, 500);
  try {
    localStorage.removeItem("photo");
    const asked = indexedDB.deleteDatabase("peremena");
    asked.onsuccess = asked.onerror = done;
  } catch { done(); }
});
try {
  const [at, whose] = localStorage.photo?.split(" ") ?? [];
  if (at && (Date.now() - at > DAY || left || (account && account !== whose))) drop();
} catch { /* keeps nothing */ }
document.querySelector("form[action$='/sign-out']")?.addEventListener("submit", async (event) => {
  if (event.defaultPrevented) return;
  event.preventDefault();
  await drop();
  event.target.submit();
});

// Typing is a sign of life: tell the server at most every two minutes, so that a long form does not end the session.
const token = document.querySelector("[name=csrf_token]")?.value;
let told = Date.now();
if (account) document.addEventListener("input", () => {
  if (Date.now() - told < 120000) return;
  told = Date.now();
  fetch("/session", { method: "POST", headers: { "X-CSRFToken": token }, redirect: "manual" }).catch(() => {});
});
