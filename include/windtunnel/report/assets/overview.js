// The run at a glance: what it found, what it cost, what was decided, and what it waits for.

import { arrow, css, duration, element, facts, hours, moment, note, number, outside, painted, pill, plain, refill, short, table, text } from "./base.js";
import { draw, layout } from "./charts.js";

export const overview = {
  id: "overview",
  title: "Overview",

  mount(root, app) {
    const part = (name) => (this[name] = element("div", { id: name }));
    root.append(part("banner"), part("tiles"));
    this.tiles.className = "tiles";
    this.charts = element("div", { class: "columns" });
    const card = (title, ...content) => element("section", { class: "card" }, element("h2", {}, title), content);
    this.volume = element("div", { class: "chart", id: "volume" });
    this.best = element("div", { class: "chart", id: "best" });
    this.charts.append(card("Hypervolume over trials", this.volume), card("Best so far", this.best));
    root.append(this.charts, card("Finalists", part("models")), card("Iterations and decisions", part("iterations")), card("About this run", part("about")));
    this.app = app;
  },

  update(app) {
    const found = app.overview;
    refill(this.banner, banners(app));
    refill(this.tiles, found ? tiles(app) : []);
    this.charts.hidden = !found || !found.trials;
    for (const each of [this.models, this.iterations, this.about]) each.parentElement.hidden = !found;
    if (!found) return;
    this.charts.hidden = !found.volume.length && !Object.values(found.best).some((each) => each.series.length);
    refill(this.models, models(app));
    refill(this.iterations, iterations(app));
    refill(this.about, about(app));
    if (!this.charts.hidden) painted().then(() => this.draw(app)); // Plotly takes its time to load
  },

  draw(app) {
    const found = app.overview;
    const total = Object.values(found.counts).reduce((sum, count) => sum + count, 0);
    const series = (pairs) => ({ x: [...pairs.map(([at]) => at), total], y: [...pairs.map(([, value]) => value), pairs.length ? pairs[pairs.length - 1][1] : null] });
    const line = { type: "scatter", mode: "lines", line: { shape: "hv", width: 2 } };
    draw(this.volume, [{ ...line, ...series(found.volume), line: { ...line.line, color: css("--accent") }, hovertemplate: "after trial %{x}: %{y:.5~g}<extra></extra>" }],
      layout({ title: { text: "trial" } }, {}, { showlegend: false }));
    const shown = Object.entries(found.best).filter(([, each]) => each.series.length);
    const scaled = shown.length > 1; // objectives of different sizes share a chart as shares of their last value
    draw(this.best, shown.map(([name, each]) => {
      const points = series(each.series);
      const [from, to] = [each.series[0][1], each.value];
      return { ...line, x: points.x, y: scaled ? points.y.map((value) => (from === to ? 1 : (value - from) / (to - from))) : points.y,
        name: plain(name) + " " + arrow(found.objectives[name]), customdata: points.y.map((value) => number(value)), hovertemplate: plain(name) + " %{customdata} after trial %{x}<extra></extra>" };
    }), layout({ title: { text: "trial" } }, scaled ? { title: { text: "way from the first to the best" }, tickformat: ".0%" } : {}, { showlegend: scaled }));
  },
};

function banners(app) {
  const { airflow, overview: found } = app;
  if (app.absent) return [element("p", { class: "quiet" }, app.absent)];
  if (!app.answered) return [note("Reading the run …")];
  const list = airflow ? standing(airflow) : [];
  if (airflow && airflow.state === "failed" || found && found.failure) list.push(failed(app));
  if (!found) {
    if (!airflow || !airflow.behind) list.push(note("The run has not begun: its ledger is empty." + (airflow && !airflow.active ? " It ended as " + airflow.state + " before anything was recorded." : "")));
    return list;
  }
  for (const each of found.notes || []) list.push(note(each));
  if (found.refused) list.push(note("The finalists were " + found.refused + ": nothing was trained fully or published."));
  if (found.ended_early) list.push(note("The search ended early: " + found.ended_early));
  const active = airflow ? airflow.active && !airflow.behind : found.works;
  if (active && (found.waits_for.length || busy(app).length)) {
    list.push(element("p", { class: "outcome", id: "waits" }, element("b", {}, "Waits for "), found.waits_for.join("; ") || "its tasks",
      busy(app).length ? element("span", { class: "quiet" }, " · Airflow: " + busy(app).join(", ")) : null));
  }
  return list;
}

// Why Airflow starts nothing of the run, where it does not.
function standing(airflow) {
  const list = [];
  if (airflow.stale) list.push(note("The DAG is stale: its definition is gone, or is wrong. Airflow starts nothing of it until that is mended.", airflow.active ? "bad" : ""));
  else if (airflow.paused && airflow.active) list.push(note("The search is paused: Airflow starts nothing of it until it is unpaused."));
  if (airflow.behind) list.push(element("p", { class: "outcome", id: "queued" }, element("b", {}, "Queued"), ": it begins when ", element("a", { href: "run?" + new URLSearchParams({ dag_id: airflow.dag_id, run_id: airflow.behind }) }, airflow.behind), " has ended; a search has one run at a time."));
  return list;
}

