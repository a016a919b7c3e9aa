// The camera within the page: says in words how to hold it, takes the photo by itself or by button, lets it be looked at.
// Photos, these and chosen ones, are made smaller here. upload.js sends them: it hears "peremena:photo" on the form.
// Where anything is missing (camera, permission, script) the form's own two inputs do the same.
const form = document.querySelector("form[data-upload]");
const dialog = document.querySelector("dialog[data-camera]");
const part = (name) => dialog.querySelector(`[data-${name}]`);
const [live, review, help, guide, said, spoken, shutter, torch, swap, auto, picture] =
  ["live", "review", "help", "guide", "say", "spoken", "shoot", "torch", "swap", "auto", "zoom"].map(part);
const video = dialog.querySelector("video");
const image = picture.querySelector("img");
const words = JSON.parse(dialog.dataset.words);
const selfie = dialog.dataset.camera === "selfie";
const inputs = { camera: document.getElementById("camera"), file: document.getElementById("file") };

const SIDE = selfie ? 1280 : 2048; // pixels, longer side of what is sent
const LOOK = 320; // pixels, width of what is judged
const CELL = 8; // pixels, a side of the squares that are judged
const EVERY = 140; // milliseconds between two looks
const CALM = 350; // milliseconds a word must hold before it is shown
const STEADY = 1000; // milliseconds of "good" before the photo is taken
const BLACK = 2500; // milliseconds without a picture until the camera is begun again
const APART = 2000; // milliseconds between two announcements to a screen reader
const FAINT = 0.02; // the same for letters that stand in a line: the filler signs "<" are thin
const LETTERS = 0.03; // to and fro of light from pixel to pixel, as a share of the light: less is paper, table, a rim or blur

// --- Judging a picture

const small = document.createElement("canvas");
const brush = small.getContext("2d", { willReadFrequently: true });

// What `box` (x, y, w, h in the source's pixels) shows; `inner` is where page or face should be. `before` are the last look's cells.
export function look(source, box, inner, before) {
  const scale = LOOK / box.w;
  const columns = Math.max(4, Math.floor(box.w * scale / CELL));
  const rows = Math.max(4, Math.floor(box.h * scale / CELL));
  const width = small.width = columns * CELL;
  const height = small.height = rows * CELL;
  brush.drawImage(source, box.x, box.y, box.w, box.h, 0, 0, width, height);
  const { data } = brush.getImageData(0, 0, width, height);
  const light = new Float32Array(columns * rows);
  const edge = new Float32Array(columns * rows);
  const burnt = new Float32Array(columns * rows);
  for (let y = 0, at = 0; y < height; y++) {
    let cell = Math.floor(y / CELL) * columns;
    for (let x = 0, last = 0, first = 0; x < width; x++, at += 4) {
      const red = data[at];
      const green = data[at + 1];
      const blue = data[at + 2];
      const grey = (red * 77 + green * 151 + blue * 28) >> 8;
      const inside = x % CELL;
      light[cell] += grey;
      if (red > 247 && green > 247 && blue > 247) burnt[cell]++;
      if (inside === 0) first = grey;
      else edge[cell] += Math.abs(grey - last);
      if (inside === CELL - 1) edge[cell++] -= Math.abs(grey - first); // a rim goes one way, letters go to and fro
      last = grey;
    }
  }
  const area = CELL * CELL;
  const noise = 1.5 * edge.slice().sort()[Math.floor(0.3 * edge.length)]; // grain of the camera, or of the table
  let moved = 0;
  for (let cell = 0; cell < light.length; cell++) {
    light[cell] /= area;
    edge[cell] = Math.max(0, edge[cell] - noise) / area / (light[cell] + 20);
    if (before?.length === light.length) moved += Math.abs(light[cell] - before[cell]);
  }
  const left = Math.round((inner.x - box.x) * scale / CELL);
  const right = Math.min(columns, Math.round((inner.x + inner.w - box.x) * scale / CELL));
  const top = Math.round((inner.y - box.y) * scale / CELL);
  const bottom = Math.min(rows, Math.round((inner.y + inner.h - box.y) * scale / CELL));
  const seen = { light, black: light.every((value) => value < 3) };
  let [count, sum, squares, spots, letters, from, to] = [0, 0, 0, 0, 0, columns, 0];
  for (let row = top; row < bottom; row++) {
    for (let column = left; column < right; column++) {
      const cell = row * columns + column;
      count++;
      sum += light[cell];
      squares += light[cell] ** 2;
      if (burnt[cell] > 0.9 * area) spots++;
      if (edge[cell] > LETTERS) { letters++; from = Math.min(from, column); to = Math.max(to, column + 1); }
    }
  }
  const mean = sum / count;
  const spread = Math.sqrt(Math.max(0, squares / count - mean ** 2));
  const still = moved / light.length < 3;
  const sharp = [...edge].sort((a, b) => b - a)[Math.floor(edge.length / 30)];
  seen.word = mean < 55 ? "dark"
    : mean > 232 || spots > 0.4 * count ? "bright"
    : selfie ? face() : page();
  return seen;

  function face() {
    const around = (light.reduce((a, b) => a + b, 0) - sum) / Math.max(1, light.length - count);
    if (mean < 90 && around > 2 * mean) return "behind";
    if (spread < 12) return "show";
    return !still ? "hold" : sharp < 0.004 ? "blur" : "good";
  }

  function page() {
    if (letters < 0.015 * count) return spread > 14 ? "blur" : "show";
    if (spots > 0.015 * count) return "glare";
    const zone = lowestLines();
    const wide = right - left;
    if (letters < 0.75 * count) { // else everything is letters: a patterned table, nothing can be told
      if (Math.max(to - from, zone ? zone.to - zone.from : 0) < 0.65 * wide) return "closer";
      if (!zone) {
        if (dialog.dataset.spread === "no") return "bottom";
        seen.bare = true; // nor have Russian passports from before 2011, and cards on their front
      } else if (zone.from === 0 || zone.to === columns) return "farther";
      else if (zone.row >= rows - 2) return "bottom";
      else if (zone.to - zone.from < 0.65 * wide) return "straight";
    }
    return still ? "good" : "hold";
  }

  // The lines for machines: the longest row of cells that are letters nearly all along, near the bottom; a tilted line lies in
  // up to three rows. `row` is the lowest such row, so that a line on the rim is noticed.
  function lowestLines() {
    let found = null;
    const above = top + (dialog.dataset.spread === "yes" ? 0.85 : 0.6) * (bottom - top);
    for (let row = rows - 1; row > above; row--) {
      let [start, end, holes] = [-9, -9, 0];
      for (let column = 0; column < columns; column++) {
        const cell = row * columns + column;
        if (Math.max(edge[cell], edge[cell - columns], edge[cell - 2 * columns]) <= FAINT) continue;
        if (column - end > 3) [start, holes] = [column, 0];
        else holes += column - end;
        end = column + 1;
        const length = end - start;
        if (length >= 0.45 * (right - left) && holes < 0.2 * length && (!found || length > found.to - found.from)) {
          found = { row: found?.row ?? row, from: start, to: end };
        }
      }
    }
    return found;
  }
}

