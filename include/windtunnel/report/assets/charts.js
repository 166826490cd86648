"use strict";
// The three charts. Plotly reads some markup in its texts: whatever comes from the run goes through `plain` first.

const OKABE_ITO = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#999999", "#F0E442"];
// Viridis without its ends: readable on white and on black, in print, and to the colour-blind.
const VIRIDIS = [[68, 1, 84], [72, 40, 120], [62, 74, 137], [49, 104, 142], [38, 130, 142], [31, 158, 137], [53, 183, 121], [109, 205, 89], [180, 222, 44], [253, 231, 37]];

function plain(text) {
  return String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
}

function viridis(share) {
  const place = Math.min(Math.max(share, 0), 1) * (VIRIDIS.length - 1);
  const low = Math.min(Math.floor(place), VIRIDIS.length - 2);
  const mixed = VIRIDIS[low].map((value, channel) => Math.round(value + (VIRIDIS[low + 1][channel] - value) * (place - low)));
  return "rgb(" + mixed.join(",") + ")";
}

function iterationColour(iteration) {
  const share = iterations.length > 1 ? iterations.indexOf(iteration) / (iterations.length - 1) : 0.4;
  return dark() ? viridis(0.36 + 0.64 * share) : viridis(0.04 + 0.8 * share);
}

function css(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function layout(x, y, extra = {}) {
  const axis = { gridcolor: css("--line"), linecolor: css("--line"), zeroline: false, automargin: true, exponentformat: "SI" };
  return {
    font: { family: getComputedStyle(document.body).fontFamily, size: 13, color: css("--text") },
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    margin: { l: 56, r: 12, t: 8, b: 44 },
    hovermode: "closest",
    hoverlabel: { bgcolor: css("--card"), bordercolor: css("--line"), font: { color: css("--text"), size: 12 }, align: "left" },
    modebar: { bgcolor: "rgba(0,0,0,0)", color: css("--quiet"), activecolor: css("--accent") },
    legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0, font: { size: 12 }, itemsizing: "constant" },
    xaxis: { ...axis, ...x },
    yaxis: { ...axis, ...y },
    ...extra,
  };
}

function draw(id, traces, arrangement) {
  const drawn = Plotly.react(id, traces, arrangement, {
    responsive: true, displaylogo: false, displayModeBar: window.innerWidth > 820 ? "hover" : false,
    modeBarButtons: [["toImage", "resetScale2d"]],
  });
  drawn.then((chart) => {
    if (chart.dataset.clicks) return;
    chart.dataset.clicks = "1";
    chart.on("plotly_click", (event) => {
      const trial = event.points[0].customdata;
      if (trial) openTrial(trial);
    });
  });
}

function hover(trial) {
  const lines = ["<b>" + plain(short(trial.trial)) + "</b> · iteration " + trial.iteration + " · " + plain(trial.state)];
  for (const name of objectives) {
    if (trial.objectives[name] !== undefined) lines.push(plain(name) + ": " + number(trial.objectives[name]));
  }
  const entries = Object.entries(trial.params);
  for (let from = 0; from < entries.length; from += 3) {
    lines.push(plain(parameters(Object.fromEntries(entries.slice(from, from + 3)))));
  }
  if (trial.message) lines.push("<i>" + plain(trial.message.split("\n").pop().slice(0, 100)) + "</i>");
  return lines.join("<br>");
}

function comparable(trial) {
  return (trial.state === "completed" || trial.state === "stopped") && trial.violation === 0;
}

// The best of the trials by two objectives alone, in the order of the first.
function frontOfTwo(trials, x, y) {
  const less = (name) => (view.objectives[name] === "maximize" ? -1 : 1);
  const sorted = [...trials].sort(
    (a, b) => less(x) * (a.objectives[x] - b.objectives[x]) || less(y) * (a.objectives[y] - b.objectives[y]));
  let best = Infinity;
  return sorted.filter((trial) => {
    const value = less(y) * trial.objectives[y];
    if (value >= best) return false;
    best = value;
    return true;
  });
}

