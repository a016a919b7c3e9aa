// The details form while she types: numbers in groups, pasted names tidied, look-alike letters replaced and said, a Latin
// spelling suggested. The server does all of it again; tables and sentences come from it with the page.
const form = document.querySelector("[data-details]");
const say = (input, text) => { document.getElementById(`${input.id}-note`).textContent = text; };

// Numbers: shown in groups; the cursor stays behind the same character.
for (const input of form.querySelectorAll("[data-groups]")) {
  const sizes = input.dataset.groups.split(" ").map(Number).filter(Boolean);
  if (sizes.length) input.addEventListener("input", (event) => {
    if (event.isComposing) return;
    const bare = (text) => text.replace(/[\s.\/_-]/g, "");
    const before = bare(input.value.slice(0, input.selectionStart)).length;
    let rest = bare(input.value).toUpperCase();
    const fits = rest.length <= sizes.reduce((sum, size) => sum + size);
    const groups = sizes.slice(0, fits ? -1 : 0).map((size) => { const group = rest.slice(0, size); rest = rest.slice(size); return group; });
    input.value = [...groups, rest].filter(Boolean).join(" ");
    let at = 0;
    for (let seen = 0; seen < before && at < input.value.length; at++) if (input.value[at] !== " ") seen++;
    input.setSelectionRange(at, at);
  });
}

// Names: tidied when she leaves the field, and said.
const names = [...form.querySelectorAll("[data-script]")];
let mended;
function mend(input) {
  const { script, alike, same, replaced } = input.dataset;
  const typed = input.value.normalize("NFC");
  let name = typed.replace(/[\t\n\r]/g, " ").replace(/[\p{Cc}\p{Cf}\p{Co}]/gu, "").replace(/[’‘‛ʼʻʹ′`´＇]/g, "'").replace(/[‐‑‒–—―−﹣－]/g, "-")
    .replace(/\s+/g, " ").trim().replace(/ ?- ?/g, "-");
  let note = name === typed.trim() ? "" : form.dataset.tidied;
  const letters = name.match(/\p{L}/gu) ?? [];
  const own = new RegExp(`\\p{Script=${script}}`, "u");
  const foreign = letters.filter((letter) => !own.test(letter));
  if (foreign.length && foreign.length < letters.length && foreign.every((letter) => alike.includes(letter))) {
    name = name.replace(/\p{L}/gu, (letter) => (own.test(letter) ? letter : same[alike.indexOf(letter)]));
    note = replaced.replace("%(number)s", foreign.length);
    mended = { input, at: Date.now() };
  }
  if (name === input.value && !note) return;
  input.value = name;
  if (note) say(input, note);
}
for (const input of names) input.addEventListener("change", () => mend(input));
form.addEventListener("focusin", (event) => { if (event.target.matches("input")) mended = null; });
document.addEventListener("submit", (event) => {
  if (!(Date.now() - mended?.at < 1000)) return; // replaced as she pressed the button: she looks first, and presses again
  event.preventDefault();
  event.stopPropagation();
  mended.input.focus();
  mended = null;
}, true);

// A Latin name follows its Cyrillic one until she types her own.
for (const latin of names.filter((input) => input.dataset.from)) {
  const native = document.getElementById(latin.dataset.from);
  const offers = form.querySelector(`[data-offers="${latin.id}"]`);
  const [more, list] = offers.children;
  let ours = latin.value ? null : "";
  let wait, asked;
  const suggest = async () => {
    asked?.abort();
    asked = new AbortController();
    const body = new URLSearchParams({ name: native.value, country: form.dataset.country, csrf_token: form.elements.csrf_token.value });
    const answer = await fetch(form.dataset.spellings, { method: "POST", body, signal: asked.signal });
    if (!answer.ok || answer.redirected) return;
    const { spellings } = await answer.json();
    list.replaceChildren(...spellings.map((text) => {
      const chip = Object.assign(document.createElement("button"), { type: "button", className: "chip", textContent: text });
      chip.addEventListener("click", () => { ours = null; latin.value = text; say(latin, ""); latin.focus(); });
      return chip;
    }));
    offers.hidden = !spellings.length;
    if (ours === null || latin.value !== ours) return;
    latin.value = ours = spellings[0] ?? "";
    say(latin, ours && latin.dataset.suggested);
  };
  const soon = () => { clearTimeout(wait); wait = setTimeout(() => suggest().catch(() => {}), 300); }; // offline: the server suggests after the form is sent
  native.addEventListener("input", soon);
  native.addEventListener("change", soon); // mended
  latin.addEventListener("input", () => { ours = latin.value ? null : ""; say(latin, ""); });
  more.addEventListener("click", () => {
    list.hidden = false;
    more.setAttribute("aria-expanded", "true");
    ours = null;
    say(latin, "");
    latin.select();
    latin.focus();
  });
  if (native.value) soon();
}

// A tick and a text that exclude each other.
for (const tick of form.querySelectorAll("[data-lack]")) {
  const input = document.getElementById(tick.dataset.lack);
  tick.addEventListener("change", () => { if (tick.checked) input.value = ""; });
  input.addEventListener("input", () => { if (input.value) tick.checked = false; });
}

// A whole date pasted into one of its three fields.
for (const fields of [...form.querySelectorAll(".date")].map((date) => [...date.querySelectorAll("input")])) {
  for (const field of fields) field.addEventListener("input", () => {
    const [, ...found] = field.value.trim().match(/^(\d{1,2})[.\/ -](\d{1,2})[.\/ -](\d{4})$/) ?? [];
    if (found.length) fields.forEach((one, at) => { one.value = found[at]; });
  });
}
