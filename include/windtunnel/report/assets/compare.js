// The chosen trials side by side, and this run beside another.

import { artifactsBeside } from "./artifacts.js";
import { $, arrow, button, duration, element, hours, note, number, OKABE_ITO, plain, refill, select, short } from "./base.js";
import { draw, layout } from "./charts.js";
import { frontOf, stairs, wide } from "./front.js";
import { link } from "./overview.js";
import { latestRuns } from "./source.js";
import { extent } from "./trials_store.js";

const MOST = 12; // trials side by side

export const compare = {
  id: "compare",
  title: "Compare",
  other: "",
  pair: 0,
  pages: 1,

  mount(root, app) {
    this.app = app;
    this.trials = element("div", { id: "compare-trials" });
    this.saved = element("div", { id: "compare-artifacts" });
    this.bar = element("div", { class: "bar" });
    this.body = element("div", { id: "compare-runs" });
    root.append(element("section", { class: "card" }, element("h2", {}, "Chosen trials"), this.trials, this.saved),
      element("section", { class: "card" }, element("h2", {}, "Another run"), this.bar, this.body));
  },

  async update(app) {
    const shown = chosenTrials(app).slice(0, MOST);
    refill(this.trials, side(app, shown));
    refill(this.saved, shown.length ? artifactsBeside(app, shown.map((row) => row.trial), await app.source.get("artifacts", { trial: shown.map((row) => row.trial) })) : null);
    this.bar.parentElement.hidden = !app.source.live;
    if (!app.source.live) return;
    if (!this.runs) {
      const found = await latestRuns(this.pages);
      const own = app.source.query;
      this.runs = found.runs.filter((run) => run.dag_id !== own.get("dag_id") || run.run_id !== own.get("run_id"));
      this.older = found.older;
    }
    const choices = [["", "choose a run"], ...this.runs.map((run) => [runKey(run), run.dag_id + " · " + run.run_id + " (" + run.state + ")"])];
    refill(this.bar, select("run", choices, this.other, (other) => { this.other = other; this.update(app); }),
      this.older ? button("Older runs", () => { this.pages++; this.runs = null; this.update(app); }) : null);
    const run = this.runs.find((each) => runKey(each) === this.other);
    if (!run) return void refill(this.body, element("p", { class: "quiet" }, "Fronts, hypervolume and time of this run and the one you choose."));
    try {
      this.found = await app.source.get("compare", { other_dag: run.dag_id, other_run: run.run_id });
    } catch (failure) {
      return void refill(this.body, note(failure.status === 404 ? "That run has recorded nothing." : failure.message, "bad"));
    }
    this.show(app);
  },

  show(app) {
    const found = this.found;
    if (found.missing) return void refill(this.body, note(found.missing));
    const names = Object.keys(found.objectives);
    const titles = found.runs.map((run, at) => (at ? run.search + " · " + run.run : "this run"));
    const pairs = names.flatMap((first, at) => names.slice(at + 1).map((second) => [second, first]));
    const chart = (id) => element("div", { class: "chart", id });
    const rows = [
      ["trials ended", ...found.runs.map((run) => String(["completed", "stopped", "infeasible", "failed"].reduce((sum, state) => sum + run.counts[state], 0)))],
      ["failed", ...found.runs.map((run) => String(run.counts.failed))],
      ["on the front", ...found.runs.map((run) => String(run.front.length))],
      ["hypervolume", ...found.runs.map((run) => number(run.hypervolume, 5))],
      ...names.map((name) => ["best " + name + " " + arrow(found.objectives[name]), ...found.runs.map((run) => number(run.best[name]))]),
      ["from the first start to the last result", ...found.runs.map((run) => duration(run.seconds))],
      ["of trials, added up", ...found.runs.map((run) => hours(run.trial_seconds))],
    ];
    refill(this.body,
      element("div", { class: "scroll" }, element("table", {}, element("thead", {}, element("tr", {}, ["", ...titles].map((head) => element("th", { scope: "col" }, head)))),
        element("tbody", {}, rows.map((row) => element("tr", {}, row.map((cell, at) => element(at ? "td" : "th", { scope: at ? null : "row" }, cell))))))),
      pairs.length > 1 ? element("div", { class: "tabs" }, pairs.map((pair, at) => button(pair[1] + " / " + pair[0], () => { this.pair = at; this.show(app); }, { "aria-pressed": String(at === this.pair) }))) : "",
      chart("compare-front"), element("div", { class: "columns" }, chart("compare-trials-chart"), chart("compare-time-chart")),
      element("p", { class: "quiet" }, "Both runs have tried " + found.same + " of the same configurations. Hypervolumes are over one reference: " + found.reference.map((value) => number(value)).join(", ") + "."));
    this.front(found, pairs[this.pair] || [names[0], names[0]], titles, $("compare-front"));
    this.volume(found, titles, $("compare-trials-chart"), 0, "trial");
    this.volume(found, titles, $("compare-time-chart"), 1, "seconds since the first start");
  },

  front(found, [x, y], titles, place) {
    const measure = (name) => ({ name, way: found.objectives[name], get: (point) => point.objectives[name] });
    const axes = [measure(x), measure(y)];
    const points = found.runs.flatMap((run) => run.front);
    const log = axes.map((axis) => wide(points.map(axis.get)));
    const traces = found.runs.flatMap((run, at) => {
      const colour = OKABE_ITO[at ? 1 : 0];
      const best = frontOf(run.front, axes);
      return [
        { type: "scatter", mode: "lines", ...stairs(best, ...axes), line: { color: colour, dash: at ? "dash" : "solid", width: 1.5 }, hoverinfo: "skip", showlegend: false },
        { type: "scatter", mode: "markers", name: plain(titles[at]), x: run.front.map(axes[0].get), y: run.front.map(axes[1].get), marker: { color: colour, size: 9, symbol: at ? "square" : "circle" },
          text: run.front.map((point) => plain(short(point.trial)) + "<br>" + point.params.slice(0, 6).map(([name, value]) => plain(name) + "=" + plain(number(value))).join(", ")), hovertemplate: "%{text}<extra></extra>" },
      ];
    });
    const side = (axis, at) => ({ title: { text: plain(axis.name) + " " + arrow(axis.way) }, type: log[at] ? "log" : "linear", ...(log[at] && decades(points.map(axis.get)) > 2 ? { dtick: 1 } : {}) });
    draw(place, traces, layout(side(axes[0], 0), side(axes[1], 1)));
  },

  volume(found, titles, place, at, name) {
    const traces = found.runs.map((run, which) => ({ type: "scatter", mode: "lines", name: plain(titles[which]), x: run.volume.map((point) => point[at]), y: run.volume.map((point) => point[2]),
      line: { shape: "hv", color: OKABE_ITO[which ? 1 : 0], dash: which ? "dash" : "solid", width: 2 }, hovertemplate: "%{y:.5~g}<extra></extra>" }));
    draw(place, traces, layout({ title: { text: name } }, { title: { text: "hypervolume" } }));
  },
};

