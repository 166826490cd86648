// Curves of training, of the chosen trials or of all.

import { button, checkbox, css, element, OKABE_ITO, plain, refill, select, short } from "./base.js";
import { draw, layout } from "./charts.js";

const PAGE = 200;
const MOST_CURVES = 500; // of one answer
const MOST_MARKERS = 1000;
const COLOURED = OKABE_ITO.length;

export const curves = {
  id: "curves",
  title: "Curves",
  chosenOnly: null,
  wanted: PAGE,
  logY: false,

  mount(root, app) {
    this.app = app;
    this.bar = element("div", { class: "bar" });
    this.chart = element("div", { class: "chart tall", id: "curves-chart" });
    this.caption = element("p", { class: "quiet", id: "curves-caption" });
    root.append(element("section", { class: "card" }, this.bar, this.chart, this.caption));
  },

  async update(app) {
    if (!app.trials.rows.length) return void this.chart.replaceChildren(element("p", { class: "quiet" }, "There are no trials yet."));
    const chosen = [...app.chosen].slice(0, 100);
    const only = chosen.length > 0 && (this.chosenOnly ?? true);
    const key = (version) => JSON.stringify([only ? chosen : [], version]);
    const asked = (this.asked = key(app.overview.version));
    if (app.working() || this.key !== asked) {
      const found = only ? await app.source.get("curves", { trial: chosen }) : await this.pages(app);
      if (this.asked !== asked) return; // something else is wanted by now
      this.found = found || { curves: [], finalists: [], total: 0, next: null };
      this.key = key(this.found.version);
    }
    this.only = only;
    this.show(app);
  },

  // As many curves as were asked for so far.
  async pages(app) {
    let found = await app.source.get("curves", { most: Math.min(MOST_CURVES, this.wanted) });
    while (found && found.next !== null && found.next < this.wanted) {
      found = joined(found, await app.source.get("curves", { start: found.next, most: Math.min(MOST_CURVES, this.wanted - found.next) }));
    }
    return found;
  },

  show(app) {
    const { found, only } = this;
    const names = metricsOf(found.curves, app.trials.objectives.map(([name]) => name));
    if (!names.includes(this.metric)) this.metric = names[0];
    const again = () => this.show(app);
    refill(this.bar,
      names.length ? select("metric", names.map((name) => [name, name]), this.metric, (name) => { this.metric = name; again(); }) : "",
      checkbox("log y", this.logY, (on) => { this.logY = on; again(); }),
      checkbox("chosen trials only (" + app.chosen.size + ")", only, (on) => { this.chosenOnly = on; this.update(app); }, !app.chosen.size),
      found.next !== null && app.source.live ? button("Load " + Math.min(PAGE, found.total - found.next) + " more of " + found.total, () => this.more(app)) : "");
    if (!names.length) {
      this.chart.replaceChildren(element("p", { class: "quiet" }, "No trial has written a curve."));
      this.caption.textContent = "";
      return;
    }
    const finalists = new Map(found.finalists.map((trial, at) => [trial, at]));
    const coloured = (trial, at) => (only ? at % COLOURED : finalists.has(trial) ? finalists.get(trial) % COLOURED : null);
    drawCurves(this.chart, found.curves, this.metric, { colour: coloured, log: this.logY, open: app.open, front: new Set(app.trials.rows.filter((row) => row.front).map((row) => row.trial)) });
    this.caption.textContent = (only ? "The chosen trials." : "In colour: the finalists, their partial training included. Dark: trials on the front. Grey: the others.") + " " + found.curves.length + " of " + found.total + " curves.";
  },

  async more(app) {
    this.wanted = this.found.next + PAGE;
    this.found = joined(this.found, await app.source.get("curves", { start: this.found.next, most: PAGE }));
    this.show(app);
  },
};

function joined(found, page) {
  return { ...page, version: found.version, curves: [...found.curves, ...page.curves] };
}

export function metricsOf(list, first) {
  const names = new Set();
  for (const { points } of list) for (const point of points) for (const name in point) if (typeof point[name] === "number") names.add(name);
  for (const name of ["epoch", "seconds", "step"]) names.delete(name);
  return [...names].sort((a, b) => first.includes(b) - first.includes(a));
}

// Curves without a colour of their own are one trace, whatever their number, or drawing thousands would take seconds.
export function drawCurves(place, list, metric, { colour, log = false, open = null, front = new Set() }) {
  const points = (curve) => curve.points.filter((point) => typeof point[metric] === "number");
  const grey = { x: [], y: [], customdata: [] };
  const dark = { x: [], y: [], customdata: [] };
  const own = [];
  list.forEach((curve, at) => {
    const shown = points(curve);
    const tone = colour(curve.trial, at);
    if (!shown.length) return;
    if (tone !== null) {
      own.push({ type: "scatter", mode: "lines+markers", name: plain(short(curve.trial)), x: shown.map((point) => point.epoch), y: shown.map((point) => point[metric]), customdata: shown.map(() => curve.trial),
        hovertemplate: plain(short(curve.trial)) + " · epoch %{x}: %{y:.4~g}<extra></extra>", line: { color: OKABE_ITO[tone], width: 2 }, marker: { size: 5 } });
      return;
    }
    const into = front.has(curve.trial) ? dark : grey;
    for (const point of shown) {
      into.x.push(point.epoch);
      into.y.push(point[metric]);
      into.customdata.push(curve.trial);
    }
    into.x.push(null);
    into.y.push(null);
    into.customdata.push(null);
  });
  const many = (into, look, opacity) => ({ type: "scatter", mode: into.x.length > MOST_MARKERS ? "lines" : "lines+markers", ...into, hovertemplate: "%{customdata} · epoch %{x}: %{y:.4~g}<extra></extra>", line: { color: look, width: 1 }, marker: { size: 3.5 }, opacity, showlegend: false });
  return draw(place, [many(grey, css("--quiet"), 0.35), many(dark, css("--text"), 0.7), ...own],
    layout({ title: { text: "epoch" } }, { title: { text: plain(metric) }, type: log ? "log" : "linear" }), open);
}
