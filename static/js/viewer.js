// Photos at the desk: small ones are blurred until looked at; large ones zoom, move and turn together, faces lie over each other.
// What is drawn large are the pixels the page has loaded already, so nothing is asked for twice. The page works without this file.

const BLINK = 1100; // ms a face stays before the other: two changes in two seconds, far from the three a second that may harm (WCAG 2.3.1)
const HIDE = 120_000; // ms without a sign of life after which the small photos are blurred again
const [SMALLEST, LARGEST] = [0.25, 16]; // zoom
const STEP = 1.25; // one press of + or -
const MOVE = 0.08; // of the pane's height, one press of an arrow
const FACE = 0.46; // height of a face in its pane, where faces stand side by side

const dialog = document.getElementById("zoom");
const frames = [...document.querySelectorAll("[data-photo]")];
const calm = matchMedia("(prefers-reduced-motion: reduce)");
const typing = (element) => element instanceof HTMLElement && (element.isContentEditable
  || (/^(INPUT|TEXTAREA|SELECT)$/.test(element.tagName) && !["radio", "checkbox", "submit", "button"].includes(element.type)));

// Fresh addresses: an old one shows nothing, and the page may ask for another
const pictureOf = (frame) => frame.querySelector("image, img");
const renewals = new Map();
const renew = (frame) => {
  const old = frame.value;
  if (!renewals.has(old)) renewals.set(old, fresh(frame, old).finally(() => setTimeout(() => renewals.delete(old), 5000)));
  return renewals.get(old);
};
const fresh = async (frame, old) => {
  const body = new URLSearchParams([...new FormData(frame.form), ["link", old]]);
  const answer = await fetch(frame.form.action, { method: "POST", headers: { Accept: "application/json" }, body, redirect: "manual" });
  if (!answer.ok) { gone(old); return false; }
  const { link, address } = await answer.json();
  for (const other of frames.filter((each) => each.value === old)) {
    other.value = link;
    const picture = pictureOf(other);
    if (picture.tagName === "IMG") picture.src = address + (picture.src.endsWith("?small") ? "?small" : "");
    else picture.setAttribute("href", address);
  }
  return true;
};
const gone = (value) => {
  for (const frame of frames.filter((each) => each.value === value)) {
    frame.classList.add("lost");
    frame.title = dialog.dataset.gone;
  }
};
for (const frame of frames) {
  const picture = pictureOf(frame);
  let tried = 0;
  picture.addEventListener("error", () => { if (tried++ < 1) renew(frame); else gone(frame.value); });
  picture.addEventListener("load", () => { tried = 0; paint(); });
  if (picture.tagName === "IMG" && picture.complete && !picture.naturalWidth && picture.loading !== "lazy") { tried += 1; renew(frame); }
}

// Small photos: sharp while pointed at or focused, or all of them at a press of v
const looks = document.querySelector(".looks");
const tools = document.querySelector("[data-look-tools]");
const act = { show: () => reveal(!looks.classList.contains("open")), beside: () => open(faces()) };
const reveal = (on) => {
  looks?.classList.toggle("open", on);
  tools?.querySelector("[data-look=show]")?.setAttribute("aria-pressed", on);
};
let touched = null, lastSign = Date.now();
if (tools) {
  tools.hidden = !frames.some((frame) => looks.contains(frame));
  for (const button of tools.querySelectorAll("[data-look]")) button.addEventListener("click", () => act[button.dataset.look]());
}
for (const kind of ["pointermove", "pointerdown", "keydown", "wheel"]) document.addEventListener(kind, () => { lastSign = Date.now(); }, { passive: true });
setInterval(() => { if (Date.now() - lastSign > HIDE) reveal(false); }, 10_000);
document.addEventListener("visibilitychange", () => { if (document.hidden) reveal(false); });
const unblur = (frame) => {
  for (const each of frames) each.classList.toggle("seen", each === frame);
};
document.addEventListener("pointerdown", (event) => {
  touched = event.pointerType === "touch" ? event.target.closest?.("[data-photo]") : null;
  if (event.pointerType === "touch" && !touched) unblur(null);
});
for (const frame of frames) {
  frame.addEventListener("click", async (event) => {
    event.preventDefault();
    // A finger has no way to point without pressing: the first touch makes it sharp, the second opens it.
    if (touched === frame && frame.classList.contains("private") && !frame.classList.contains("seen") && !looks?.classList.contains("open")) { unblur(frame); return; }
    if (frame.classList.contains("lost") && !await renew(frame)) return;
    open([frame]);
  });
}

