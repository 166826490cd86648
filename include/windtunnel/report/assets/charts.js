// Plotly, loaded when the first chart is wanted, and the look that all charts share.

import { css, element, number, OKABE_ITO, plain, short, shade, text } from "./base.js";

let loading = null;
const drawn = new WeakMap(); // what each place's chart was drawn from

// Plotly, or null where it is not installed.
export function plotly() {
  if (globalThis.Plotly) return Promise.resolve(globalThis.Plotly);
  const address = document.documentElement.dataset.plotly;
  if (!loading && address) {
    loading = new Promise((found) => {
      const script = element("script", { src: address, onload: () => found(globalThis.Plotly || null), onerror: () => found(null) });
      document.head.append(script);
    });
  }
  return loading || Promise.resolve(null);
}

// Draws a chart unless the same is there, or says what is missing. Clicks on a point with a trial go to `open`.
export async function draw(place, traces, layout, open = null, buttons = ["toImage", "resetScale2d"]) {
  const library = await plotly();
  if (!library) {
    place.replaceChildren(element("p", { class: "quiet" }, "The charts need plotly: pip install \"windtunnel[report]\""));
    return null;
  }
  if (!place.isConnected) return null;
  const from = JSON.stringify([traces, layout, place.clientWidth, place.clientHeight]);
  if (!place.querySelector(".plot-container")) clear(library, place);
  else if (drawn.get(place) === from) return place;
  drawn.set(place, from);
  await library.react(place, traces, layout, {
    responsive: true, displaylogo: false, displayModeBar: window.innerWidth > 820 ? "hover" : false, modeBarButtons: [buttons],
  });
  if (open && !place.dataset.clicks) {
    place.dataset.clicks = "1";
    place.on("plotly_click", (event) => event.points[0].customdata && open(event.points[0].customdata));
  }
  return place;
}

// Words may have taken a chart's place: Plotly would go on drawing the chart that is gone, and leave the words.
function clear(library, place) {
  library.purge(place);
  place.replaceChildren();
  delete place.dataset.clicks;
}

export function axisLook() {
  return { gridcolor: css("--line"), linecolor: css("--line"), zeroline: false, automargin: true, exponentformat: "SI" };
}

export function layout(x = {}, y = {}, extra = {}) {
  return {
    font: { family: getComputedStyle(document.body).fontFamily, size: 13, color: css("--text") },
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    margin: { l: 56, r: 12, t: 8, b: 44 },
    hovermode: "closest",
    hoverlabel: { bgcolor: css("--card"), bordercolor: css("--line"), font: { color: css("--text"), size: 12 }, align: "left" },
    modebar: { bgcolor: "rgba(0,0,0,0)", color: css("--quiet"), activecolor: css("--accent") },
    legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0, font: { size: 12 }, itemsizing: "constant" },
    colorway: OKABE_ITO,
    uirevision: JSON.stringify([x.title, x.type, y.title, y.type]), // a zoom holds for as long as the axes do
    xaxis: { ...axisLook(), ...x },
    yaxis: { ...axisLook(), ...y },
    ...extra,
  };
}

// The axis of a measure: its name, which way is better, and few ticks where a logarithm spans decades.
export function axis(measure, log, values) {
  const title = { text: plain(measure.name) + (measure.way ? (measure.way === "maximize" ? " ↑" : " ↓") : "") };
  if (measure.date) return { title, type: "date" };
  if (!measure.numeric) return { title, type: "category", tickvals: [...new Set(values)], ticktext: [...new Set(values)].map((value) => plain(text(value).slice(0, 40))) };
  const positive = values.filter((value) => value > 0);
  const decades = log && positive.length ? Math.log10(positive.reduce((a, b) => Math.max(a, b)) / positive.reduce((a, b) => Math.min(a, b))) : 0;
  return decades > 2 ? { title, type: "log", dtick: 1 } : { title, type: log ? "log" : "linear" };
}

export function onAxis(measure, value) {
  return measure.date && value ? new Date(value * 1000).toISOString() : value;
}

export function hover(trials, row) {
  const lines = ["<b>" + plain(short(row.trial)) + "</b> · iteration " + row.iteration + " · " + plain(row.state) + (row.front ? " · front" : "")];
  trials.objectives.forEach(([name], at) => {
    if (row.values[at] !== null && row.values[at] !== undefined) lines.push(plain(name) + ": " + number(row.values[at]));
  });
  const entries = trials.params.map((name, at) => [name, row.params[at]]).filter(([, value]) => value !== null && value !== undefined);
  for (let from = 0; from < Math.min(entries.length, 24); from += 3) {
    lines.push(entries.slice(from, from + 3).map(([name, value]) => plain(name.slice(0, 40)) + "=" + plain(number(value)).slice(0, 60)).join(", "));
  }
  if (row.message) lines.push("<i>" + plain(row.message.slice(0, 100)) + "</i>");
  return lines.join("<br>");
}

export function colourscale() {
  return Array.from({ length: 11 }, (_, at) => [at / 10, shade(at / 10)]);
}

