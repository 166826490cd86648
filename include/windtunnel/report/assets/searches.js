// All searches and their runs.

import { $, arrow, duration, element, followTheme, moment, note, number, pill } from "./base.js";
import { ask, follow, latestRuns } from "./source.js";

const EVERY = 10000;
const summaries = new Map();
let words = [];
let found = null;
let pages = 1;
let drawn = "";

function address(run) {
  return new URLSearchParams({ dag_id: run.dag_id, run_id: run.run_id });
}

function shown() {
  return found.runs.filter((run) => words.every((word) => (run.dag_id + " " + run.run_id + " " + run.state).toLowerCase().includes(word)));
}

function draw() {
  const runs = shown();
  const searches = found.searches.filter((search) => runs.some((run) => run.dag_id === search.dag_id) || words.every((word) => search.dag_id.toLowerCase().includes(word)));
  $("searches").replaceChildren(...searches.map((search) => section(search, runs.filter((run) => run.dag_id === search.dag_id))));
  if (!found.searches.length) $("searches").append(note("There are no searches that you may read. A search is a definition in the folder of searches."));
  $("shown").textContent = runs.length + (runs.length === 1 ? " run" : " runs") + (found.older ? " among the latest " + found.runs.length : "");
  $("older").hidden = !found.older;
}

function section(search, runs) {
  const heads = ["run", "state", "started", "took", "trials", "front", "hypervolume", "best"];
  const rows = runs.map((run) => {
    const row = element("tr", {}, element("td", {}, element("a", { href: "run?" + address(run) }, run.run_id), run.ledger !== run.run_id && run.conf.resume ? element("div", { class: "quiet" }, "goes on with " + run.ledger) : null),
      element("td", {}, pill(run.state)), element("td", {}, moment(run.started)), element("td", { class: "number" }, run.started ? duration((run.ended || Date.now() / 1000) - run.started) : "–"));
    const cells = [1, 2, 3, 4].map((at) => element("td", { class: at < 4 ? "number" : null }, "…"));
    row.append(...cells);
    row.run = run;
    row.fill = () => summary(run).then((of) => fill(cells, of));
    watcher.observe(row);
    return row;
  });
  return element("section", { class: "card" }, element("h2", {}, search.dag_id, search.stale ? [" ", pill("stale")] : search.paused ? [" ", pill("paused")] : null), search.description ? element("p", { class: "quiet" }, search.description) : null,
    runs.length ? element("div", { class: "scroll" }, element("table", {}, element("thead", {}, element("tr", {}, heads.map((head, at) => element("th", { scope: "col", class: at > 2 && at < 7 ? "number" : null }, head)))), element("tbody", {}, rows))) : element("p", { class: "quiet" }, found.older ? "It has no run among the latest " + found.runs.length + "." : "It has not run yet."));
}

function fill(cells, of) {
  if (!of || !of.begun) return cells.forEach((cell) => (cell.textContent = "–"));
  const done = ["completed", "stopped", "infeasible", "failed"].reduce((sum, state) => sum + of.counts[state], 0);
  cells[0].textContent = done + (of.counts.failed ? " (" + of.counts.failed + " failed)" : "");
  cells[1].textContent = String(of.front);
  cells[2].textContent = number(of.hypervolume);
  cells[3].textContent = Object.entries(of.best).filter(([, value]) => value !== null).map(([name, value]) => name + " " + arrow(of.objectives[name]) + " " + number(value)).join(" · ") || "–";
}

// Reading a ledger takes time: only those of the rows in sight are read, one after another.
const watcher = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    if (!entry.isIntersecting) continue;
    watcher.unobserve(entry.target);
    queue = queue.then(entry.target.fill).catch(() => {});
  }
});
let queue = Promise.resolve();

async function summary(run) {
  const key = String(address(run));
  const kept = summaries.get(key);
  if (kept && kept.state === run.state && !run.active) return kept.of;
  const of = await ask("data/summary?" + address(run)).catch(() => null);
  summaries.set(key, { state: run.state, of });
  return of;
}

async function refresh() {
  const asked = pages;
  const answer = await latestRuns(asked);
  if (asked !== pages) return; // more were asked for meanwhile
  found = answer;
  const now = JSON.stringify(found);
  if (now !== drawn || found.runs.some((run) => run.active)) draw();
  drawn = now;
}

followTheme();
$("filter").addEventListener("input", () => {
  words = $("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
  if (found) draw();
});
$("older").addEventListener("click", () => {
  pages++;
  refresh().catch(() => {}); // the next refresh tells
});
follow(refresh, () => EVERY);
