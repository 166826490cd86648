// What every part of the pages shares: builders of elements, formats, colours and the theme.
// Text reaches a page as text nodes only, so that nothing in a run can become markup.

export const OKABE_ITO = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#999999", "#F0E442"];
// Viridis without its ends: readable on white and on black, in print, and to the colour-blind.
const VIRIDIS = [[68, 1, 84], [72, 40, 120], [62, 74, 137], [49, 104, 142], [38, 130, 142], [31, 158, 137], [53, 183, 121], [109, 205, 89], [180, 222, 44], [253, 231, 37]];
const PILLS = { completed: "good", stopped: "warn", infeasible: "warn", failed: "bad", running: "run", success: "good", queued: "run", verified: "good", "not verified": "warn", cancelled: "warn", paused: "warn", stale: "bad" };
export const UNENDED = ["running", "waiting", "cancelled", "not run"];
export const STATES = ["completed", "stopped", "infeasible", "failed", ...UNENDED];
export const SYMBOLS = { completed: "circle", stopped: "diamond", infeasible: "triangle-down-open", failed: "x", running: "circle-open", waiting: "circle-open-dot", cancelled: "x-open", "not run": "circle-open-dot" };

export function $(id) {
  return document.getElementById(id);
}

// Once what was put into the page has been painted.
export function painted() {
  return new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
}

// An element; `style` is an object, `on…` are listeners, and other attributes are set as they are unless they are null.
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name === "style") Object.assign(made.style, value);
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

export function number(value, digits = 4) {
  if (value === null || value === undefined || value === "") return "–";
  if (typeof value !== "number") return text(value);
  if (Number.isInteger(value) && Math.abs(value) < 10000) return String(value);
  const size = Math.abs(value);
  if (size >= 1000 && size < 10000) return String(Math.round(value));
  for (const [unit, scale] of [["G", 1e9], ["M", 1e6], ["k", 1e4]]) {
    if (size >= scale) return trim((value / (unit === "k" ? 1e3 : scale)).toPrecision(digits)) + " " + unit;
  }
  return size !== 0 && size < 1e-3 ? value.toExponential(2) : trim(value.toPrecision(digits));
}

function trim(digits) {
  return digits.includes(".") && !digits.includes("e") ? digits.replace(/\.?0+$/, "") : digits;
}

export function text(value) {
  return typeof value === "object" && value !== null ? JSON.stringify(value) : String(value);
}

export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds < 10) return seconds.toFixed(1) + " s";
  if (seconds < 90) return Math.round(seconds) + " s";
  if (seconds < 600) return (seconds / 60).toFixed(1) + " min";
  const minutes = Math.round(seconds / 60);
  return minutes < 90 ? minutes + " min" : Math.floor(minutes / 60) + " h " + (minutes % 60) + " min";
}

export function hours(seconds) {
  return seconds < 360 ? duration(seconds) : number(seconds / 3600, 3) + " h";
}

// A moment, given as ISO 8601 or in seconds since 1970.
export function moment(value) {
  if (!value) return "–";
  const when = new Date(typeof value === "number" ? value * 1000 : value);
  return Number.isNaN(when.getTime()) ? "–" : when.toISOString().slice(0, 19).replace("T", " ") + " UTC";
}

export function size(bytes) {
  return bytes < 1000 ? bytes + " B" : bytes < 1e6 ? number(bytes / 1e3, 3) + " kB" : number(bytes / 1e6, 3) + " MB";
}

export function short(trial) {
  return trial.replace(/^([0-9a-f]{8})[0-9a-f]{8}/, "$1");
}

export function pill(label, kind = PILLS[label] || "") {
  return element("span", { class: "pill " + kind }, label);
}

export function arrow(direction) {
  return direction === "maximize" ? "↑" : "↓";
}

export function table(heads, rows, numeric = () => false, attributes = {}) {
  const cell = (tag, content, at) => element(tag, { class: numeric(at) ? "number" : null, scope: tag === "th" ? "col" : null }, content);
  return element("div", { class: "scroll" }, element("table", attributes,
    element("thead", {}, element("tr", {}, heads.map((head, at) => cell("th", head, at)))),
    element("tbody", {}, rows.map((row) => element("tr", {}, row.map((each, at) => cell("td", each, at)))))));
}

export function facts(pairs) {
  return element("dl", {}, pairs.filter(([, value]) => value !== null && value !== undefined && value !== "" && value.length !== 0)
    .map(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]));
}

const KEPT = new Set(["DIV", "SECTION", "DL", "TABLE", "THEAD", "TBODY", "TR", "PRE"]); // elements that nobody listens to
const markups = new WeakMap(); // of what `refill` has put into the page, as it was then

