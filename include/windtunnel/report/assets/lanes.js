// What runs on which lane, when, and where a lane is idle.

import { css, duration, element, note, number, plain, refill, select, short, stateColour, table } from "./base.js";
import { draw, layout } from "./charts.js";

const MOST_LANES = 64;
const IDLE = "idle";
const MOST_BARS = 1500; // more would take seconds to draw

export const lanes = {
  id: "lanes",
  title: "Lanes",
  stage: "",

  mount(root, app) {
    this.bar = element("div", { class: "bar" });
    this.share = element("p", { id: "lanes-share" });
    this.chart = element("div", { class: "chart tall", id: "lanes-chart" });
    this.caption = element("p", { class: "quiet" });
    this.stages = element("div", {});
    root.append(element("section", { class: "card" }, this.share, this.bar, this.chart, this.caption), element("section", { class: "card" }, element("h2", {}, "How busy the lanes were"), this.stages));
  },

  async update(app) {
    if (app.overview && (this.found || {}).version !== app.overview.version) this.found = await app.source.get("lanes");
    const found = this.found;
    refill(this.share, found && found.whole ? share(found) : []);
    if (!found || !found.columns.unit.length) {
      refill(this.stages);
      return void this.chart.replaceChildren(note("Nothing has run yet."));
    }
    const stages = [...new Set(found.columns.stage)];
    refill(this.bar, select("stage", [["", "all"], ...stages.map((name) => [name, title(name)])], this.stage, (stage) => { this.stage = stage; this.draw(app); }));
    this.draw(app);
    const rows = found.stages.map((each) => [title(each.stage), String(each.lanes), duration(each.end - each.start), duration(each.busy), each.room ? Math.round((100 * each.busy) / each.room / found.slots) + " %" : "–"]);
    const whole = found.whole;
    if (whole) rows.push([element("b", {}, "whole run"), String(whole.lanes), duration(whole.seconds), duration(whole.busy), whole.room ? Math.round((100 * whole.busy) / whole.room / found.slots) + " %" : "–"]);
    refill(this.stages, table(["stage", "lanes", "from first start to last end", "of units", "busy"], rows, (at) => at > 0));
  },

  draw(app) {
    const columns = this.found.columns;
    const now = Date.now() / 1000;
    let bars = columns.unit.map((unit, at) => ({ unit, stage: columns.stage[at], lane: columns.lane[at], state: columns.state[at], start: columns.start[at], end: columns.end[at] ?? now }));
    if (this.stage) bars = bars.filter((bar) => bar.stage === this.stage);
    const packed = pack(bars);
    const spans = this.stage ? [Math.min(...bars.map((bar) => bar.start)), Math.max(...bars.map((bar) => bar.end))] : [-Infinity, Infinity];
    const gaps = idle(this.found, spans);
    const rows = new Map([...new Set([...packed, ...gaps].map((bar) => bar.row))].sort((a, b) => a.localeCompare(b, undefined, { numeric: true })).map((row, at) => [row, at]));
    this.chart.style.height = Math.max(220, Math.min(560, 120 + 70 * rows.size)) + "px";
    const [begin, end] = [Math.min(...reduced(packed, "start", Math.min)), Math.max(...reduced(packed, "end", Math.max))];
    let least = (end - begin) / (2 * (this.chart.clientWidth || 900));
    let shown = merge(packed, least);
    while (shown.length > MOST_BARS) shown = merge(packed, (least *= 2));
    shown = shown.concat(gaps.filter((gap) => rows.has(gap.row) && gap.end - gap.start > least));
    const states = [...new Set(shown.map((bar) => bar.state))];
    const traces = states.map((state) => {
      const of = shown.filter((bar) => bar.state === state);
      return {
        type: "bar", orientation: "h", name: state, y: of.map((bar) => rows.get(bar.row)), base: of.map((bar) => new Date(bar.start * 1000).toISOString()), x: of.map((bar) => Math.max((bar.end - bar.start) * 1000, 1)),
        customdata: of.map((bar) => (bar.count > 1 ? null : bar.unit)), text: of.map((bar) => state === IDLE ? "nothing to do<br>" + duration(bar.end - bar.start) : (bar.count > 1 ? bar.count + " units" : plain(short(bar.unit))) + " · " + plain(title(bar.stage)) + "<br>" + duration(bar.end - bar.start)), textposition: "none",
        hovertemplate: "%{text}<extra>" + state + "</extra>", marker: { color: state === IDLE ? css("--idle") : stateColour(state), line: { width: 0.5, color: css("--card") } }, width: 0.75,
      };
    });
    draw(this.chart, traces, layout({ type: "date" }, { tickvals: [...rows.values()], ticktext: [...rows.keys()].map(plain), autorange: "reversed", title: { text: "lane" } }, { barmode: "overlay" }),
      (unit) => app.trials.byId.has(unit) && app.open(unit));
    const wait = waits(this.found, this.stage);
    this.caption.textContent = (shown.filter((bar) => bar.state !== IDLE).length < packed.length ? "Units too short to be told apart are drawn as one; choose a stage to see them apart. " : "") + "Times are UTC." + (wait === null ? "" : " From a job's launch to its first start: " + number(wait, 3) + " s (median).");
  },
};

