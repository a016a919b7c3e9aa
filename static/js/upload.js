// Sends a photo until the server has answered: over gaps in the network, answers that got lost, a page that the phone closed.
// In: "peremena:photo" on the form (capture.js), or a file in its inputs. Out: "peremena:refused" on the form.
const form = document.querySelector("form[data-upload]");
const [status, bar, count, preview, note] = ["status", "progress", "bytes", "preview", "note"].map((name) => form.querySelector(`[data-${name}]`));
const button = form.querySelector(".actions button");
const inputs = [...form.querySelectorAll("[data-photo]")];
const image = preview.querySelector("img");
const page = location.pathname; // names the request and the kind of photo

const STALLED = 20000; // milliseconds in which not a byte moved: this try is given up, however long a slow one may last
const ANSWER = 90000; // for what still lies in the phone's buffers, the line before the decoder, and the decoder
const LONGEST = 30000; // between two tries
const TRIES = 12; // in a row to which the server says "not now", or "not whole"
const DAY = 86400000;

let photo = null; // { id, at, blob, pressed }
let preparing = null; // a promise while capture.js makes a file smaller
let busy = false; // from the press until the answer
let flying = false; // a try is under way; between two, another photo may be chosen
let wake = () => {};

const say = (word) => { status.textContent = status.dataset[word] ?? word; };
// After the selfie comes a turn of the head, where there is a camera to see it.
const camera = navigator.mediaDevices?.enumerateDevices?.().then((found) => found.some(({ kind }) => kind === "videoinput")).catch(() => false);

// --- Kept on the phone until it is answered. It is a picture of a passport or of a face: it goes with the answer, with signing out
// (portal.js) and after a day. Where the phone keeps nothing (private mode, no room) it stays in memory.

const store = (act) => new Promise((done, fail) => {
  const opened = indexedDB.open("peremena", 1);
  opened.onupgradeneeded = () => opened.result.createObjectStore("photos");
  opened.onerror = fail;
  opened.onsuccess = () => {
    const work = opened.result.transaction("photos", "readwrite");
    const asked = act(work.objectStore("photos"));
    work.oncomplete = () => done(asked.result);
    work.onabort = fail;
    opened.result.close(); // once the work is done
  };
}).catch(() => undefined);

async function keep() {
  const { id, at, pressed, blob } = photo;
  const bytes = await new Response(blob).arrayBuffer().catch(() => null); // some phones keep no blobs
  if (!bytes || photo?.id !== id) return;
  try { localStorage.photo ??= `${at} ${document.body.dataset.account}`; } catch { return; }
  store((photos) => photos.put({ id, at, pressed, bytes, type: blob.type }, page));
}

const forget = () => store((photos) => {
  photos.delete(page);
  return photos.count();
}).then((left) => { if (left === 0) localStorage.removeItem("photo"); });

async function resume() {
  const left = await store((photos) => {
    photos.openCursor().onsuccess = ({ target: { result: each } }) => {
      if (each && Date.now() - each.value.at > DAY) each.delete();
      each?.continue();
    };
    return photos.get(page);
  });
  if (!left || photo || Date.now() - left.at > DAY) return;
  photo = { ...left, blob: new Blob([left.bytes], { type: left.type }) };
  show();
  say("kept");
  if (left.pressed) send();
}

// --- Chosen

function take(blob, words = "") {
  photo = { id: number(), at: Date.now(), blob, pressed: busy };
  preparing = null;
  show(words);
  keep();
  wake();
}

function show(words = "") {
  URL.revokeObjectURL(image.src);
  image.src = URL.createObjectURL(photo.blob);
  image.onerror = () => { image.hidden = true; }; // HEIC outside Safari: the server can read it all the same
  image.onload = () => { // it pushes what is below it down: not out of the window what somebody at a keyboard stands on
    if (form.contains(document.activeElement)) document.activeElement.scrollIntoView({ block: "nearest" });
  };
  preview.hidden = image.hidden = false;
  if (note) [note.textContent, note.hidden] = [words, !words];
  say(photo.blob.size > form.dataset.max ? "large" : "");
}

function number() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = bytes[6] & 15 | 64;
  bytes[8] = bytes[8] & 63 | 128;
  return Array.from(bytes, (byte, at) => ([4, 6, 8, 10].includes(at) ? "-" : "") + byte.toString(16).padStart(2, "0")).join("");
}

form.addEventListener("peremena:photo", ({ detail }) => { if (!flying) take(detail.blob, detail.note); });
form.addEventListener("peremena:preparing", ({ detail }) => { preparing = detail.ready; });
for (const input of inputs) {
  input.addEventListener("click", () => { input.value = ""; }); // else a new photo of the same name would not be noticed
  input.addEventListener("change", () => {
    for (const other of inputs) if (other !== input) other.value = "";
    const [file] = input.files;
    setTimeout(() => { if (file && !preparing && !flying) take(file); }); // without capture.js, the file as it is
  });
}

