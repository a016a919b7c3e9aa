// The answer's column by keyboard: rows to tick, reasons by digit, saved replies, what the customer will read. Works without this file.

const form = document.getElementById("answer");
const shown = (element) => element.offsetParent !== null;
const fill = (text, values) => text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);

// Saved replies: of an answer and of a message alike
const put = (select) => {
  const option = select.selectedOptions[0], box = document.getElementById(select.dataset.reply);
  const text = option?.dataset.text ?? "", before = box.dataset.put;
  if (before && box.value.includes(before)) box.value = box.value.replace(before, text);
  else box.value = [box.value.trimEnd(), text].filter(Boolean).join("\n");
  box.dataset.put = text;
  box.dispatchEvent(new Event("input", { bubbles: true }));
  if (text && form) says(fill(form.dataset.inserted, { name: option.textContent }));
};
for (const part of document.querySelectorAll("[data-needs-script]")) part.hidden = false;
for (const select of document.querySelectorAll("select[data-reply]")) {
  const box = document.getElementById(select.dataset.reply);
  if (select.value && box.value.includes(select.selectedOptions[0].dataset.text)) box.dataset.put = select.selectedOptions[0].dataset.text;
  select.addEventListener("change", () => { delete select.dataset.chosen; put(select); });
}
const says = (text) => {
  const place = document.querySelector("[data-says]");
  if (!place) return;
  place.textContent = "";
  setTimeout(() => { place.textContent = text; }, 60);
};