// A smaller JPEG of a part of the source, and what it shows; no blob where the canvas gave only black (iOS, when memory is short).
async function shrink(source, { x = 0, y = 0, w, h }) {
  const scale = Math.min(1, SIDE / Math.max(w, h));
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(w * scale);
  canvas.height = Math.round(h * scale);
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(source, x, y, w, h, 0, 0, canvas.width, canvas.height);
  const { black, word } = look(canvas, whole(canvas), whole(canvas));
  const blob = black ? null : await new Promise((made) => { canvas.toBlob(made, "image/jpeg", 0.85); });
  return { blob, word };
}

const whole = ({ width, height }) => ({ x: 0, y: 0, w: width, h: height });

// --- Files: made smaller before they are sent; the place of the picture (EXIF) goes lost on the way, as it should

for (const input of Object.values(inputs)) {
  input.addEventListener("change", () => {
    sessionStorage.removeItem("camera");
    const [file] = input.files;
    if (file) hand("file", smaller(file));
  });
}

async function smaller(file) {
  try {
    const bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
    const { blob, word } = await shrink(bitmap, whole(bitmap));
    bitmap.close();
    return { blob: blob || file, note: blob && /dark|bright|glare|blur/.test(word) ? words.seen[word] : "" };
  } catch { return { blob: file }; } // HEIC outside Safari, or too large: the server can read it all the same
}

// Gives a photo to upload.js, which until then waits for `ready`.
async function hand(source, ready) {
  const handed = ready.then(({ blob, note = "" }) => form.dispatchEvent(new CustomEvent("peremena:photo", { detail: { blob, source, note } })));
  form.dispatchEvent(new CustomEvent("peremena:preparing", { detail: { ready: handed } }));
  return handed;
}

// --- The camera

let stream = null;
let [timer, last, wanted, shown, since, toldAt, waiting, dark, tries, device, taken, bare] = [0, null, "", "", 0, 0, 0, 0, 0, null, null, 0];