// Why the run failed: the tasks that did, each with a link to it, and why trials failed.
function failed(app) {
  const { airflow, overview: found } = app;
  const tasks = (airflow ? airflow.failed : []).filter((each, _, all) => each.task !== "clean_up" || all.length === 1);
  const why = tasks.length ? null : (found && (found.preparation && "the data could not be prepared: " + found.preparation || found.failure)) || "it was marked failed";
  return element("div", { class: "outcome bad", id: "failed" }, element("b", {}, "The run failed"), why ? ": " + why : ".",
    tasks.length ? element("ul", { class: "plain" }, tasks.map((each) => element("li", {}, taskLink(airflow, each), each.why ? ": " + each.why : ""))) : null, reasons(app));
}

function taskLink(airflow, { task, index }) {
  const path = ["dags", airflow.dag_id, "runs", airflow.run_id, "tasks", task, ...(index >= 0 ? ["mapped", String(index)] : [])];
  const address = new URL("../" + path.map(encodeURIComponent).join("/"), location.href).href;
  return element("a", { href: address, onclick: (event) => outside(event, address) }, task + (index >= 0 ? " [" + index + "]" : ""));
}

// Why trials failed: the commonest causes, each with a trial that has it.
function reasons(app) {
  const causes = app.overview ? app.overview.causes : [];
  return causes.length ? element("ul", { class: "plain" }, causes.map((each) => element("li", {}, each.units + " × " + each.cause + " · ", link(app, each.unit)))) : null;
}

function busy(app) {
  const counted = new Map();
  for (const { task, state } of (app.airflow && app.airflow.tasks) || []) {
    const name = task + " " + state;
    counted.set(name, (counted.get(name) || 0) + 1);
  }
  return [...counted].slice(0, 4).map(([name, count]) => name + (count > 1 ? " ×" + count : ""));
}

function tiles(app) {
  const found = app.overview;
  const counts = found.counts;
  const done = counts.completed + counts.stopped + counts.infeasible + counts.failed;
  const state = app.airflow ? app.airflow.state : found.failure ? "failed" : found.works ? "under way" : "finished";
  const tested = found.models.filter((model) => model.verdict === "verified" && typeof model.test.test_acc === "number").map((model) => model.test.test_acc);
  const of = (verdict) => found.models.filter((model) => model.verdict === verdict).length;
  const volume = found.volume.length ? found.volume[found.volume.length - 1][1] : null;
  const end = (app.airflow && app.airflow.ended) || (app.airflow && app.airflow.active ? Date.now() / 1000 : found.ended);
  const began = (app.airflow && app.airflow.started) || found.began;
  const tile = (value, label, id) => element("div", { class: "tile", id }, element("b", {}, value), element("span", {}, label));
  const best = Object.entries(found.best).map(([name, each]) => each.value === null ? null
    : element("button", { type: "button", class: "tile", onclick: () => app.open(each.trial), title: "Open trial " + each.trial }, element("b", {}, number(each.value)), element("span", {}, "best " + name + " " + arrow(found.objectives[name]))));
  return [
    tile(state, "state", "state"),
    tile(found.begun + (found.planned ? " of " + found.planned : ""), "iterations", "begun"),
    tile(String(done), "trials ended" + (counts.running ? ", " + counts.running + " running" : "") + (counts.waiting ? ", " + counts.waiting + " waiting" : "")
      + (counts.failed ? ", " + counts.failed + " failed" : "") + (counts.infeasible ? ", " + counts.infeasible + " infeasible" : "") + (counts.stopped ? ", " + counts.stopped + " stopped early" : "")
      + (counts.cancelled ? ", " + counts.cancelled + " cancelled" : "") + (counts["not run"] ? ", " + counts["not run"] + " not run" : "")),
    ...Object.entries(found.caps).map(([name, [count, most]]) => tile(count + " of " + most, { trials: "trials of limits.trials", "at once": "at once, of limits.parallel", failed: "failed, of limits.failed_trials" }[name], "cap-" + name.replace(" ", "-"))),
    tile(String(found.front.length), "on the front"),
    volume === null ? null : tile(number(volume), "hypervolume"),
    ...best,
    tested.length ? tile(number(Math.max(...tested)), "best test accuracy") : null,
    found.models.length ? tile(of("verified") + " of " + found.models.length, "finalists verified" + (of("not verified") ? ", " + of("not verified") + " not verified" : "") + (of("failed") ? ", " + of("failed") + " failed" : "")) : null,
    began && end ? tile(duration(Math.max(0, end - began)), "wall-clock time") : null,
    tile(hours(found.trial_seconds), "trial time"),
    tile(found.gpu_seconds ? hours(found.gpu_seconds) : "none", "GPU time"),
  ].filter(Boolean);
}