if (form) {
  const chosen = () => form.querySelector("[name=action]:checked")?.value ?? "";
  const senders = [...form.querySelectorAll(".go [name=then]")];
  const rows = [...document.querySelectorAll("[name=checked], [name=faces]")];
  const told = form.querySelector("[data-rows-left]");

  // Rows to compare and tick before an approval; those of a part that is not accepted do not count
  const left = () => {
    const parts = [...form.querySelectorAll("[name=accept]")];
    const codes = (boxes) => new Set(boxes.flatMap((box) => box.value.split(",")));
    const offered = codes(parts), accepted = codes(parts.filter((part) => part.checked));
    return rows.filter((row) => !row.checked && (!offered.has(row.value) || accepted.has(row.value)));
  };
  const weigh = () => {
    const missing = left(), waits = chosen() === "approve" && missing.length > 0;
    for (const sender of senders) sender.disabled = waits;
    if (!rows.length) return;
    told.hidden = false;
    told.classList.toggle("done", !missing.length);
    told.textContent = missing.length ? fill(form.dataset.left, { n: missing.length }) : form.dataset.ticked;
  };
  let byKey = false;
  document.addEventListener("keydown", (event) => { byKey = event.key === " "; }, true);
  document.addEventListener("pointerdown", () => { byKey = false; }, true);
  for (const row of rows) {
    row.addEventListener("change", () => {
      weigh();
      if (!byKey || !row.checked || chosen() !== "approve") return;
      const next = left().find((other) => row.compareDocumentPosition(other) & Node.DOCUMENT_POSITION_FOLLOWING) ?? left()[0];
      (next ?? senders[0]).focus();
      says(next ? fill(form.dataset.left, { n: left().length }) : form.dataset.ticked);
    });
  }
  form.addEventListener("change", weigh);
  form.addEventListener("submit", (event) => {
    if (!event.submitter?.hasAttribute("formaction") && chosen() === "approve" && left().length) {
      event.preventDefault();
      left()[0].focus();
      says(form.dataset.first);
    }
  });

  // The print of the row whose turn it is stands open, the one before it closes: all of them at once would not fit the screen
  let opened = document.querySelector(".facts-table tr.row:has([data-tick]) details[open]");
  for (const row of document.querySelectorAll(".facts-table [data-tick]")) {
    row.addEventListener("focus", () => {
      const more = row.closest("tr").querySelector("details");
      if (!more || more.open || !row.matches(":focus-visible")) return;
      if (opened) opened.open = false;
      (opened = more).open = true;
    });
  }

  // A key that chooses an answer leads to what it asks for; choosing by mouse or arrows moves nothing
  form.addEventListener("keyed", () => {
    const first = {
      approve: () => left()[0] ?? senders[0],
      ask_retake: () => form.querySelector(".for-retake [data-digits] [name=retake_reason]"),
      reject: () => form.querySelector(".for-reject [data-digits] input"),
      escalate: () => document.getElementById("note"),
    }[chosen()];
    if (first && document.activeElement?.name === "action") first()?.focus();
  });

  // Digits tick reasons while the list has the focus
  for (const list of form.querySelectorAll("[data-digits]")) {
    const boxes = [...list.querySelectorAll("input:not([name=retake])")];
    boxes.slice(0, 9).forEach((box, at) => box.closest("label").setAttribute("data-digit", at + 1));
    list.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const all = [...list.querySelectorAll("input")], at = all.indexOf(document.activeElement);
      const digit = /^[1-9]$/.test(event.key) && boxes[event.key - 1];
      if (digit) { digit.focus(); digit.click(); }
      else if (event.key === "ArrowDown") all[Math.min(at + 1, all.length - 1)].focus();
      else if (event.key === "ArrowUp") all[Math.max(at - 1, 0)].focus();
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
  }
  for (const tick of form.querySelectorAll("[data-photo-of]")) {
    tick.addEventListener("change", () => {
      if (tick.checked) form.querySelector(`[name=retake][value="${tick.dataset.photoOf}"]`).checked = true;
    });
  }

  // s: the reply that goes with what is ticked, or one about no reason, into the box; arrows then change it. None fits: the list alone
  const replyOf = () => [...document.querySelectorAll("select[data-reply]")].find((select) => shown(select) && form.contains(select))
    ?? document.getElementById("reply-message");
  const choose = (select) => {
    if (!select.value || select.dataset.chosen === select.value) { // what she chose by herself stays
      const ticked = new Set([...form.querySelectorAll("[name=retake_reason]:checked, [name=reject_reason]:checked")].map((box) => box.value));
      const options = [...select.options].filter((option) => option.value);
      // A reply about another reason would tell her of a fault that is not hers: then the list is hers to choose from
      const fits = options.find((option) => ticked.has(option.dataset.reason)) ?? options.find((option) => !option.dataset.reason);
      select.value = select.dataset.chosen = fits?.value ?? "";
      if (!fits) says(form.dataset.none);
    }
    put(select);
    select.focus();
  };
  for (const button of form.querySelectorAll("[data-inserts]")) {
    button.addEventListener("click", (event) => { event.preventDefault(); choose(document.getElementById(button.dataset.inserts)); });
  }

  // What the customer will read, made by the server and kept in step with what is ticked and written
  const place = document.getElementById("preview");
  let asked = 0, soon = 0;
  const look = async () => {
    const mine = ++asked;
    try {
      const answer = await fetch(form.dataset.preview, { method: "POST", body: new URLSearchParams(new FormData(form)), headers: { "X-Fragment": "1" }, redirect: "manual" });
      if (!answer.ok || mine !== asked) return;
      const open = place.querySelector("details")?.open;
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      place.replaceChildren(...fresh.body.childNodes);
      const mail = place.querySelector("details");
      if (mail && open) mail.open = true;
    } catch { /* the next change asks again */ }
  };
  const spoken = () => ["ask_retake", "reject"].includes(chosen());
  form.addEventListener("input", (event) => {
    if (!spoken() || event.target.id === "note") return;
    clearTimeout(soon);
    soon = setTimeout(look, 350);
  });
  const shows = form.querySelector("[data-shows-preview]");
  const showNow = async () => {
    await look();
    place.tabIndex = -1;
    place.focus();
    place.scrollIntoView({ block: "nearest" });
  };
  shows.addEventListener("click", (event) => { event.preventDefault(); showNow(); });

  document.addEventListener("keydown", (event) => {
    const at = document.activeElement;
    const writes = at && (/^(TEXTAREA|SELECT)$/.test(at.tagName) || (at.tagName === "INPUT" && !["radio", "checkbox"].includes(at.type)));
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || writes || document.querySelector("dialog[open]")) return;
    if (event.key === "s" && replyOf()) { event.preventDefault(); choose(replyOf()); }
    if (event.key === "p" && spoken()) { event.preventDefault(); showNow(); }
  });

  weigh();
  // After a refusal the first thing to mend has the focus
  const wrong = form.querySelector("[aria-invalid=true]")
    ?? (form.querySelector("#checked-problem") ? left()[0] : null)
    ?? form.querySelector("[name=sure]:not(:checked)")
    ?? form.querySelector(".field-problem")?.closest(".part")?.querySelector("input:not([type=hidden])");
  wrong?.focus();
}