function runKey(run) {
  return JSON.stringify([run.dag_id, run.run_id]);
}

function decades(values) {
  const [low, high] = extent(values);
  return Math.log10(high / low);
}

// A column a trial; what differs stands out.
function side(app, shown) {
  if (!shown.length) return element("p", { class: "quiet" }, "None. Choose some in the table of trials.");
  const count = chosenTrials(app).length;
  const store = app.trials;
  const lines = [
    ["state", (row) => row.state], ["iteration", (row) => row.iteration],
    ...store.objectives.map(([name, way], at) => [name + " " + arrow(way), (row) => row.values[at]]),
    ...store.params.map((name, at) => [name, (row) => row.params[at]]), ...store.metrics.map((name, at) => [name, (row) => row.metrics[at]]),
    ["epochs", (row) => row.epochs], ["time", (row) => duration(row.seconds)], ["reason", (row) => row.message || null],
  ];
  const body = lines.map(([name, get]) => {
    const values = shown.map(get);
    const differs = new Set(values.map((value) => JSON.stringify(value ?? null))).size > 1;
    return element("tr", { class: differs ? "differs" : null }, element("th", { scope: "row" }, name), values.map((value) => element("td", {}, number(value))));
  });
  return element("div", { class: "scroll" }, element("table", {}, element("thead", {}, element("tr", {}, element("th", {}, ""), shown.map((row) => element("th", { scope: "col" }, link(app, row.trial))))), element("tbody", {}, body)),
    count > MOST ? element("p", { class: "quiet" }, "The first " + MOST + " of " + count + ".") : null);
}

function chosenTrials(app) {
  return [...app.chosen].map((id) => app.trials.byId.get(id)).filter(Boolean);
}
