"use strict";
// What every part of the page shares: the data, small builders of elements, formats, tabs and the theme.
// Text reaches the page as text nodes only, so that nothing in a run can become markup.

const view = JSON.parse(document.getElementById("data").textContent);
const objectives = Object.keys(view.objectives);
const byTrial = new Map([...view.trials, ...view.models.map((model) => model.trial)].map((trial) => [trial.trial, trial]));
const iterations = [...new Set(view.trials.map((trial) => trial.iteration))].sort((a, b) => a - b);

function $(id) {
  return document.getElementById(id);
}

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "onclick") made.addEventListener("click", value);
    else if (value !== null && value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

function number(value, digits = 4) {
  if (value === null || value === undefined || value === "") return "–";
  if (typeof value !== "number") return String(value);
  if (Number.isInteger(value) && Math.abs(value) < 10000) return String(value);
  const size = Math.abs(value);
  for (const [unit, scale] of [["G", 1e9], ["M", 1e6], ["k", 1e4]]) {
    if (size >= scale) return trim((value / (unit === "k" ? 1e3 : scale)).toPrecision(digits)) + " " + unit;
  }
  return size !== 0 && size < 1e-3 ? value.toExponential(2) : trim(value.toPrecision(digits));
}

function trim(text) {
  return text.includes(".") && !text.includes("e") ? text.replace(/\.?0+$/, "") : text;
}

function duration(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds < 10) return seconds.toFixed(1) + " s";
  if (seconds < 90) return Math.round(seconds) + " s";
  const minutes = Math.round(seconds / 60);
  return minutes < 90 ? minutes + " min" : Math.floor(minutes / 60) + " h " + (minutes % 60) + " min";
}

function moment(text) {
  const when = new Date(text);
  return text && !Number.isNaN(when.getTime()) ? when.toISOString().slice(0, 19).replace("T", " ") + " UTC" : "–";
}

function parameters(params) {
  return Object.entries(params).map(([name, value]) => name + "=" + (typeof value === "number" ? number(value) : String(value))).join(", ");
}

function short(trial) {
  return trial.slice(0, 8);
}

function better(name) {
  return view.objectives[name] === "maximize" ? "↑" : "↓";
}

const PILLS = { completed: "good", stopped: "warn", infeasible: "warn", failed: "bad" };

function pill(text, kind = PILLS[text] || "") {
  return element("span", { class: "pill " + kind }, text);
}

// A row of tabs; `choose(value)` is called with the value of the chosen one, the first to begin with.
function tabs(id, choices, choose) {
  const list = $(id);
  const buttons = choices.map(([value, label]) => {
    const button = element("button", { type: "button", role: "tab", "aria-selected": "false" }, label);
    button.addEventListener("click", () => {
      for (const other of buttons) other.setAttribute("aria-selected", String(other === button));
      choose(value);
    });
    return button;
  });
  list.replaceChildren(...buttons);
  if (buttons.length) buttons[0].click();
  list.hidden = buttons.length < 2;
}

const themeListeners = [];

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  for (const listener of themeListeners) listener();
}

function dark() {
  return document.documentElement.dataset.theme === "dark";
}

const prefersDark = window.matchMedia("(prefers-color-scheme: dark)");
setTheme(prefersDark.matches ? "dark" : "light");
prefersDark.addEventListener("change", (event) => setTheme(event.matches ? "dark" : "light"));
$("theme").addEventListener("click", () => setTheme(dark() ? "light" : "dark"));
