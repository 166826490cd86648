// Parallel coordinates on a canvas: thousands of lines at once, and ranges that choose among them.
// (Plotly's own needs scripts made from text, which the page's security policy forbids.)

import { arrow, button, checkbox, css, dark, element, number, refill, select, shade, text } from "./base.js";
import { comparable, extent, missing } from "./trials_store.js";

const [TOP, BOTTOM, SIDE] = [54, 26, 60];
const MOST_TICKS = 9; // values that an axis names one by one

export const parallel = {
  id: "parallel",
  title: "Parallel",
  ranges: new Map(),
  hidden: new Set(),
  frontOnly: false,

  mount(root, app) {
    this.app = app;
    this.bar = element("div", { class: "bar" });
    this.canvas = element("canvas", { id: "parallel-canvas", tabindex: "0", role: "img", "aria-label": "Parallel coordinates. Arrow keys left and right choose an axis; up and down move a range; Escape clears it." });
    this.caption = element("p", { class: "quiet", id: "parallel-caption", role: "status" });
    this.place = element("div", { class: "scroll parallel" }, this.canvas);
    root.append(element("section", { class: "card" }, this.bar, this.place, this.caption));
    this.canvas.addEventListener("pointerdown", (event) => this.press(event));
    this.canvas.addEventListener("pointermove", (event) => this.drag(event));
    this.canvas.addEventListener("pointerup", () => { this.held = null; this.draw(); });
    this.canvas.addEventListener("keydown", (event) => this.key(event));
    new ResizeObserver(() => this.axes && this.draw()).observe(this.place);
  },

  update(app) {
    const measures = app.trials.measures().filter((measure) => ["parameter", "objective"].includes(measure.group));
    if (!app.trials.rows.length) return void (this.caption.textContent = "There are no trials yet.");
    const shown = JSON.stringify([app.trials.version, dark(), this.colour, this.frontOnly, [...this.hidden]]);
    if (this.shows === shown) return;
    this.shows = shown;
    this.all = measures;
    this.colour = measures.some((measure) => measure.key === this.colour) ? this.colour : measures.find((measure) => measure.group === "objective").key;
    this.axes = [...measures.filter((measure) => measure.group === "parameter"), ...measures.filter((measure) => measure.group === "objective")].filter((measure) => !this.hidden.has(measure.key))
      .map((measure) => ({ ...measure, ...scale(measure, app.trials.rows) }));
    const again = () => this.update(app);
    refill(this.bar,
      select("colour", measures.map((measure) => [measure.key, measure.name]), this.colour, (key) => { this.colour = key; again(); }),
      checkbox("front only", this.frontOnly, (on) => { this.frontOnly = on; again(); }),
      element("details", { class: "menu" }, element("summary", {}, "axes"), measures.map((measure) => checkbox(measure.name, !this.hidden.has(measure.key), (on) => { this.hidden[on ? "delete" : "add"](measure.key); again(); }))),
      button("Clear ranges", () => { this.ranges.clear(); this.draw(); }),
      button("Choose these trials", () => { app.choose(this.within().slice(0, 100).map((row) => row.trial)); app.show("compare"); }, { id: "choose-within" }));
    this.draw();
  },

  within() {
    const ranged = this.axes.filter((axis) => this.ranges.has(axis.key));
    return this.app.trials.rows.filter((row) => comparable(row) && (!this.frontOnly || row.front) && ranged.every((axis) => {
      const at = axis.share(row);
      const [low, high] = this.ranges.get(axis.key);
      return at !== null && at >= low && at <= high;
    }));
  },

  draw() {
    const ratio = window.devicePixelRatio || 1;
    const width = Math.max(this.place.clientWidth, 90 * this.axes.length);
    const height = 460;
    Object.assign(this.canvas, { width: width * ratio, height: height * ratio });
    Object.assign(this.canvas.style, { width: width + "px", height: height + "px" });
    const pen = this.canvas.getContext("2d", { willReadFrequently: true }); // drawn by the processor: thousands of lines take an emulated GPU half a minute
    pen.scale(ratio, ratio);
    this.axes.forEach((axis, at) => (axis.x = SIDE + (this.axes.length > 1 ? (at * (width - 2 * SIDE)) / (this.axes.length - 1) : 0)));
    this.y = (share) => TOP + (1 - share) * (height - TOP - BOTTOM);
    const rows = this.app.trials.rows.filter((row) => comparable(row) && (!this.frontOnly || row.front));
    const chosen = new Set(this.within());
    const colours = this.app.trials.shares(this.app.trials.measure(this.colour));
    pen.lineWidth = 1;
    pen.globalAlpha = Math.max(0.03, Math.min(0.25, 60 / rows.length));
    pen.strokeStyle = css("--quiet");
    if (this.ranges.size) for (const row of rows) if (!chosen.has(row)) this.line(pen, row);
    pen.globalAlpha = Math.max(0.12, Math.min(0.8, 250 / (chosen.size || 1)));
    const shades = Array.from({ length: 21 }, (_, at) => shade(at / 20));
    for (const row of [...chosen].sort((a, b) => a.front - b.front)) {
      pen.strokeStyle = shades[Math.round((colours.share(row) ?? 0) * 20)];
      pen.lineWidth = row.front ? 2 : 1;
      this.line(pen, row);
    }
    pen.globalAlpha = 1;
    this.axes.forEach((axis, at) => this.axis(pen, axis, at));
    this.caption.textContent = chosen.size + " of " + rows.length + " trials" + (this.ranges.size ? " within the ranges" : "") + ". Drag along an axis to choose a range, or use the arrow keys. Thick: the front.";
  },

  line(pen, row) {
    pen.beginPath();
    let on = false;
    for (const axis of this.axes) {
      const at = axis.share(row);
      if (at === null) on = false;
      else {
        if (on) pen.lineTo(axis.x, this.y(at));
        else pen.moveTo(axis.x, this.y(at));
        on = true;
      }
    }
    pen.stroke();
  },

  axis(pen, axis, place) {
    pen.strokeStyle = this.at === place && document.activeElement === this.canvas ? css("--accent") : css("--text");
    pen.lineWidth = this.at === place && document.activeElement === this.canvas ? 2.5 : 1;
    pen.beginPath();
    pen.moveTo(axis.x, this.y(0));
    pen.lineTo(axis.x, this.y(1));
    pen.stroke();
    pen.fillStyle = css("--text");
    pen.font = "600 12px " + getComputedStyle(document.body).fontFamily;
    pen.textAlign = "center";
    pen.fillText(shortened(axis.name + (axis.way ? " " + arrow(axis.way) : ""), 14), axis.x, place % 2 ? 16 : 32);
    pen.font = "11px " + getComputedStyle(document.body).fontFamily;
    pen.textAlign = "left";
    for (const [share, label] of axis.ticks) {
      pen.fillStyle = css("--card");
      pen.globalAlpha = 0.75;
      pen.fillRect(axis.x + 4, this.y(share) - 7, pen.measureText(label).width + 4, 14);
      pen.globalAlpha = 1;
      pen.fillStyle = css("--text");
      pen.fillText(label, axis.x + 6, this.y(share) + 4);
    }
    const range = this.ranges.get(axis.key);
    if (!range) return;
    pen.fillStyle = css("--accent");
    pen.globalAlpha = 0.35;
    pen.fillRect(axis.x - 7, this.y(range[1]), 14, this.y(range[0]) - this.y(range[1]));
    pen.globalAlpha = 1;
  },

  press(event) {
    const { x, share } = this.where(event);
    const at = this.axes.reduce((best, axis, place) => (Math.abs(axis.x - x) < Math.abs(this.axes[best].x - x) ? place : best), 0);
    if (Math.abs(this.axes[at].x - x) > 24) return;
    this.at = at;
    this.held = { key: this.axes[at].key, from: share };
    this.ranges.delete(this.held.key);
    this.canvas.setPointerCapture(event.pointerId);
    this.draw();
  },

  drag(event) {
    if (!this.held) return;
    const { share } = this.where(event);
    if (Math.abs(share - this.held.from) < 0.01) return;
    this.ranges.set(this.held.key, [Math.min(share, this.held.from), Math.max(share, this.held.from)]);
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => this.draw());
  },

  where(event) {
    const box = this.canvas.getBoundingClientRect();
    const share = 1 - (event.clientY - box.top - TOP) / (460 - TOP - BOTTOM);
    return { x: event.clientX - box.left, share: Math.min(1, Math.max(0, share)) };
  },

  key(event) {
    if (!["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Escape"].includes(event.key)) return;
    event.preventDefault();
    const sideways = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    this.at = Math.min(this.axes.length - 1, Math.max(0, (this.at ?? -1) + (sideways || 0)));
    const key = this.axes[this.at].key;
    const up = { ArrowUp: 0.1, ArrowDown: -0.1 }[event.key];
    if (event.key === "Escape") this.ranges.delete(key);
    else if (up) {
      const [low] = this.ranges.get(key) || [up > 0 ? -0.1 : 0.8];
      const from = Math.min(0.8, Math.max(0, low + up));
      this.ranges.set(key, [from - 0.001, from + 0.201]);
    }
    this.draw();
  },
};

