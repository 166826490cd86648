// Any measure against any other, in two or three dimensions.

import { checkbox, css, element, OKABE_ITO, plain, select, SYMBOLS, text } from "./base.js";
import { axis, axisLook, colourscale, draw, hover, layout, onAxis } from "./charts.js";
import { comparable, extent, lost, missing } from "./trials_store.js";

const MOST_POINTS = 1500; // drawn one by one; of more, those that would lie on each other are left out
const CELL = 6; // pixels; a point is 8

export const front = {
  id: "front",
  title: "Front",
  chosen: { x: null, y: null, z: "", colour: "iteration", logX: false, logY: false, failed: true, line: true },

  mount(root, app) {
    this.bar = element("div", { class: "bar" });
    this.chart = element("div", { class: "chart tall", id: "front-chart" });
    this.caption = element("p", { class: "quiet", id: "front-caption" });
    root.append(element("section", { class: "card" }, this.bar, this.chart, this.caption));
    this.app = app;
  },

  update(app) {
    const measures = app.trials.measures();
    if (!app.trials.rows.length) return void this.chart.replaceChildren(element("p", { class: "quiet" }, "There are no trials yet."));
    const chosen = this.chosen;
    const objectives = measures.filter((measure) => measure.group === "objective");
    if (!app.trials.measure(chosen.x)) {
      chosen.x = (objectives[1] || app.trials.measure("number")).key;
      chosen.y = objectives[0].key;
      [chosen.logX, chosen.logY] = [chosen.x, chosen.y].map((key) => wide(app.trials.rows.filter(comparable).map(app.trials.measure(key).get)));
    }
    const signature = measures.map((measure) => measure.key + measure.numeric).join();
    if (signature !== this.signature) {
      this.signature = signature;
      this.controls(app, measures);
    }
    this.draw(app);
  },

  controls(app, measures) {
    const chosen = this.chosen;
    const choices = measures.map((measure) => [measure.key, measure.name + (measure.group === "trial" ? "" : " · " + measure.group)]);
    const pick = (name) => (value) => {
      chosen[name] = value;
      if (name === "x" || name === "y") chosen["log" + name.toUpperCase()] = wide(app.trials.rows.filter(comparable).map(app.trials.measure(value).get));
      this.controls(app, measures);
      this.draw(app);
    };
    this.bar.replaceChildren(
      select("x", choices, chosen.x, pick("x")), select("y", choices, chosen.y, pick("y")),
      select("z", [["", "– (2-D)"], ...choices], chosen.z, pick("z")),
      select("colour", [["state", "state"], ...choices], chosen.colour, pick("colour")),
      checkbox("log x", chosen.logX, pick("logX")), checkbox("log y", chosen.logY, pick("logY")),
      checkbox("failed", chosen.failed, pick("failed")), checkbox("front line", chosen.line, pick("line")));
  },

  draw(app) {
    const trials = app.trials;
    const [x, y, z] = [this.chosen.x, this.chosen.y, this.chosen.z].map((key) => trials.measure(key));
    const axes = z ? [x, y, z] : [x, y];
    const has = (row) => axes.every((measure) => !missing(measure.get(row)));
    const placed = trials.rows.filter((row) => has(row) && !lost(row));
    const fit = placed.filter(comparable);
    const aside = trials.rows.filter(lost);
    const drawn = z ? { rows: placed, left: 0 } : thin(placed, [x, y], [this.chosen.logX, this.chosen.logY], this.chart);
    const traces = this.points(trials, drawn.rows, axes);
    const ways = axes.every((measure) => measure.way);
    const best = ways ? frontOf(fit, axes) : fit.filter((row) => row.front);
    if (this.chosen.line && !z && ways) {
      traces.unshift({ type: "scatter", mode: "lines", name: "front of these two", ...stairs(best, x, y), hoverinfo: "skip", line: { color: css("--text"), width: 1.5, dash: "dot" } });
    }
    if (this.chosen.line && z) {
      traces.push({ ...this.trace(trials, best, axes), name: ways ? "front of these three" : "front of the run", marker: { size: 8, color: css("--text"), symbol: "circle-open", line: { width: 2, color: css("--text") } } });
    }
    if (this.chosen.failed && aside.length) traces.push(this.aside(trials, aside, fit, axes));
    const rowsOf = (measure) => placed.map((row) => measure.get(row));
    const scaleOf = (measure, log) => ({ ...axis(measure, log, rowsOf(measure)), showticklabels: [...placed, ...aside].some((row) => !missing(measure.get(row))) });
    const place = z
      ? layout({}, {}, { scene: { xaxis: scene(x, this.chosen.logX, rowsOf(x)), yaxis: scene(y, this.chosen.logY, rowsOf(y)), zaxis: scene(z, false, rowsOf(z)) }, margin: { l: 0, r: 0, t: 0, b: 0 } })
      : layout(scaleOf(x, this.chosen.logX), scaleOf(y, this.chosen.logY));
    if (this.was !== axes.length) this.chart.replaceChildren(); // Plotly cannot turn a flat chart into a deep one in place
    this.was = axes.length;
    draw(this.chart, traces, { ...place, uirevision: this.chosen.x + this.chosen.y + this.chosen.z }, app.open, z ? ["toImage", "resetCameraDefault3d"] : ["toImage", "select2d", "zoom2d", "resetScale2d"]);
    this.caption.textContent = [
      ways && best.length ? (z ? "Ringed" : "Dotted") + ": the front by these objectives alone." : "",
      z || !best.length ? "" : "Ringed points are on the run's front, by all objectives.",
      aside.length && this.chosen.failed ? aside.length + " failed or infeasible trials: " + (z ? "+" : "×") + " at the edge where a value is missing." : "",
      drawn.left ? drawn.left + " of " + placed.length + " points lie on others and are not drawn; none of the front is left out." : "",
      "Click a point for its trial.",
    ].filter(Boolean).join(" ");
  },

  trace(trials, rows, axes) {
    const [x, y, z] = axes;
    return {
      type: z ? "scatter3d" : "scatter", mode: "markers",
      x: rows.map((row) => onAxis(x, x.get(row))), y: rows.map((row) => onAxis(y, y.get(row))), ...(z ? { z: rows.map((row) => onAxis(z, z.get(row))) } : {}),
      text: rows.map((row) => hover(trials, row)), customdata: rows.map((row) => row.trial), hovertemplate: "%{text}<extra></extra>",
    };
  },

  // The points, as one trace for each colour where there are few, else as one trace with a scale.
  points(trials, rows, axes) {
    const flat = axes.length === 2;
    const look = (of) => flat
      ? { size: of.map((row) => (row.front ? 11 : 8)), opacity: of.map((row) => (row.front ? 1 : 0.75)), line: { width: of.map((row) => (row.front ? 1.6 : 0)), color: css("--text") }, symbol: of.map((row) => (comparable(row) || row.state === "running" ? SYMBOLS[row.state] : "triangle-down-open")) }
      : { size: 4, opacity: 0.85 };
    if (this.chosen.colour === "state") {
      const states = [...new Set(rows.map((row) => row.state))];
      return states.map((state, at) => {
        const of = rows.filter((row) => row.state === state);
        return { ...this.trace(trials, of, axes), name: state, marker: { ...look(of), color: OKABE_ITO[at % OKABE_ITO.length] } };
      });
    }
    const measure = trials.measure(this.chosen.colour) || trials.measure("iteration");
    const scale = trials.shares(measure);
    if (scale.values && scale.values.length <= 8) {
      return scale.values.map((value, at) => {
        const of = rows.filter((row) => measure.get(row) === value);
        return { ...this.trace(trials, of, axes), name: plain(measure.name + " " + text(value).slice(0, 40)), marker: { ...look(of), color: OKABE_ITO[at % OKABE_ITO.length] } };
      });
    }
    const ticks = scale.values || ["iteration", "number"].includes(measure.key) ? [0, 1] : [0, 0.5, 1];
    const label = (share) => (scale.values ? text(scale.values[Math.round(share * (scale.values.length - 1))] ?? "").slice(0, 20) : Number((scale.log ? scale.low * (scale.high / scale.low) ** share : scale.low + share * (scale.high - scale.low)).toPrecision(3)));
    return [{
      ...this.trace(trials, rows, axes), showlegend: false,
      marker: { ...look(rows), color: rows.map((row) => scale.share(row) ?? 0), cmin: 0, cmax: 1, colorscale: colourscale(), showscale: true,
        colorbar: { title: { text: plain(measure.name), side: "right" }, thickness: 12, tickvals: ticks, ticktext: ticks.map((share) => plain(label(share))), outlinewidth: 0 } },
    }];
  },

  // Failed trials lack values: they stand beyond the worst end of an axis that they have nothing to say on.
  aside(trials, rows, others, axes) {
    const logs = [this.chosen.logX, this.chosen.logY, false];
    const beyond = axes.map((measure, at) => edge(measure, logs[at], others));
    const value = (measure, at) => rows.map((row) => (missing(measure.get(row)) ? beyond[at] : onAxis(measure, measure.get(row))));
    const trace = this.trace(trials, rows, axes);
    axes.forEach((measure, at) => (trace["xyz"[at]] = value(measure, at)));
    // In a deep chart Plotly would write the × as an emoji, which few fonts have.
    return { ...trace, name: "failed or infeasible", marker: { symbol: axes.length > 2 ? "cross" : "x", size: axes.length > 2 ? 5 : 8, color: css("--bad") } };
  },
};

