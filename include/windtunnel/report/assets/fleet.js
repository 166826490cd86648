// A fleet's run: a tile a partition, a leaderboard, what failed and why, one partition, and two runs compared.

import { $, arrow, duration, element, followTheme, note, number, pill } from "./base.js";
import { ask, LiveSource } from "./source.js";

const EVERY = 3000;
const COLOURS = { completed: "#009E73", taken: "#56B4E9", failed: "#D55E00", running: "#E69F00", skipped: "#999999", open: "#CCCCCC" };
const source = new LiveSource(location.search);
let fleet = null;
let runs = [];
let colour = "state";
let order = { by: null, up: true };
let other = null;
let drawn = "";

function metrics() {
  const named = new Set(Object.keys(fleet.objectives));
  for (const row of fleet.partitions) for (const name of Object.keys(row.metrics || {})) named.add(name);
  return [...named];
}

function value(row, name) {
  return row.metrics && name in row.metrics ? row.metrics[name] : null;
}

// From the worst to the best of a metric, from orange to blue; grey where a partition has none.
function tint(row, name, range) {
  const found = value(row, name);
  if (found === null) return "#CCCCCC";
  const share = range[1] > range[0] ? (found - range[0]) / (range[1] - range[0]) : 1;
  const good = fleet.objectives[name] === "minimize" ? 1 - share : share;
  return "hsl(" + Math.round(30 + 180 * good) + " 75% 45%)";
}

function tiles() {
  const found = colour === "state" ? [] : fleet.partitions.map((row) => value(row, colour)).filter((each) => each !== null);
  const range = [found.reduce((a, b) => Math.min(a, b), Infinity), found.reduce((a, b) => Math.max(a, b), -Infinity)];
  return fleet.partitions.map((row) => {
    const told = row.name + ": " + row.state + (colour !== "state" ? ", " + colour + " " + number(value(row, colour)) : "");
    return element("a", { class: "square", href: "#" + encodeURIComponent(row.name), title: told, "aria-label": told, "data-state": row.state, style: { background: colour === "state" ? COLOURS[row.state] : tint(row, colour, range) } });
  });
}

function first() {
  return Object.keys(fleet.objectives)[0] || null;
}

function sorted() {
  const by = order.by || first();
  if (!by) return fleet.partitions;
  const up = order.by ? order.up : fleet.objectives[by] !== "maximize";
  const of = (row) => (by === "partition" ? row.name : by === "state" || by === "seconds" ? row[by] : fleet.columns.includes(by) ? row.keys[fleet.columns.indexOf(by)] : value(row, by));
  return [...fleet.partitions].sort((a, b) => {
    const [x, y] = [of(a), of(b)];
    if (x === y) return 0;
    if (x === null || x === undefined) return 1;
    if (y === null || y === undefined) return -1;
    const way = typeof x === "number" ? x - y : String(x).localeCompare(String(y), undefined, { numeric: true });
    return up ? way : -way;
  });
}

const SHOWN = 500;

function leaderboard() {
  const named = metrics();
  const heads = ["partition", ...fleet.columns, "state", ...named, "seconds"];
  const head = element("tr", {}, heads.map((name) => element("th", { scope: "col", "aria-sort": order.by === name ? (order.up ? "ascending" : "descending") : null },
    element("button", { type: "button", class: "sort", onclick: () => { order = { by: name, up: order.by === name ? !order.up : true }; draw(); } }, name, fleet.objectives[name] ? " " + arrow(fleet.objectives[name]) : ""))));
  const rows = sorted().slice(0, SHOWN).map((row) => element("tr", {}, element("td", {}, element("a", { href: "#" + encodeURIComponent(row.name) }, row.name)), row.keys.map((key) => element("td", {}, key)),
    element("td", {}, pill(row.state)), named.map((name) => element("td", { class: "number" }, number(value(row, name)))), element("td", { class: "number" }, row.seconds ? duration(row.seconds) : "–")));
  return element("section", { class: "card", id: "leaderboard" }, element("h2", {}, "Leaderboard"),
    fleet.partitions.length > SHOWN ? element("p", { class: "quiet" }, "The first " + SHOWN + " of " + fleet.partitions.length + "; gathered/leaderboard.csv has all.") : null,
    element("div", { class: "scroll" }, element("table", {}, element("thead", {}, head), element("tbody", {}, rows))));
}

function failures() {
  const why = new Map();
  for (const row of fleet.partitions) if (row.state === "failed") why.set(row.message, [...(why.get(row.message) || []), row]);
  if (!why.size) return null;
  return element("section", { class: "card", id: "failures" }, element("h2", {}, "What failed"), element("dl", {}, [...why].map(([message, rows]) => [element("dt", {}, rows.length + " ×"),
    element("dd", {}, message || "no reason was given", " ", rows.slice(0, 10).map((row) => [element("a", { href: "#" + encodeURIComponent(row.name) }, row.name), " "]))])));
}