const stop = () => {
  clearTimeout(timer);
  stream?.getTracks().forEach((track) => { track.onended = null; track.stop(); });
  stream = null;
};

const show = (screen) => {
  for (const each of [live, review, help]) each.hidden = each !== screen;
  if (!dialog.open) dialog.showModal();
};

function say(word) {
  shown = dialog.dataset.state = word;
  said.textContent = words[word] ?? "";
  clearTimeout(waiting);
  waiting = setTimeout(() => { spoken.textContent = said.textContent; toldAt = Date.now(); }, Math.max(0, toldAt + APART - Date.now()));
}

async function open() {
  stop();
  show(live);
  say("wait");
  shutter.disabled = true;
  try {
    const [width, height] = selfie ? [1280, 960] : [2560, 1440];
    const which = device ? { deviceId: { exact: device } } : { facingMode: { ideal: selfie ? "user" : "environment" } };
    stream = await navigator.mediaDevices.getUserMedia({ audio: false, video: { ...which, width: { ideal: width }, height: { ideal: height } } });
  } catch (error) {
    return trouble({ NotAllowedError: "denied", SecurityError: "denied", NotReadableError: "busy", AbortError: "busy" }[error.name] ?? "none");
  }
  if (!dialog.open || document.hidden) return stop();
  video.srcObject = stream;
  await video.play().catch(() => {});
  const [track] = stream.getVideoTracks();
  track.onended = open;
  const facing = track.getSettings().facingMode;
  video.classList.toggle("mirrored", selfie ? facing !== "environment" : facing === "user");
  torch.hidden = !track.getCapabilities?.().torch;
  const cameras = (await navigator.mediaDevices.enumerateDevices().catch(() => [])).filter(({ kind }) => kind === "videoinput");
  swap.hidden = cameras.length < 2;
  swap.onclick = () => {
    const now = cameras.findIndex(({ deviceId }) => deviceId === track.getSettings().deviceId);
    device = cameras[(now + 1) % cameras.length].deviceId;
    open();
  };
  // iOS 16.4 gives the ultra wide camera, which cannot focus on a page near by (WebKit 253186)
  const plain = cameras.find(({ label }) => /back|rear/i.test(label) && !/ultra|tele|dual|triple/i.test(label));
  if (!device && !selfie && /ultra/i.test(track.label) && plain) { device = plain.deviceId; return open(); }
  shutter.disabled = false;
  shutter.focus();
  [last, dark, bare, wanted] = [null, 0, 0, ""];
  watch();
}

// Where the guide lies in the video, `more` wider on each side as a share of its width, in the video's pixels.
function place(more) {
  const [box, at] = [video.getBoundingClientRect(), guide.getBoundingClientRect()];
  const scale = Math.max(box.width / video.videoWidth, box.height / video.videoHeight);
  const pad = at.width * more;
  const x = video.classList.contains("mirrored") ? box.right - at.right : at.left - box.left;
  const [offX, offY] = [(video.videoWidth * scale - box.width) / 2, (video.videoHeight * scale - box.height) / 2];
  const left = Math.max(0, (x - pad + offX) / scale);
  const top = Math.max(0, (at.top - box.top - pad + offY) / scale);
  return {
    x: left, y: top,
    w: Math.min(video.videoWidth, (x + at.width + pad + offX) / scale) - left,
    h: Math.min(video.videoHeight, (at.bottom - box.top + pad + offY) / scale) - top,
  };
}

const faces = selfie && "FaceDetector" in window ? new FaceDetector({ fastMode: true, maxDetectedFaces: 3 }) : null;

async function watch() {
  clearTimeout(timer);
  const now = performance.now();
  const seen = video.readyState > 1 && video.videoWidth ? look(video, place(0.1), place(0), last) : { black: true };
  let { word } = seen;
  if (faces && (word === "good" || word === "show")) {
    const found = await faces.detect(small).catch(() => null);
    if (!stream) return;
    if (found) {
      const tall = found.length ? found[0].boundingBox.height / small.height : 0;
      word = !found.length ? "show" : found.length > 1 ? "alone" : tall < 0.3 ? "closer" : tall > 0.85 ? "farther" : "good";
    }
  }
  dark = seen.black ? dark || now : 0;
  if (dark && now - dark > BLACK) return tries++ < 2 ? open() : trouble("black");
  bare = seen.bare ? bare || now : 0;
  if (seen.bare && word === "good" && now - bare < 3000) word = "hold"; // look a little longer for the lines that most have
  last = seen.light;
  if (word && word !== wanted) [wanted, since] = [word, now];
  const told = word === "good" && !auto.checked ? "press" : word;
  if (told && told !== shown && now - since >= CALM) say(told);
  if (word === "good" && auto.checked && now - since >= STEADY) return shoot();
  timer = setTimeout(watch, EVERY);
}