// Large photos
const view = { frames: [], panes: [], over: false, zoom: 1, x: 0, y: 0, turn: 0, contrast: 0, top: 0, pair: [0, 1], timer: 0 };
const faces = () => frames.filter((frame) => "face" in frame.dataset && !frame.classList.contains("lost"));
const area = dialog?.querySelector(".pictures");
const button = (name) => dialog.querySelector(`[data-zoom="${name}"]`);
const numbers = (text) => text?.trim() ? text.trim().split(/[\s,]+/).map(Number) : null;

// A frame as it is drawn: its pixels, how far it is turned level, the part to show, the face, letters to point at
const layer = (frame) => {
  const picture = pictureOf(frame), svg = picture.closest("svg");
  const width = svg ? Number(picture.getAttribute("width")) : picture.naturalWidth;
  const height = svg ? Number(picture.getAttribute("height")) : picture.naturalHeight;
  const turned = svg ? Number(/rotate\(([-\d.]+)/.exec(picture.getAttribute("transform"))?.[1] ?? 0) : 0;
  return {
    picture, width, height, tilt: turned * Math.PI / 180, name: frame.dataset.name ?? "",
    view: (svg && numbers(svg.getAttribute("viewBox"))) ?? [0, 0, width, height], face: numbers(frame.dataset.face),
    letters: [...frame.querySelectorAll("rect.letter")].map((rect) => ["x", "y", "width", "height"].map((side) => Number(rect.getAttribute(side)))),
  };
};

const open = (chosen, { over = false } = {}) => {
  if (!chosen.length || !dialog) return;
  Object.assign(view, { frames: chosen.map(layer), over: over && chosen.length > 1, zoom: 1, x: 0, y: 0, turn: 0, contrast: 0, top: 0, pair: [0, 1] });
  if (!dialog.open) dialog.showModal();
  area.focus();
  lay();
};
const lay = () => {
  stop();
  const shown = view.over ? view.pair.map((at) => view.frames[at]) : view.frames;
  const made = shown.map((each) => {
    const pane = document.createElement("figure"), canvas = document.createElement("canvas"), name = document.createElement("figcaption");
    pane.className = "pane";
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", each.name);
    name.textContent = each.name;
    pane.append(canvas, name);
    return { pane, canvas, layer: each };
  });
  view.panes = made;
  area.classList.toggle("over", view.over);
  area.replaceChildren(...made.map(({ pane }) => pane));
  if (view.over && !calm.matches) start();
  tell();
  paint();
};

// All that is pressed, and how it stands
const tell = () => {
  const which = dialog.querySelector("[data-zoom-which]");
  dialog.querySelector("[data-zoom-pair]").hidden = !view.over;
  dialog.querySelector("[data-zoom-name]").textContent = view.frames.length === 1 ? view.frames[0].name : "";
  which.replaceChildren(...(view.over ? view.frames : []).map((each, at) => {
    const tick = document.createElement("button");
    tick.type = "button";
    tick.textContent = each.name;
    tick.setAttribute("aria-pressed", view.pair.includes(at));
    tick.addEventListener("click", () => choose(at));
    return tick;
  }));
  view.panes.forEach(({ pane }, at) => pane.classList.toggle("under", view.over && at !== view.top));
  dialog.querySelector("[data-zoom-size]").textContent = `${Math.round(view.zoom * 100)}\u00a0%`;
  button("blink").setAttribute("aria-pressed", view.over);
  button("blink").hidden = faces().length < 2;
  button("blinking").setAttribute("aria-pressed", view.timer !== 0);
  button("contrast").setAttribute("aria-pressed", view.contrast > 0);
  button("full").setAttribute("aria-pressed", document.fullscreenElement !== null);
  button("full").hidden = !document.fullscreenEnabled;
  area.dataset.contrast = view.contrast;
};

// Another face in place of the one that is hidden now
const choose = (at) => {
  if (!view.pair.includes(at)) {
    view.pair = [view.pair[view.top], at].sort();
    view.top = 0;
    lay();
  }
  dialog.querySelector("[data-zoom-which]").children[at].focus();
};

// Where each picture stands: faces of the same size in the same place, everything else as large as fits
const stand = (each, width, height) => {
  if (view.frames.length > 1) {
    // Where no face was found, it is taken to be where portraits have it.
    const [x, y, w, h] = each.face ?? [each.view[0] + each.view[2] * 0.25, each.view[1] + each.view[3] * 0.22, each.view[2] * 0.5, each.view[3] * 0.5];
    return { x: x + w / 2, y: y + h * 0.46, scale: Math.min(FACE * height / h, 0.7 * width / w) };
  }
  const [x, y, w, h] = each.view, flat = view.turn % 2;
  return { x: x + w / 2, y: y + h / 2, scale: Math.min((flat ? height : width) / w, (flat ? width : height) / h) * 0.98 };
};
const draw = ({ canvas, layer: each }) => {
  const sharp = window.devicePixelRatio || 1, { clientWidth, clientHeight } = canvas;
  const width = canvas.width = Math.round(clientWidth * sharp), height = canvas.height = Math.round(clientHeight * sharp);
  if (!width || !height) return;
  const pen = canvas.getContext("2d"), place = stand(each, width, height), scale = place.scale * view.zoom;
  pen.translate(width / 2 + view.x * height, height / 2 + view.y * height);
  pen.rotate(view.turn * Math.PI / 2);
  pen.scale(scale, scale);
  pen.translate(-place.x, -place.y);
  pen.imageSmoothingQuality = scale < 1 ? "high" : "low";
  pen.save();
  pen.rotate(each.tilt);
  try { pen.drawImage(each.picture, 0, 0, each.width, each.height); } catch { /* not here yet: painted when it is */ }
  pen.restore();
  for (const [stroke, thick] of [["#1b2530", 4], ["#ffd83d", 2]]) {
    pen.strokeStyle = stroke;
    pen.lineWidth = thick * sharp / scale;
    for (const box of each.letters) pen.strokeRect(...box);
  }
};
let waiting = 0;
const paint = () => {
  if (!dialog?.open || waiting) return;
  waiting = requestAnimationFrame(() => { waiting = 0; view.panes.forEach(draw); });
};
const limit = (value, least, most) => Math.min(most, Math.max(least, value));
const move = (x, y) => {
  const far = Math.max(1, view.zoom) * 0.9;
  view.x = limit(view.x + x, -far, far); view.y = limit(view.y + y, -far, far);
  paint();
};
// Nearer by `by`, so that the point `at` (from the pane's middle, in pane heights) stays where it is
const nearer = (by, at = { x: 0, y: 0 }) => {
  const zoom = limit(view.zoom * by, SMALLEST, LARGEST), real = zoom / view.zoom;
  view.zoom = zoom;
  move((at.x - view.x) * (1 - real), (at.y - view.y) * (1 - real));
  tell();
};

// Blinking, at a calm rate; where motion is not wanted only by hand
const swap = () => { if (view.over) { view.top = 1 - view.top; tell(); } };
const start = () => { clearInterval(view.timer); view.timer = setInterval(swap, BLINK); tell(); };
const stop = () => { clearInterval(view.timer); view.timer = 0; };

const doing = {
  more: () => nearer(STEP), less: () => nearer(1 / STEP),
  whole: () => { Object.assign(view, { zoom: 1, x: 0, y: 0, turn: 0 }); tell(); paint(); },
  turn: () => { view.turn = (view.turn + 1) % 4; paint(); },
  contrast: () => { view.contrast = (view.contrast + 1) % 3; tell(); },
  blink: () => { if (view.frames.length > 1) { view.over = !view.over; view.top = 0; lay(); } else open(faces(), { over: true }); },
  swap: () => { stop(); swap(); },
  blinking: () => { if (view.timer) { stop(); tell(); } else start(); },
  full: () => { if (document.fullscreenElement) document.exitFullscreen(); else dialog.querySelector(".stage").requestFullscreen?.().catch(() => {}); },
  close: () => dialog.close(),
};
const KEYS = { "+": "more", "=": "more", "-": "less", _: "less", 0: "whole", r: "turn", c: "contrast", b: "blink", " ": "swap", p: "blinking", f: "full" };
const ARROWS = { ArrowLeft: [MOVE, 0], ArrowRight: [-MOVE, 0], ArrowUp: [0, MOVE], ArrowDown: [0, -MOVE] };
const pressed = (key) => {
  if (!/^[1-4]$/.test(key)) return null;
  return frames.find((frame) => frame.dataset.photo === key && !frame.classList.contains("lost")) ?? null;
};

if (dialog) {
  for (const each of dialog.querySelectorAll("[data-zoom]")) each.addEventListener("click", () => doing[each.dataset.zoom]());
  dialog.addEventListener("close", () => {
    if (dialog.open) return; // told a moment after it closed: a quick hand has opened it again by then
    stop();
    if (document.fullscreenElement) document.exitFullscreen();
    area.replaceChildren();
    view.panes = [];
  });
  document.addEventListener("keydown", (event) => { // not on the window of photos: focus may stand nowhere
    if (!dialog.open || event.ctrlKey || event.metaKey || event.altKey) return;
    const onButton = event.target.tagName === "BUTTON" && event.key === " ";
    const arrow = ARROWS[event.key], name = onButton ? null : KEYS[event.key], other = pressed(event.key);
    if (arrow) move(...arrow);
    else if (other) open([other]);
    else if (name && !(name === "swap" && !view.over)) doing[name]();
    else return;
    event.preventDefault();
  });
  document.addEventListener("fullscreenchange", () => { tell(); paint(); });
  new ResizeObserver(paint).observe(area);
  pointers();
}
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target) || document.querySelector("dialog[open]")) return;
  const other = pressed(event.key);
  if (other) open([other]);
  else if (event.key === "b") open(faces());
  else if (event.key === "v" && tools) reveal(!looks.classList.contains("open"));
  else if (event.key === "f" && faces().length) { open(faces()); doing.full(); }
  else return;
  event.preventDefault();
});