// The front as stairs: what it dominates begins right at the line.
function stairs(front, x, y) {
  const points = { x: [], y: [] };
  front.forEach((trial, index) => {
    if (index) {
      points.x.push(trial.objectives[x]);
      points.y.push(front[index - 1].objectives[y]);
    }
    points.x.push(trial.objectives[x]);
    points.y.push(trial.objectives[y]);
  });
  return points;
}

function wide(values) {
  const least = Math.min(...values);
  return values.length > 1 && least > 0 && Math.max(...values) / least > 30;
}

const state = { pair: null, measure: null, metric: null };

function drawFront() {
  if (!state.pair) return;
  const [x, y] = state.pair;
  const has = (trial) => trial.objectives[x] !== undefined && trial.objectives[y] !== undefined;
  const valued = view.trials.filter((trial) => has(trial) && trial.state !== "waiting" && trial.state !== "failed" && trial.state !== "infeasible");
  const fit = valued.filter(comparable);
  const front = frontOfTwo(fit, x, y);
  const traces = iterations.map((iteration) => {
    const of = fit.filter((trial) => trial.iteration === iteration);
    return {
      type: "scatter", mode: "markers", name: iteration ? "iteration " + iteration : "warm start",
      x: of.map((trial) => trial.objectives[x]), y: of.map((trial) => trial.objectives[y]),
      text: of.map(hover), customdata: of.map((trial) => trial.trial), hovertemplate: "%{text}<extra></extra>",
      marker: {
        color: iterationColour(iteration), size: of.map((trial) => (trial.front ? 11 : 8)),
        opacity: of.map((trial) => (trial.front ? 1 : 0.75)),
        line: { width: of.map((trial) => (trial.front ? 1.5 : 0)), color: css("--text") },
      },
    };
  });
  const broken = valued.filter((trial) => !comparable(trial));
  if (broken.length) {
    traces.push({
      type: "scatter", mode: "markers", name: "breaks a constraint", x: broken.map((t) => t.objectives[x]),
      y: broken.map((t) => t.objectives[y]), text: broken.map(hover), customdata: broken.map((t) => t.trial),
      hovertemplate: "%{text}<extra></extra>", marker: { symbol: "triangle-down-open", size: 9, color: css("--warn") },
    });
  }
  traces.unshift({
    type: "scatter", mode: "lines", name: "front", ...stairs(front, x, y), hoverinfo: "skip",
    line: { color: css("--text"), width: 1.5, dash: "dot" },
  });
  const models = view.models.filter((model) => has(model.trial) && comparable(model.trial));
  if (models.length) {
    traces.push({
      type: "scatter", mode: "markers", name: "finalists, fully trained",
      x: models.map((m) => m.trial.objectives[x]), y: models.map((m) => m.trial.objectives[y]),
      text: models.map((m) => hover(m.trial) + "<br>fully trained: " + number(m.trial.epochs) + " epochs"),
      customdata: models.map((m) => m.trial.trial), hovertemplate: "%{text}<extra></extra>",
      marker: { symbol: "star", size: 14, color: "#E69F00", line: { width: 1, color: css("--text") } },
    });
  }
  const [logX, logY] = [$("log-x").checked, $("log-y").checked];
  const lost = view.trials.filter((trial) => trial.state === "failed" || trial.state === "infeasible");
  const placed = $("show-failed").checked ? edge(lost, [...fit, ...broken, ...models.map((m) => m.trial)], x, y, logX, logY) : [];
  if (placed.length) {
    traces.push({
      type: "scatter", mode: "markers", name: "failed", x: placed.map((p) => p.x), y: placed.map((p) => p.y),
      text: placed.map((p) => hover(p.trial)), customdata: placed.map((p) => p.trial.trial),
      hovertemplate: "%{text}<extra></extra>", marker: { symbol: "x", size: 8, color: css("--bad") },
    });
  }
  draw("front", traces, layout(
    axis(x, logX, valued), axis(y, logY, valued)));
  const aside = lost.length ? " " + lost.length + " failed or infeasible: × at the edge where a value is missing." : "";
  $("front-caption").textContent =
    "Dotted: the front by these two objectives. Ringed: on the front after the last iteration" +
    (objectives.length > 2 ? ", by all " + objectives.length + " objectives" : "") + ". Click a point for its trial." + aside;
}

