// Comforts of the customer's pages; every page works without them.
// Photos: preview, size check, progress, tries again when the connection drops. Forms: no double send. Times: the reader's zone. Session: typing keeps it alive.
const RETRIES = [1000, 2000, 4000, 8000, 16000];

document.querySelector("[autofocus]")?.focus();

for (const time of document.querySelectorAll("time[data-local]")) {
  const date = new Date(time.dateTime);
  time.textContent = date.toLocaleString(document.documentElement.lang, { day: "numeric", month: "long", hour: "2-digit", minute: "2-digit" });
}

for (const form of document.querySelectorAll("form[method=post]:not([data-upload])")) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) return event.preventDefault();
    form.dataset.sent = "1";
    setTimeout(() => delete form.dataset.sent, 8000);
  });
}
addEventListener("pageshow", () => document.querySelectorAll("[data-sent]").forEach((form) => delete form.dataset.sent));

const upload = document.querySelector("form[data-upload]");
if (upload) {
  const inputs = [...upload.querySelectorAll("[data-photo]")];
  const status = upload.querySelector("[data-status]");
  const bar = upload.querySelector("[data-progress]");
  const preview = upload.querySelector("[data-preview]");
  const button = upload.querySelector(".actions button");
  // After the selfie comes a turn of the head, where there is a camera to see it.
  const camera = navigator.mediaDevices?.enumerateDevices?.().then((found) => found.some((device) => device.kind === "videoinput")).catch(() => false);
  const chosen = () => inputs.map((input) => input.files[0]).find(Boolean);

  for (const input of inputs) {
    input.addEventListener("change", () => {
      for (const other of inputs) if (other !== input) other.value = "";
      const file = input.files[0];
      status.textContent = file && file.size > upload.dataset.max ? status.dataset.large : "";
      const image = preview.querySelector("img");
      if (image.src) URL.revokeObjectURL(image.src);
      preview.hidden = !file;
      if (!file) return;
      image.onerror = () => { preview.hidden = true; }; // HEIC outside Safari: the server can read it all the same
      image.src = URL.createObjectURL(file);
    });
  }

  const send = (data) => new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", upload.action || location.href);
    request.responseType = "document";
    request.timeout = 60000;
    request.upload.onprogress = (event) => {
      if (event.lengthComputable) bar.value = event.loaded / event.total;
      if (event.loaded === event.total) status.textContent = status.dataset.checking;
    };
    request.onload = () => resolve(request);
    request.onerror = request.ontimeout = reject;
    request.send(data);
  });

  upload.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (button.disabled) return;
    const file = chosen();
    if (!file) { status.textContent = status.dataset.choose; return inputs[0].focus(); }
    if (file.size > upload.dataset.max) { status.textContent = status.dataset.large; return; }
    button.disabled = true;
    bar.hidden = false;
    status.textContent = status.dataset.sending;
    for (let tried = 0; ; tried++) {
      try {
        const data = new FormData(upload);
        if (await camera) data.set("turn", "1");
        const answer = await send(data);
        if (answer.status >= 500 && tried < RETRIES.length) throw new Error();
        return take(answer);
      } catch {
        if (tried >= RETRIES.length) return upload.submit();
        status.textContent = status.dataset.offline;
        await new Promise((wake) => { setTimeout(wake, RETRIES[tried]); addEventListener("online", wake, { once: true }); });
      }
    }
  });

  function take(answer) {
    const page = answer.response;
    const findings = page?.querySelector("#findings");
    if (answer.status !== 422 && answer.status !== 413 || !findings) {
      if (answer.status < 400) return location.assign(answer.responseURL);
      if (page) document.documentElement.replaceWith(page.documentElement);
      return undefined;
    }
    // The file stays chosen, so that "send it anyway" needs no second photo.
    upload.querySelector("#findings").replaceWith(findings);
    const anyway = page.querySelector("[name=anyway]")?.closest("label");
    if (anyway && !upload.querySelector("[name=anyway]")) upload.querySelector(".actions").before(anyway);
    document.title = page.title;
    button.disabled = false;
    bar.hidden = true;
    bar.value = 0;
    status.textContent = "";
    upload.querySelector("#problems")?.focus();
    return undefined;
  }
}

// Typing is a sign of life: tell the server at most every two minutes, so that a long form does not end the session.
const token = document.querySelector("[name=csrf_token]")?.value;
let told = Date.now();
if (token) document.addEventListener("input", () => {
  if (Date.now() - told < 120000) return;
  told = Date.now();
  fetch("/session", { method: "POST", headers: { "X-CSRFToken": token }, redirect: "manual" }).catch(() => {});
});