// Where a row's value lies on an axis, from 0 to 1, and what is written beside it.
function scale(measure, rows) {
  const values = rows.filter(comparable).map(measure.get).filter((value) => !missing(value));
  if (measure.numeric && values.length) {
    const [low, high] = extent(values);
    const log = low > 0 && high / low > 100;
    const place = (value) => (high === low ? 0.5 : log ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low));
    const back = (share) => (log ? low * (high / low) ** share : low + share * (high - low));
    const own = [...new Set(values)].sort((a, b) => a - b);
    const ticks = own.length <= MOST_TICKS ? apart(own.map((value) => [place(value), number(value)])) : [0, 0.25, 0.5, 0.75, 1].map((share) => [share, number(back(share), 3)]);
    return { share: (row) => (missing(measure.get(row)) ? null : place(measure.get(row))), ticks };
  }
  const names = [...new Set(values)].sort();
  const place = new Map(names.map((name, at) => [name, names.length > 1 ? at / (names.length - 1) : 0.5]));
  return { share: (row) => place.get(measure.get(row)) ?? null, ticks: names.slice(0, 12).map((name) => [place.get(name), shortened(text(name), 14)]) };
}

// Ticks with room between them.
function apart(ticks) {
  return ticks.filter(([share], at) => at === 0 || share - ticks[at - 1][0] >= 0.04);
}

function shortened(words, most) {
  return words.length > most ? words.slice(0, most - 1) + "…" : words;
}