// One finger or the mouse moves, two fingers or the wheel come nearer, a double click comes nearer there
function pointers() {
  const down = new Map();
  const place = (event) => {
    const canvas = event.target.closest?.("canvas") ?? view.panes[0]?.canvas;
    if (!canvas) return { x: 0, y: 0, height: 1 };
    const box = canvas.getBoundingClientRect();
    return { x: (event.clientX - box.left - box.width / 2) / box.height, y: (event.clientY - box.top - box.height / 2) / box.height, height: box.height };
  };
  area.addEventListener("pointerdown", (event) => {
    if (event.pointerType === "mouse" && event.button !== 0) return;
    event.target.setPointerCapture?.(event.pointerId);
    down.set(event.pointerId, place(event));
  });
  area.addEventListener("pointermove", (event) => {
    const before = down.get(event.pointerId);
    if (!before) return;
    const after = place(event);
    if (down.size === 1) move(after.x - before.x, after.y - before.y);
    else if (down.size === 2) {
      const [, still] = [...down].find(([id]) => id !== event.pointerId);
      const apart = (a, b) => Math.hypot(a.x - b.x, a.y - b.y);
      const middle = (a, b) => ({ x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 });
      const was = middle(before, still), is = middle(after, still);
      move(is.x - was.x, is.y - was.y);
      if (apart(before, still) > 0.01) nearer(apart(after, still) / apart(before, still), is);
    }
    down.set(event.pointerId, after);
  });
  for (const kind of ["pointerup", "pointercancel", "lostpointercapture"]) area.addEventListener(kind, (event) => down.delete(event.pointerId));
  area.addEventListener("wheel", (event) => {
    event.preventDefault();
    nearer(Math.exp(-limit(event.deltaY * (event.deltaMode ? 30 : 1), -200, 200) / 400), place(event));
  }, { passive: false });
  area.addEventListener("dblclick", (event) => (view.zoom > 7 ? doing.whole() : nearer(2, place(event))));
}
