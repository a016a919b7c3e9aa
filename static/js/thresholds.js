// The editor of thresholds: a line in a chart and its number follow each other, and the figures follow both.
// Without this file the button "Show these values" does the same on the server.

const language = document.documentElement.lang || "en";
const said = (value) => new Intl.NumberFormat(language, { maximumFractionDigits: 4 }).format(value);
const number = (field) => {
  const text = field.value.trim().replace(",", ".").replace("−", "-");
  const value = Number(text);
  return text !== "" && Number.isFinite(value) && value >= Number(field.min) && value <= Number(field.max) ? value : null;
};
const LADDER = [1, 2, 5];
const form = document.querySelector("form.editor");
const field = (setting) => document.getElementById(setting);

const stepOf = (input) => Number(input.dataset.step);
const rounded = (input, value) => {
  const low = Number(input.min), high = Number(input.max);
  if (input.dataset.ladder) {
    const size = 10 ** Math.max(0, Math.floor(Math.log10(Math.max(value, 1))) - 1);
    return Math.min(high, Math.max(low, Math.round(value / size) * size));
  }
  const step = stepOf(input);
  return Math.min(high, Math.max(low, Number((Math.round(value / step) * step).toFixed(4))));
};
const stepped = (input, value, steps) => {
  if (!input.dataset.ladder) return rounded(input, value + steps * stepOf(input));
  const rungs = [];
  for (let k = 2; k <= 6; k += 1) for (const m of LADDER) rungs.push(m * 10 ** k);
  const further = steps > 0 ? rungs.filter((v) => v > value) : rungs.filter((v) => v < value).reverse();
  const wanted = further[Math.min(Math.abs(steps), further.length) - 1] ?? value;
  return Math.min(Number(input.max), Math.max(Number(input.min), wanted));
};
const put = (input, value) => {
  input.value = String(value);
  input.dispatchEvent(new Event("input", { bubbles: true }));
};

const det = document.querySelector("[data-det]");
const detData = det ? JSON.parse(det.dataset.det) : null;

const charts = [...document.querySelectorAll("figure[data-chart]")].map((figure) => {
  const data = JSON.parse(figure.dataset.chart);
  const svg = figure.querySelector("svg");
  const card = figure.closest("[data-setting]");
  const axis = (value) => (data.log ? Math.log10(Math.max(value, 1e-9)) : value);
  const xOf = (value) => data.left + (data.right - data.left) * Math.min(1, Math.max(0, (axis(value) - data.low) / (data.high - data.low)));
  const valueAt = (event) => {
    const box = svg.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * svg.viewBox.baseVal.width;
    const share = Math.min(1, Math.max(0, (x - data.left) / (data.right - data.left)));
    const place = data.low + share * (data.high - data.low);
    return data.log ? 10 ** place : place;
  };
  svg.setAttribute("role", "group");
  const lines = [...svg.querySelectorAll("[data-line]")].map((line) => {
    const input = field(line.dataset.line);
    line.setAttribute("role", "slider");
    line.setAttribute("tabindex", "0");
    line.setAttribute("aria-label", line.dataset.label);
    line.setAttribute("aria-valuemin", input.min);
    line.setAttribute("aria-valuemax", input.max);
    line.classList.add("moves");
    line.addEventListener("pointerdown", (event) => {
      if (event.button > 0) return;
      event.preventDefault();
      line.focus({ preventScroll: true });
      line.setPointerCapture(event.pointerId);
      line.classList.add("held");
    });
    line.addEventListener("pointermove", (event) => {
      if (line.hasPointerCapture(event.pointerId)) put(input, rounded(input, valueAt(event)));
    });
    const drop = () => line.classList.remove("held");
    line.addEventListener("lostpointercapture", drop);
    line.addEventListener("keydown", (event) => {
      const now = number(input);
      if (now === null || event.altKey || event.ctrlKey || event.metaKey) return;
      const far = event.shiftKey ? 10 : 1;
      const to = {
        ArrowRight: () => stepped(input, now, far), ArrowUp: () => stepped(input, now, far),
        ArrowLeft: () => stepped(input, now, -far), ArrowDown: () => stepped(input, now, -far),
        PageUp: () => stepped(input, now, 10), PageDown: () => stepped(input, now, -10),
        Home: () => Number(input.min), End: () => Number(input.max),
      }[event.key];
      if (!to) return;
      event.preventDefault();
      put(input, to());
    });
    return { line, input, setting: line.dataset.line };
  });
  const follow = () => {
    for (const { line, input, setting } of lines) {
      const value = number(input);
      if (value === null) continue;
      const x = xOf(value);
      line.setAttribute("transform", `translate(${x.toFixed(2)} 0)`);
      line.setAttribute("aria-valuenow", String(value));
      line.setAttribute("aria-valuetext", said(value));
      line.querySelector("[data-value]").textContent = said(value);
      if (setting !== card.dataset.setting) continue;
      const side = svg.querySelector("[data-side]");
      side.setAttribute("x", String(data.upper ? x : data.left));
      side.setAttribute("width", String(Math.max(0, data.upper ? data.right - x : x - data.left)));
      const place = Math.floor((axis(value) - data.low) / data.step + 1e-6);
      const steps = data.stopped.auto_approved.length;
      const at = Math.min(steps - 1, Math.max(0, place));
      for (const [ending, counts] of Object.entries(data.stopped)) {
        const cell = card.querySelector(`[data-stopped="${ending}"]`);
        if (cell) cell.textContent = said(counts[at]);
      }
      for (const [key, texts] of Object.entries(data.texts)) {
        const cell = card.querySelector(`[data-rate="${key}"]`);
        if (cell) cell.textContent = texts.words[texts.at[at]];
      }
      const mark = det?.querySelector(`[data-mark="${setting}"]`);
      if (mark) {
        const places = detData.places[detData.of[setting]];
        const k = Math.min(places.length - 1, Math.max(0, Math.floor((value - detData.start) / detData.step + 1e-6)));
        mark.setAttribute("transform", `translate(${places[k][0]} ${places[k][1]})`);
      }
    }
  };
  follow();
  return { follow, settings: new Set(lines.map((l) => l.setting)) };
});