async function shoot() {
  clearTimeout(timer);
  if (!stream || shutter.disabled) return;
  shutter.disabled = true;
  const finding = wanted || "hold";
  const { blob } = await shrink(video, place(selfie ? 0.5 : 0.15)).catch(() => ({}));
  if (!blob) return trouble("black");
  navigator.vibrate?.(60);
  video.pause();
  taken = { blob, note: finding === "good" ? "" : words.seen[finding] ?? "" };
  URL.revokeObjectURL(image.src);
  image.src = URL.createObjectURL(blob);
  picture.setAttribute("aria-pressed", "false");
  part("finding").textContent = words.seen[finding] ?? words.seen.good;
  part("anyway").hidden = !form.querySelector("[name=anyway]");
  say("taken");
  show(review);
  part("finding").focus();
}

function trouble(why) {
  stop();
  for (const each of help.querySelectorAll("[data-why]")) each.hidden = each.dataset.why !== why;
  show(help);
  help.querySelector("h3:not([hidden])").focus();
}

async function use(anyway) {
  const box = form.querySelector("[name=anyway]");
  if (box) box.checked = anyway;
  await hand("camera", Promise.resolve(taken));
  if (!selfie) sessionStorage.setItem("next", 1);
  dialog.close();
  form.querySelector(".actions button").click();
}

const press = (name, action) => dialog.querySelectorAll(`[data-${name}]`).forEach((button) => button.addEventListener("click", action));
press("close", () => dialog.close());
press("shoot", shoot);
press("trouble", () => trouble("help"));
press("again", open);
press("retry", () => { device = null; tries = 0; open(); });
press("use", () => use(false));
press("anyway", () => { if (taken) use(true); });
press("zoom", () => picture.setAttribute("aria-pressed", String(picture.getAttribute("aria-pressed") !== "true")));
press("input", ({ target }) => { dialog.close(); inputs[target.dataset.input].click(); });
press("torch", () => {
  const on = torch.getAttribute("aria-pressed") !== "true";
  stream?.getVideoTracks()[0].applyConstraints({ advanced: [{ torch: on }] }).then(() => torch.setAttribute("aria-pressed", String(on)), () => { torch.hidden = true; });
});
auto.addEventListener("change", () => { since = performance.now(); });
dialog.addEventListener("close", () => { stop(); opener.focus(); });

// A phone stops the camera of a page in the background, and the picture stays black on return: stop it, and begin again.
addEventListener("pagehide", stop);
document.addEventListener("visibilitychange", () => {
  if (document.hidden) stop();
  else if (dialog.open && !live.hidden) open();
});

// --- What the page offers: the camera where there is one, else only the inputs

const opener = document.querySelector("[data-open-camera]");
opener.addEventListener("click", () => { tries = 0; open(); });
form.addEventListener("peremena:refused", () => { if (taken) opener.querySelector("span").textContent = words.again; });

// Android may end this page while the phone's own camera app is open.
inputs.camera.addEventListener("click", () => sessionStorage.setItem("camera", location.pathname));
inputs.camera.addEventListener("cancel", () => sessionStorage.removeItem("camera"));
if (sessionStorage.getItem("camera") === location.pathname) {
  document.querySelector("[data-came-back]").hidden = false;
  sessionStorage.removeItem("camera");
}

const copy = document.querySelector("[data-copy]");
if (copy) {
  copy.hidden = !navigator.clipboard;
  copy.addEventListener("click", () => navigator.clipboard.writeText(copy.dataset.copy).then(() => { copy.textContent = copy.dataset.copied; }, () => {}));
}

async function offer() {
  const devices = await navigator.mediaDevices?.enumerateDevices?.().catch(() => []) ?? [];
  if (!dialog.showModal || !devices.some(({ kind }) => kind === "videoinput")) return;
  const permission = await navigator.permissions?.query({ name: "camera" }).catch(() => null);
  const denied = permission?.state === "denied";
  document.querySelector("[data-blocked]").hidden = !denied;
  opener.hidden = denied;
  document.querySelector("[data-own-camera]").hidden = !denied;
  if (permission) permission.onchange = offer;
  if (next && permission?.state === "granted") open();
}
const next = selfie && sessionStorage.getItem("next"); // the passport was taken with this camera a moment ago: no second question
sessionStorage.removeItem("next");
offer();