// --- Sent

async function digest(blob) {
  if (!crypto.subtle) return ""; // plain http
  const sum = await crypto.subtle.digest("SHA-256", await new Response(blob).arrayBuffer());
  return `sha-256=:${btoa(String.fromCharCode(...new Uint8Array(sum)))}:`;
}

const put = (address, blob, sum) => new Promise((done, fail) => {
  const request = new XMLHttpRequest();
  let timer;
  const patience = (time) => { clearTimeout(timer); timer = setTimeout(() => request.abort(), time); };
  request.open("PUT", address);
  request.responseType = "json";
  request.setRequestHeader("X-CSRFToken", form.querySelector("[name=csrf_token]").value);
  request.setRequestHeader("Content-Type", blob.type || "application/octet-stream");
  if (sum) request.setRequestHeader("Content-Digest", sum);
  request.upload.onprogress = ({ loaded, total }) => {
    patience(loaded < total ? STALLED : ANSWER);
    bar.value = loaded / total;
    const [sent, all] = [loaded, total].map((bytes) => Math.ceil(bytes / 1000));
    if (count) count.textContent = count.dataset.bytes.replace("{sent}", sent).replace("{all}", all);
    if (loaded === total) say("checking");
  };
  request.onload = () => done(request);
  request.onerror = request.onabort = fail;
  request.onloadend = () => clearTimeout(timer);
  patience(STALLED);
  request.send(blob);
});

async function send() {
  if (busy) return wake(); // pressed again while it waits for the network: try at once
  if (preparing) await preparing.catch(() => {});
  if (!photo) { say("choose"); return inputs[0].focus(); }
  if (busy || photo.blob.size > form.dataset.max) return undefined;
  busy = photo.pressed = true;
  keep();
  bar.hidden = false;
  const query = new URLSearchParams();
  if (form.querySelector("[name=anyway]")?.checked) query.set("anyway", 1);
  if (await camera) query.set("turn", 1);
  let [sum, summed] = ["", null];
  for (let tried = 0; ; tried++) {
    flying = true;
    bar.value = 0;
    say("sending");
    if (summed !== photo.blob) sum = await digest(summed = photo.blob);
    const answer = await put(`${page}/${photo.id}?${query}`, photo.blob, sum).catch(() => null);
    if (answer && await settle(answer, tried)) break;
    flying = false;
    if (!answer) say("offline");
    const wait = answer?.getResponseHeader("Retry-After") * 1000 || Math.min(LONGEST, 1000 * 2 ** tried);
    await new Promise((go) => { wake = go; setTimeout(go, wait * (0.5 + Math.random())); });
  }
  rest();
  return undefined;
}

function rest() {
  busy = flying = false;
  bar.hidden = true;
  if (count) count.textContent = "";
}

// What an answer means; false to send again.
async function settle({ status: code, response: told }, tried) {
  if (told?.next) {
    photo = null;
    await Promise.race([forget(), new Promise((go) => { setTimeout(go, 500); })]);
    location.assign(told.next);
    return new Promise(() => {}); // the page goes; until then nothing else may be pressed
  }
  if (told?.findings) { refused(told); return true; }
  if (told?.again && code === 409) photo.id = number();
  if ((told?.again || code >= 500) && tried < TRIES) { say(code < 500 ? told.problem : "busy"); return false; }
  photo.pressed = false;
  await keep();
  if (told?.problem || code >= 500) say(told?.problem ?? "later");
  else location.reload(); // signed out, or the page is too old; the photo is found again after signing in
  return true;
}

// The photo stays at hand, so that "send it anyway" needs no second one.
function refused(told) {
  forget();
  photo = { ...photo, id: number(), pressed: false };
  form.querySelector("#findings").outerHTML = told.findings;
  if (told.anyway && !form.querySelector("[name=anyway]")) form.querySelector(".actions").insertAdjacentHTML("beforebegin", told.anyway);
  if (!document.title.startsWith(told.attention)) document.title = told.attention + document.title;
  say("");
  form.querySelector("#problems")?.focus();
  form.dispatchEvent(new CustomEvent("peremena:refused"));
}

form.addEventListener("submit", (event) => { event.preventDefault(); send(); });
addEventListener("online", () => wake());
document.addEventListener("visibilitychange", () => { if (!document.hidden) wake(); });
addEventListener("pageshow", ({ persisted }) => { if (persisted) location.reload(); });
resume();