// Fills a place with elements, and leaves those that are there already: what has the focus, is open or is scrolled stays as it is.
// The element that stays has its own listeners: those of the same markup must do the same.
export function refill(place, ...made) {
  const wanted = made.flat(Infinity).filter(Boolean);
  wanted.forEach((child, at) => (place.children[at] ? renew(place.children[at], child) : place.append(noted(child))));
  while (place.children.length > wanted.length) place.lastElementChild.remove();
}

function renew(there, made) {
  if (markups.get(there) === made.outerHTML) return;
  if (KEPT.has(there.tagName) && there.cloneNode().isEqualNode(made.cloneNode())) {
    markups.set(there, made.outerHTML);
    const parted = [there, made].every((each) => [...each.childNodes].every((child) => child instanceof Element));
    if (parted) refill(there, [...made.children]);
    else there.replaceChildren(...[...made.childNodes].map(noted));
    return;
  }
  const focused = there === document.activeElement;
  there.replaceWith(noted(made));
  if (focused) made.focus();
}

function noted(made) {
  if (made instanceof Element) markups.set(made, made.outerHTML);
  if (KEPT.has(made.tagName)) [...made.children].forEach(noted);
  return made;
}

// What a person has chosen is no part of a control's markup: `refill` leaves it alone.
export function select(label, choices, chosen, choose) {
  const list = element("select", { onchange: () => choose(list.value) }, choices.map(([value, name]) => element("option", { value }, name)));
  list.value = chosen;
  return element("label", { class: "field" }, label, list);
}

export function checkbox(label, checked, choose, disabled = false) {
  const box = element("input", { type: "checkbox", disabled, onchange: () => choose(box.checked) });
  box.checked = checked;
  return element("label", { class: "check" }, box, label);
}

export function button(label, press, attributes = {}) {
  return element("button", { type: "button", onclick: press, ...attributes }, label);
}

export function note(words, kind = "") {
  return element("p", { class: "outcome " + kind }, words);
}

export function save(name, content, type) {
  const url = URL.createObjectURL(new Blob([content], { type }));
  element("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}

// Plotly reads some markup in its texts: whatever comes from a run goes through this first.
export function plain(value) {
  return text(value).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
}

function viridis(share) {
  const place = Math.min(Math.max(share, 0), 1) * (VIRIDIS.length - 1);
  const low = Math.min(Math.floor(place), VIRIDIS.length - 2);
  return "rgb(" + VIRIDIS[low].map((value, channel) => Math.round(value + (VIRIDIS[low + 1][channel] - value) * (place - low))).join(",") + ")";
}

// A colour of the scale for a share from 0 to 1, such that it stands out from the page.
export function shade(share) {
  return dark() ? viridis(0.36 + 0.64 * share) : viridis(0.04 + 0.8 * share);
}

export function stateColour(state) {
  return { completed: css("--accent"), stopped: css("--warn"), infeasible: css("--quiet"), failed: css("--bad"), running: css("--good") }[state] || css("--line");
}

export function css(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

export function dark() {
  return document.documentElement.dataset.theme === "dark";
}

const themeListeners = [];

export function onTheme(listener) {
  themeListeners.push(listener);
}

function setTheme(theme) {
  if (document.documentElement.dataset.theme === theme) return;
  document.documentElement.dataset.theme = theme;
  for (const listener of themeListeners) listener();
}

// Inside Airflow the theme is Airflow's, whose page carries it as a class; alone it is the system's, until the button is pressed.
export function followTheme() {
  const outer = airflowRoot();
  if (outer) {
    const follow = () => setTheme(outer.classList.contains("dark") ? "dark" : "light");
    new MutationObserver(follow).observe(outer, { attributes: true, attributeFilter: ["class"] });
    follow();
    return;
  }
  const prefersDark = window.matchMedia("(prefers-color-scheme: dark)");
  setTheme(prefersDark.matches ? "dark" : "light");
  prefersDark.addEventListener("change", (event) => setTheme(event.matches ? "dark" : "light"));
  const toggle = $("theme");
  toggle.hidden = false;
  toggle.addEventListener("click", () => setTheme(dark() ? "light" : "dark"));
}

// Follows a link of Airflow's own: inside Airflow by its page, for the frame that ours is in may not leave itself.
export function outside(event, address) {
  const outer = airflowRoot();
  if (!outer) return;
  event.preventDefault();
  const made = outer.ownerDocument.createElement("a");
  made.href = address;
  outer.ownerDocument.body.append(made);
  made.click();
  made.remove();
}

function airflowRoot() {
  try {
    return window.parent === window ? null : window.parent.document.documentElement;
  } catch {
    return null; // framed by another origin
  }
}