// What the draft would change, in the column beside, as it is typed
const list = document.querySelector("[data-changes]");
const summary = () => {
  if (!list) return;
  const items = [];
  let looser = 0;
  for (const card of form.querySelectorAll("[data-setting].changed")) {
    const chip = card.querySelector("[data-says]:not([hidden])");
    if (chip?.dataset.says === "looser") looser += 1;
    const item = document.createElement("li");
    const link = document.createElement("a");
    link.href = `#${card.dataset.setting}`;
    link.textContent = card.querySelector("[data-name]").textContent;
    item.append(link);
    const input = card.querySelector("input[type=number][data-now]");
    if (input) {
      const strong = document.createElement("strong");
      const value = number(input);
      strong.textContent = value === null ? "?" : said(value);
      item.append(`: ${said(Number(input.dataset.now))} → `, strong);
    }
    if (chip) item.append(" ", chip.cloneNode(true));
    items.push(item);
  }
  list.replaceChildren(...items);
  document.querySelector("[data-none]").hidden = items.length > 0;
  document.querySelector("[data-second]").hidden = looser === 0;
};

if (form) {
  form.addEventListener("input", (event) => {
    for (const chart of charts) if (chart.settings.has(event.target.id)) chart.follow();
    queueMicrotask(summary);
  });
  form.addEventListener("click", (event) => {
    const button = event.target.closest("button[name=step]");
    if (!button) return;
    event.preventDefault();
    const [setting, way] = button.value.split(":");
    const input = field(setting);
    put(input, stepped(input, number(input) ?? Number(input.dataset.now), way === "up" ? 1 : -1));
  });
  form.addEventListener("keydown", (event) => {
    const input = event.target;
    if (input.type !== "number" || !input.dataset.step || event.altKey || event.ctrlKey || event.metaKey) return;
    const way = { ArrowUp: 1, ArrowDown: -1, "+": 1, PageUp: 10, PageDown: -10 }[event.key];
    const value = number(input);
    if (!way || value === null) return;
    event.preventDefault();
    put(input, stepped(input, value, way));
  });
  summary();
}