function overview() {
  const facts = [["partitions", fleet.message], ["throughput", fleet.pace.throughput === null ? "–" : number(fleet.pace.throughput) + " partitions a second"],
    ["time left", fleet.over ? "it is over" : duration(fleet.pace.left)], ...Object.entries(fleet.evaluation).map(([name, found]) => [name, number(found)])];
  const choice = element("select", { id: "colour", "aria-label": "Colour tiles by", onchange: (event) => { colour = event.target.value; draw(); } }, ["state", ...metrics()].map((name) => element("option", { value: name, selected: name === colour }, name)));
  const legend = colour === "state" ? Object.entries(COLOURS).filter(([state]) => fleet.partitions.some((row) => row.state === state)).map(([state, shown]) => [element("span", { class: "square", style: { background: shown } }), " " + state + " "]) : "from worse, orange, to better, blue";
  return element("section", { class: "card" }, fleet.failure ? element("p", { class: "outcome bad" }, "The fleet has failed: " + fleet.failure) : null,
    element("dl", {}, facts.map(([name, found]) => [element("dt", {}, name), element("dd", {}, found)])),
    element("div", { class: "bar" }, element("label", {}, "Colour by ", choice), element("span", { class: "quiet" }, legend)), element("div", { class: "squares", id: "tiles" }, tiles()));
}

function partition(name) {
  const row = fleet.partitions.find((each) => each.name === name);
  if (!row) return note("This run has no partition " + name + ".");
  const facts = [["state", pill(row.state)], ...fleet.columns.map((column, at) => [column, row.keys[at]]), ["rows", number(row.rows)], ["trained by", row.source || "–"], ["took", row.seconds ? duration(row.seconds) : "–"],
    ["model", row.verified ? "verified" : row.verified === false ? "not verified" : "–"], ["files", (row.files || []).join(", ") || "–"], ...Object.entries(row.metrics || {}).map(([metric, found]) => [metric, number(found)]), ...(row.message ? [["why", row.message]] : [])];
  return element("section", { class: "card", id: "partition" }, element("p", {}, element("a", { href: "#" }, "All partitions")), element("h2", {}, row.name), element("dl", {}, facts.map(([fact, found]) => [element("dt", {}, fact), element("dd", {}, found)])));
}

function compared() {
  const choice = element("select", { id: "other", "aria-label": "Compare with", onchange: (event) => compare(event.target.value) }, element("option", { value: "" }, "no other run"),
    runs.map((run) => element("option", { value: run.run_id, selected: other && other.run_id === run.run_id }, run.run_id)));
  const card = element("section", { class: "card", id: "compare" }, element("h2", {}, "Compared with"), choice);
  const name = first();
  if (!other) return card;
  if (!other.fleet) card.append(note("That run has no partitions yet."));
  else if (!name) card.append(note("The fleet has no objectives to compare by."));
  else {
    const before = new Map(other.fleet.partitions.map((row) => [row.name, value(row, name)]));
    const sign = fleet.objectives[name] === "maximize" ? 1 : -1;
    const rows = fleet.partitions.map((row) => ({ name: row.name, now: value(row, name), was: before.has(row.name) ? before.get(row.name) : null })).filter((row) => row.now !== null && row.was !== null)
      .map((row) => ({ ...row, gain: sign * (row.now - row.was) })).sort((a, b) => b.gain - a.gain);
    const better = rows.filter((row) => row.gain > 0).length, worse = rows.filter((row) => row.gain < 0).length;
    card.append(element("p", {}, better + " better, " + worse + " worse, " + (rows.length - better - worse) + " the same in " + name + "."));
    card.append(element("table", {}, element("thead", {}, element("tr", {}, ["partition", "that run", "this run", ""].map((head) => element("th", { scope: "col" }, head)))), element("tbody", {}, rows.filter((row) => row.gain).slice(0, SHOWN).map((row) =>
      element("tr", {}, element("td", {}, element("a", { href: "#" + encodeURIComponent(row.name) }, row.name)), element("td", { class: "number" }, number(row.was)), element("td", { class: "number" }, number(row.now)), element("td", {}, row.gain > 0 ? pill("better", "good") : pill("worse", "bad")))))));
  }
  return card;
}

async function compare(run) {
  other = run ? { run_id: run, fleet: (await ask("data/fleet?" + new URLSearchParams({ dag_id: source.query.get("dag_id"), run_id: run }))).fleet } : null;
  draw();
}

function draw() {
  $("search").textContent = source.query.get("dag_id");
  $("run").textContent = source.query.get("run_id");
  const name = decodeURIComponent(location.hash.slice(1));
  $("views").replaceChildren(...(!fleet ? [note("The data is not split yet.")] : name ? [partition(name)] : [overview(), failures(), leaderboard(), compared()].filter(Boolean)));
}

async function follow() {
  for (;;) {
    try {
      const answer = await source.get("fleet");
      runs = answer.runs;
      const now = JSON.stringify(answer);
      fleet = answer.fleet;
      $("live").hidden = !answer.airflow.active;
      if (now !== drawn) draw();
      drawn = now;
      $("warning").hidden = true;
    } catch (failure) {
      $("warning").hidden = false;
      $("warning").textContent = failure.message;
      if (failure.status === 401 || failure.status === 403) return;
    }
    document.documentElement.dataset.ready = "1";
    await new Promise((done) => setTimeout(done, EVERY));
  }
}

followTheme();
window.addEventListener("hashchange", draw);
follow();