function scene(measure, log, values) {
  return { ...axisLook(), ...axis(measure, log, values), backgroundcolor: "rgba(0,0,0,0)", color: css("--text") };
}

function edge(measure, log, rows) {
  if (!measure.numeric) return "–";
  const values = rows.map(measure.get).filter((value) => !missing(value) && (!log || value > 0));
  if (!values.length) return onAxis(measure, 0);
  const [low, high] = extent(values).map((value) => (log ? Math.log10(value) : value));
  const gap = 0.06 * (high - low || Math.abs(high) || 1);
  const place = measure.way === "maximize" ? low - gap : high + gap;
  return onAxis(measure, log ? 10 ** place : place);
}

export function wide(values) {
  if (!values.length || values.some((value) => typeof value !== "number")) return false;
  const [low, high] = extent(values);
  return low > 0 && high / low > 30;
}

// The rows that no other beats by these measures; of two, in the order of the first.
export function frontOf(rows, axes) {
  const points = rows.map((row) => axes.map((measure) => (measure.way === "maximize" ? -measure.get(row) : measure.get(row))));
  const order = points.map((_, at) => at).sort((a, b) => inOrder(points[a], points[b]));
  const kept = [];
  for (const at of order) {
    if (!kept.some((other) => points[other].every((value, axis) => value <= points[at][axis]))) kept.push(at);
  }
  return kept.map((at) => rows[at]);
}

