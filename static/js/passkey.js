// Passkeys: asks the server for a challenge, the device for an answer, and sends that as the form it stands in.

const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (letter) => letter.charCodeAt(0));
const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
const described = (list) => (list ?? []).map((one) => ({ ...one, id: bytes(one.id) }));

async function made(options) {
  const publicKey = { ...options, challenge: bytes(options.challenge), user: { ...options.user, id: bytes(options.user.id) }, excludeCredentials: described(options.excludeCredentials) };
  const { id, rawId, type, response } = await navigator.credentials.create({ publicKey });
  return {
    id, type, rawId: text(rawId),
    response: { clientDataJSON: text(response.clientDataJSON), attestationObject: text(response.attestationObject), transports: response.getTransports?.() ?? [] },
  };
}

async function used(options) {
  const publicKey = { ...options, challenge: bytes(options.challenge), allowCredentials: described(options.allowCredentials) };
  const { id, rawId, type, response } = await navigator.credentials.get({ publicKey });
  return {
    id, type, rawId: text(rawId),
    response: {
      clientDataJSON: text(response.clientDataJSON), authenticatorData: text(response.authenticatorData), signature: text(response.signature),
      userHandle: response.userHandle ? text(response.userHandle) : null,
    },
  };
}

for (const form of document.querySelectorAll("form[data-passkey]")) {
  if (!window.PublicKeyCredential || !window.isSecureContext) continue;
  form.hidden = false;
  const says = form.querySelector(".passkey-says");
  const fields = form.elements;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (form.dataset.busy) return;
    form.dataset.busy = "1";
    says.textContent = "";
    try {
      const asked = new URLSearchParams({ csrf_token: fields.csrf_token.value, step: fields.step?.value ?? "" });
      const told = await fetch(form.dataset.begin, { method: "POST", body: asked });
      if (!told.ok) throw new Error(String(told.status));
      const options = await told.json();
      fields.answer.value = JSON.stringify(await (form.dataset.passkey === "create" ? made(options) : used(options)));
      form.submit();
    } catch (error) {
      const known = error.name === "InvalidStateError" && form.dataset.known;
      says.textContent = known || (error.name === "NotAllowedError" || error.name === "AbortError" ? form.dataset.stopped : form.dataset.failed);
    } finally {
      delete form.dataset.busy;
    }
  });
}