function axis(name, log, trials) {
  const values = trials.map((trial) => trial.objectives[name]).filter((value) => value > 0);
  const decades = log && values.length ? Math.log10(Math.max(...values) / Math.min(...values)) : 0;
  const title = { text: plain(name) + " " + better(name) };
  return decades > 2 ? { title, type: "log", dtick: 1 } : { title, type: log ? "log" : "linear" };
}

// Failed trials lack values: they stand beyond the worst end of the axis that they have nothing to say on.
function edge(lost, others, x, y, logX, logY) {
  const beyond = (name, log) => {
    const values = others.map((trial) => trial.objectives[name]).filter((value) => value !== undefined && (!log || value > 0));
    if (!values.length) return 0;
    const [low, high] = [Math.min(...values), Math.max(...values)].map((value) => (log ? Math.log10(value) : value));
    const gap = 0.06 * (high - low || Math.abs(high) || 1);
    const place = view.objectives[name] === "maximize" ? low - gap : high + gap;
    return log ? 10 ** place : place;
  };
  const [edgeX, edgeY] = [beyond(x, logX), beyond(y, logY)];
  return lost.map((trial) => ({ trial, x: trial.objectives[x] ?? edgeX, y: trial.objectives[y] ?? edgeY }));
}

function drawMeasure() {
  if (!state.measure) return;
  const traces = [];
  const name = state.measure;
  if (name === "hypervolume") {
    const at = view.trials.map((_, index) => index).filter((index) => view.volumes[index] !== null);
    traces.push({
      type: "scatter", mode: "lines", name: "hypervolume", x: at.map((index) => view.trials[index].number),
      y: at.map((index) => view.volumes[index]), line: { color: css("--accent"), width: 2, shape: "hv" },
      hovertemplate: "after trial %{x}: %{y:.5~g}<extra></extra>", showlegend: false,
    });
  } else {
    const up = view.objectives[name] === "maximize";
    const fit = view.trials.filter((trial) => comparable(trial) && trial.objectives[name] !== undefined);
    let best = null;
    const bests = fit.map((trial) => (best = best === null ? trial.objectives[name] : (up ? Math.max : Math.min)(best, trial.objectives[name])));
    traces.push({
      type: "scatter", mode: "markers", name: "trial", x: fit.map((t) => t.number), y: fit.map((t) => t.objectives[name]),
      text: fit.map(hover), customdata: fit.map((t) => t.trial), hovertemplate: "%{text}<extra></extra>",
      marker: { size: 7, color: fit.map((t) => iterationColour(t.iteration)) }, showlegend: false,
    }, {
      type: "scatter", mode: "lines", name: "best so far", x: fit.map((t) => t.number), y: bests, hoverinfo: "skip",
      line: { color: css("--text"), width: 1.5, shape: "hv", dash: "dot" }, showlegend: false,
    });
  }
  draw("volume", traces, layout({ title: { text: "trial" } },
    { title: { text: plain(name === "hypervolume" ? name : name + " " + better(name)) } }, { shapes: borders() }));
  $("volume-caption").textContent = name === "hypervolume"
    ? "Over the reference " + objectives.map((each, index) => each + " " + number(view.reference[index])).join(", ") + ". Lines part the iterations."
    : "Dotted: the best so far. Lines part the iterations.";
}