function models(app) {
  const found = app.overview;
  if (!found.models.length) return element("p", { class: "quiet" }, "No trial has been trained fully.");
  const first = ["test_acc", "onnx_acc", "max_logit_diff"];
  const tests = [...new Set([...first.filter((name) => found.models.some((model) => name in model.test)), ...found.models.flatMap((model) => Object.keys(model.test))])];
  const labels = { test_acc: "test accuracy", onnx_acc: "ONNX accuracy", max_logit_diff: "largest logit difference" };
  const objectives = Object.keys(found.objectives);
  const heads = ["trial", "verification", ...tests.map((name) => labels[name] || name), ...objectives.map((name) => name + " " + arrow(found.objectives[name])), "epochs", "time", "model"];
  const rows = found.models.map((model) => [
    link(app, model.trial),
    [verdict(model),
      model.error ? element("div", { class: "quiet reason" }, model.error.trim().split("\n").pop().slice(0, 300)) : null],
    ...tests.map((name) => number(model.test[name])), ...objectives.map((name) => number(model.objectives[name])),
    number(model.epochs), duration(model.seconds),
    model.onnx ? element("a", { href: app.source.file("model.onnx", model.trial), download: "", title: "SHA-256 " + model.sha256 }, "ONNX") : "–",
  ]);
  return table(heads, rows, (at) => at > 1 && at < heads.length - 1, { id: "finalists" });
}

// Verified, not verified, or failed; before that is known, where it is.
export function verdict(model) {
  return pill(model.verdict || (model.state === "completed" ? "not yet" : model.state));
}

export function link(app, trial) {
  return element("button", { type: "button", class: "link id", title: trial, onclick: () => app.open(trial) }, short(trial));
}

function iterations(app) {
  const rows = app.overview.iterations.map((each) => {
    const said = each.decisions.filter((one) => !one.trial).map((one) => one.reason);
    if (each.note) said.unshift(each.note);
    if (each.failure) said.push("the search fails: " + each.failure);
    if (each.stop) said.push("the search ends: " + each.stop);
    return [
      each.stage === "0" ? "warm start" : each.stage,
      each.finished === each.planned ? String(each.planned) : each.finished + " of " + each.planned,
      each.front ? String(each.front) : "–", number(each.hypervolume, 5),
      [said.length ? element("ul", { class: "plain" }, said.map((line) => element("li", {}, line))) : each.selected ? "–" : "not selected yet", ofTrials(app, each.decisions)],
    ];
  });
  if (!rows.length) return element("p", { class: "quiet" }, "Nothing has been suggested yet.");
  return table(["iteration", "trials", "front", "hypervolume", "decisions"], rows, (at) => at > 0 && at < 4);
}

function ofTrials(app, decisions) {
  const own = decisions.filter((one) => one.trial);
  if (!own.length) return null;
  const counted = [...new Set(own.map((one) => one.what))].map((what) => what + " " + own.filter((one) => one.what === what).length);
  const list = element("ul", { class: "plain" });
  const details = element("details", { ontoggle: () => {
    if (details.open && !list.childElementCount) list.append(...own.map((one) => element("li", {}, one.what + " ", link(app, one.trial), ": " + one.reason)));
  } }, element("summary", {}, counted.join(", ")), list);
  return details;
}

function about(app) {
  const found = app.overview;
  const definition = found.definition;
  const choice = definition.strategy || {};
  const bounds = Object.entries(definition.constraints || {}).map(([name, bound]) => name + (bound.min !== null && bound.min !== undefined ? " ≥ " + number(bound.min) : "") + (bound.max !== null && bound.max !== undefined ? " ≤ " + number(bound.max) : ""));
  const files = ["report.html", "pareto.png", "pareto.json", "models.json", "search.json"];
  return element("div", {}, facts([
    ["Ledger", found.url],
    ["Description", definition.description],
    ["Workload", definition.workload + (found.facts.code ? " (code " + String(found.facts.code).slice(0, 16) + ")" : "")],
    ["Strategy", choice.name ? choice.name + (Object.keys(choice.options || {}).length ? " " + JSON.stringify(choice.options) : "") : ""],
    ["Objectives", Object.entries(found.objectives).map(([name, direction]) => direction + " " + name).join(", ")],
    ["Reference of the hypervolume", found.reference.map((value) => number(value)).join(", ")],
    ["Constraints", bounds.join(", ")],
    ["Epochs", definition.epochs ? number(definition.epochs.partial) + " in the search, " + number(definition.epochs.full) + " for finalists" : ""],
    ["Seed", number(definition.seed) + ", trials' " + number(definition.trial_seed)],
    ["DAG runs", found.sessions.map((session) => session.session + " (" + moment(session.started) + ")").join(", ")],
    ["Versions", Object.entries(found.facts.versions || {}).map(([name, version]) => name + " " + version).join(", ")],
    ["Origin", found.facts.origin ? text(found.facts.origin) : ""],
    ["Files", app.source.live ? files.map((name) => [element("a", { href: app.source.file(name), download: "" }, name), " "]).flat() : ""],
  ]), element("details", {}, element("summary", {}, "Definition"), element("pre", {}, JSON.stringify(definition, null, 2))));
}