// The share of the lanes' time in which they had work.
function share(found) {
  const { lanes: count, seconds, busy: worked, room } = found.whole;
  return [element("b", {}, room ? Math.round((100 * worked) / room / found.slots) + " % busy" : "not busy yet"), element("span", { class: "quiet" }, " · " + count + (count === 1 ? " lane" : " lanes") + " over " + duration(seconds))];
}

// Idle time within a span, as bars; with one row a lane only.
function idle(found, [from, to]) {
  const columns = found.idle;
  if (new Set(found.columns.lane).size > MOST_LANES) return [];
  const bars = columns.lane.map((lane, at) => ({ unit: null, stage: "", row: String(lane), state: IDLE, start: Math.max(from, columns.start[at]), end: Math.min(to, columns.end[at]), count: 1 }));
  return bars.filter((bar) => bar.end > bar.start);
}

export function title(stage) {
  if (/^\d+$/.test(stage)) return stage === "0" ? "warm start" : "iteration " + stage;
  return { prepare: "data", full: "full training", verify: "verification" }[stage.split("-")[0]] || stage;
}

// A row for each lane, and where units of a lane overlap (slots, or jobs of several stages) as many as it takes.
function pack(bars) {
  const many = new Set(bars.map((bar) => bar.lane)).size > MOST_LANES; // one job a trial: what counts is how many run at once
  const free = new Map();
  return bars.map((bar) => {
    const lane = many ? "" : String(bar.lane);
    const ends = free.get(lane) || free.set(lane, []).get(lane);
    let slot = ends.findIndex((end) => end <= bar.start + 0.05);
    if (slot < 0) slot = ends.push(0) - 1;
    ends[slot] = bar.end;
    return { ...bar, row: many ? String(slot + 1) : lane + (slot ? "·" + (slot + 1) : "") };
  });
}

// Neighbours in one row that are too narrow to be seen apart.
function merge(bars, least) {
  const last = new Map();
  const merged = [];
  for (const bar of bars) {
    const before = last.get(bar.row);
    if (before && before.state === bar.state && bar.end - bar.start < least && bar.start - before.end < least) {
      before.end = Math.max(before.end, bar.end);
      before.count++;
    } else {
      const own = { ...bar, count: 1 };
      merged.push(own);
      last.set(bar.row, own);
    }
  }
  return merged;
}

function reduced(bars, name, better) {
  return [bars.reduce((best, bar) => better(best, bar[name]), bars[0][name])];
}

// The median of the seconds between a job's first launch and the first start of a unit of it.
function waits(found, stage) {
  const launched = new Map();
  for (const [job, time] of found.launches) launched.set(job, Math.min(time, launched.get(job) ?? Infinity));
  const started = new Map();
  found.columns.job.forEach((job, at) => {
    if (job && (!stage || found.columns.stage[at] === stage)) started.set(job, Math.min(found.columns.start[at], started.get(job) ?? Infinity));
  });
  const list = [...started].filter(([job]) => launched.has(job)).map(([job, time]) => Math.max(0, time - launched.get(job))).sort((a, b) => a - b);
  return list.length ? list[Math.floor(list.length / 2)] : null;
}
