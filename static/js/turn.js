// The turn of the head: asks for the camera, says what to do, takes a few small frames and sends them at once.
// Whatever fails is said in words, and the link beside the button leads on without.
const box = document.querySelector("[data-turn]");
const part = (name) => box.querySelector(`[data-${name}]`);
const [start, say, count, problem, mirror, arrow] = ["start", "say", "count", "problem", "mirror", "arrow"].map(part);
const video = box.querySelector("video");
const before = box.querySelectorAll("[data-before]");
const SIDE = 640; // pixels, longer side of a frame
const BYTES = 40 * 1024; // of a frame at most, as the server counts
const FRAMES = 2; // of each step
const BETWEEN = 450; // milliseconds between the frames of a step
const RETRIES = [1000, 2000, 4000, 8000];
const ARROWS = { straight: "•", left: "←", right: "→" }; // as in a mirror: her left is on the left
const pause = (time) => new Promise((wake) => { setTimeout(wake, time); });

async function hasCamera() {
  try {
    const devices = await navigator.mediaDevices.enumerateDevices();
    return devices.some((device) => device.kind === "videoinput");
  } catch { return false; }
}

if (await hasCamera()) {
  start.hidden = false;
  part("slow").hidden = false;
  start.addEventListener("click", run);
} else {
  location.replace(box.dataset.next);
}

async function run() {
  if (start.disabled) return;
  start.disabled = true;
  problem.textContent = "";
  let stream;
  try {
    mirror.hidden = false;
    say.textContent = box.dataset.wait;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ audio: false, video: { facingMode: "user", width: { ideal: 640 }, height: { ideal: 480 } } });
    } catch { throw new Error(box.dataset.denied); }
    for (const element of before) element.hidden = true;
    video.srcObject = stream;
    await video.play();
    await light();
    mirror.scrollIntoView({ block: "nearest" });
    const answer = await post(`${box.dataset.turn}/draw`, new FormData());
    const { challenge, turns } = await answer.json();
    const taken = await follow(["straight", ...turns]);
    const form = new FormData();
    form.set("challenge", challenge);
    form.set("times", JSON.stringify(taken.map((frame) => frame.time)));
    form.set("steps", JSON.stringify(taken.map((frame) => frame.step)));
    form.set("camera", stream.getVideoTracks()[0].label.slice(0, 200));
    for (const frame of taken) form.append("frame", frame.blob, "frame.jpg");
    arrow.textContent = count.textContent = "";
    say.textContent = box.dataset.sending;
    const kept = await post(box.dataset.turn, form);
    location.assign((await kept.json()).next);
  } catch (error) {
    mirror.hidden = true;
    for (const element of before) element.hidden = false;
    problem.textContent = error.message || box.dataset.failed;
    start.textContent = box.dataset.again;
    start.disabled = false;
    start.focus();
  } finally {
    stream?.getTracks().forEach((track) => track.stop());
  }
}

// Says each direction, gives time to follow it, and takes the frames of it.
async function follow(steps) {
  const lead = part("slow").querySelector("input").checked ? 5000 : 2600;
  const sound = tones();
  const taken = [];
  const began = performance.now();
  for (const [step, direction] of steps.entries()) {
    say.textContent = box.dataset[direction];
    arrow.textContent = ARROWS[direction];
    if (step) { sound(direction === "left" ? 660 : 880, direction === "left" ? -1 : 1); navigator.vibrate?.(80); }
    await pause(lead);
    for (let number = 0; number < FRAMES; number++) {
      if (document.hidden) throw new Error(box.dataset.away); // the phone stops the camera of a page nobody sees
      const time = (performance.now() - began) / 1000;
      taken.push({ step, time: Math.round(time * 1000) / 1000, blob: await picture() });
      count.textContent = box.dataset.moment.replace("{n}", taken.length).replace("{total}", steps.length * FRAMES);
      await pause(BETWEEN);
    }
  }
  sound(440);
  return taken;
}

// Waits for the first picture that is not black: on some phones (iOS) it never comes.
async function light() {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 8;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  for (let tried = 0; tried < 20; tried++) {
    if (video.videoWidth) context.drawImage(video, 0, 0, 8, 8);
    if (context.getImageData(0, 0, 8, 8).data.some((value, at) => at % 4 < 3 && value > 3)) return;
    await pause(150);
  }
  throw new Error(box.dataset.black);
}

// A small JPEG of what the camera sees now, not mirrored.
async function picture() {
  const scale = Math.min(1, SIDE / Math.max(video.videoWidth, video.videoHeight));
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(video.videoWidth * scale);
  canvas.height = Math.round(video.videoHeight * scale);
  canvas.getContext("2d").drawImage(video, 0, 0, canvas.width, canvas.height);
  for (const quality of [0.85, 0.7, 0.55, 0.4, 0.25, 0.1]) {
    const blob = await new Promise((made) => { canvas.toBlob(made, "image/jpeg", quality); });
    if (blob && blob.size <= BYTES) return blob;
  }
  throw new Error();
}

// A head that is turned may not see the screen: a short tone says that the words changed, and to which side.
function tones() {
  try {
    const sound = new AudioContext();
    return (pitch, side = 0) => {
      const tone = sound.createOscillator();
      const volume = sound.createGain();
      volume.gain.value = 0.08;
      tone.frequency.value = pitch;
      const place = sound.createStereoPanner?.() ?? sound.createGain();
      if (place.pan) place.pan.value = side;
      tone.connect(volume).connect(place).connect(sound.destination);
      tone.start();
      tone.stop(sound.currentTime + 0.15);
    };
  } catch { return () => {}; }
}

// Sends, again while there is no connection; what the server says in words becomes the error.
async function post(address, body) {
  for (let tried = 0; ; tried++) {
    let answer;
    try {
      answer = await fetch(address, { method: "POST", body, headers: { "X-CSRFToken": box.dataset.token, Accept: "application/json" } });
    } catch {
      if (tried >= RETRIES.length) throw new Error(box.dataset.failed);
      say.textContent = box.dataset.offline;
      await pause(RETRIES[tried]);
      continue;
    }
    if (answer.ok) return answer;
    const told = await answer.json().catch(() => ({}));
    throw new Error(told.problem || box.dataset.failed);
  }
}