// Thin lines where an iteration begins.
function borders() {
  return view.trials.filter((trial, index) => index && trial.iteration !== view.trials[index - 1].iteration).map((trial) => ({
    type: "line", x0: trial.number - 0.5, x1: trial.number - 0.5, yref: "paper", y0: 0, y1: 1, layer: "below",
    line: { color: css("--line"), width: 1.5 },
  }));
}

function drawCurves() {
  if (!state.metric) return;
  const finalists = new Map(view.models.map((model, index) => [model.trial.trial, index]));
  const partial = new Set(view.models.map((model) => model.partial));
  const points = (trial) => view.curves[trial].filter((point) => typeof point[state.metric] === "number");
  const others = Object.keys(view.curves).filter((trial) => !finalists.has(trial) && !partial.has(trial));
  const grey = $("show-others").checked ? others.map((trial) => ({
    type: "scatter", mode: "lines+markers", x: points(trial).map((p) => p.epoch), y: points(trial).map((p) => p[state.metric]),
    text: hover(byTrial.get(trial)), customdata: points(trial).map(() => trial), hovertemplate: "%{text}<extra></extra>",
    line: { color: css("--quiet"), width: 1 }, marker: { size: 4 }, opacity: 0.4, showlegend: false,
  })) : [];
  const coloured = [...finalists].filter(([trial]) => view.curves[trial]).map(([trial, index]) => ({
    type: "scatter", mode: "lines+markers", name: short(trial), x: points(trial).map((p) => p.epoch),
    y: points(trial).map((p) => p[state.metric]), customdata: points(trial).map(() => trial),
    hovertemplate: plain(short(trial)) + " · epoch %{x}: %{y:.4~g}<extra></extra>",
    line: { color: OKABE_ITO[index % OKABE_ITO.length], width: 2 }, marker: { size: 5 },
  }));
  draw("curves", [...grey, ...coloured], layout({ title: { text: "epoch" } }, { title: { text: plain(state.metric) } }));
  $("curves-caption").textContent = (coloured.length ? "In colour: the finalists, their partial training included." : "No finalist has a curve yet.") +
    (others.length ? " Grey: " + others.length + " other trials." : "");
}

function curveMetrics() {
  const names = new Set();
  for (const points of Object.values(view.curves)) {
    for (const point of points) for (const [name, value] of Object.entries(point)) if (typeof value === "number") names.add(name);
  }
  names.delete("epoch");
  names.delete("seconds");
  return [...names].sort((a, b) => (objectives.includes(b) ? 1 : 0) - (objectives.includes(a) ? 1 : 0));
}

function charts() {
  if (typeof Plotly === "undefined") {
    $("no-charts").hidden = false;
    for (const card of document.querySelectorAll(".chart-card")) card.hidden = true;
    return;
  }
  const pairs = objectives.flatMap((first, index) => objectives.slice(index + 1).map((second) => [second, first]));
  tabs("pairs", pairs.map((pair) => [pair, pair[1] + " / " + pair[0]]), (pair) => {
    state.pair = pair;
    const values = (name) => view.trials.filter(comparable).map((trial) => trial.objectives[name]).filter((value) => value !== undefined);
    [$("log-x").checked, $("log-y").checked] = pair.map((name) => wide(values(name)));
    drawFront();
  });
  $("front-section").hidden = !pairs.length;
  const measures = view.volumes.some((volume) => volume !== null) && objectives.length > 1 ? ["hypervolume", ...objectives] : objectives;
  tabs("measures", measures.map((name) => [name, name]), (name) => { state.measure = name; drawMeasure(); });
  const metrics = curveMetrics();
  tabs("curve-metrics", metrics.map((name) => [name, name]), (name) => { state.metric = name; drawCurves(); });
  $("curves-section").hidden = !metrics.length;
  for (const id of ["log-x", "log-y", "show-failed"]) $(id).addEventListener("change", drawFront);
  $("show-others").addEventListener("change", drawCurves);
  themeListeners.push(drawFront, drawMeasure, drawCurves);
}