function inOrder(a, b) {
  for (let at = 0; at < a.length; at++) if (a[at] !== b[at]) return a[at] - b[at];
  return 0;
}

// The front as stairs: what it dominates begins right at the line.
export function stairs(rows, x, y) {
  const points = { x: [], y: [] };
  rows.forEach((row, at) => {
    if (at) {
      points.x.push(x.get(row));
      points.y.push(y.get(rows[at - 1]));
    }
    points.x.push(x.get(row));
    points.y.push(y.get(row));
  });
  return points;
}

// Of many points those that can be seen: one a cell of the chart, and all of the front.
function thin(rows, axes, logs, chart) {
  if (rows.length <= MOST_POINTS) return { rows, left: 0 };
  const spans = axes.map((measure, at) => {
    if (!measure.numeric) return null;
    const [low, high] = extent(rows.map(measure.get).filter((value) => !logs[at] || value > 0)).map((value) => (logs[at] ? Math.log10(value) : value));
    return { low, step: ((high - low || 1) * CELL) / (at ? chart.clientHeight || 500 : chart.clientWidth || 900) };
  });
  const seen = new Set();
  const kept = rows.filter((row) => {
    const cell = axes.map((measure, at) => (spans[at] ? Math.floor(((logs[at] ? Math.log10(measure.get(row)) : measure.get(row)) - spans[at].low) / spans[at].step) : measure.get(row))).join();
    if (seen.has(cell) && !row.front) return false;
    seen.add(cell);
    return true;
  });
  return { rows: kept, left: rows.length - kept.length };
}
