// The trials of a run, kept and brought up to date from documents that hold all of them or only what changed.

import { text, UNENDED } from "./base.js";

export class Trials {
  constructor() {
    this.rows = [];
    this.byId = new Map();
    this.objectives = [];
    this.params = [];
    this.metrics = [];
    this.cursor = "";
    this.run = ""; // the version of the run that the rows are of
    this.version = 0; // goes up with each change of the rows
  }

  // Takes in a document; whether anything changed.
  merge(found) {
    this.objectives = found.objectives;
    for (const kind of ["params", "metrics"]) this.rename(kind, found[kind].map(([name]) => name));
    const columns = found.columns;
    const before = new Map(); // of what is sent again, though it may be the same
    for (let at = 0; at < columns.trial.length; at++) {
      const known = this.byId.get(columns.trial[at]);
      const row = known || {};
      if (known) before.set(row, JSON.stringify(row));
      for (const name in columns) row[name] = columns[name][at];
      row.params = found.params.map(([, values]) => values[at]);
      row.values = found.values.map(([, values]) => values[at]);
      row.metrics = found.metrics.map(([, values]) => values[at]);
      this.byId.set(row.trial, row);
      this.rows[row.number - 1] = row;
    }
    const [front, unended] = [new Set(found.front), new Map(Object.entries(found.unended))];
    let changed = columns.trial.length > before.size;
    for (const row of this.rows) {
      const state = unended.get(row.trial) || row.state;
      const other = row.front !== front.has(row.trial) || row.state !== state;
      row.front = front.has(row.trial);
      row.state = state;
      changed = changed || (before.has(row) ? before.get(row) !== JSON.stringify(row) : other);
    }
    [this.cursor, this.run] = [found.cursor, found.version];
    if (changed) this.version++;
    return changed;
  }

  // Rows hold values by position, and a trial that ends may bring a name in between.
  rename(kind, names) {
    const places = names.map((name) => this[kind].indexOf(name));
    for (const row of this.rows) row[kind] = places.map((at) => row[kind][at] ?? null);
    this[kind] = names;
  }

  // Everything that trials can be laid out by.
  measures() {
    if (this.measured && this.measured.version === this.version) return this.measured.list;
    const list = [
      ...this.objectives.map(([name, way], at) => ({ key: "o:" + name, name, group: "objective", way, get: (row) => row.values[at] })),
      ...this.params.map((name, at) => ({ key: "p:" + name, name, group: "parameter", get: (row) => row.params[at] })),
      ...this.metrics.map((name, at) => ({ key: "m:" + name, name, group: "metric", get: (row) => row.metrics[at] })),
      { key: "number", name: "trial", group: "trial", get: (row) => row.number },
      { key: "iteration", name: "iteration", group: "trial", get: (row) => row.iteration },
      { key: "epochs", name: "epochs", group: "trial", get: (row) => row.epochs },
      { key: "seconds", name: "seconds", group: "trial", get: (row) => (ended(row) ? row.seconds : null) },
      { key: "started", name: "started", group: "trial", date: true, get: (row) => row.started },
    ];
    for (const measure of list) {
      measure.numeric = this.rows.every((row) => missing(measure.get(row)) || typeof measure.get(row) === "number");
      const get = measure.get;
      if (!measure.numeric) measure.get = (row) => (missing(get(row)) ? null : text(get(row)));
    }
    this.measured = { version: this.version, list };
    return list;
  }

  measure(key) {
    return this.measures().find((measure) => measure.key === key);
  }

  // The scale of colours by a measure, with a share from 0 to 1 for each row.
  shares(measure) {
    const values = [...new Set(this.rows.map(measure.get).filter((value) => !missing(value)))];
    if (measure.numeric && values.length > 1) {
      const [low, high] = extent(values);
      const log = low > 0 && high / low > 100;
      const place = (value) => (log ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low));
      return { low, high, log, share: (row) => (missing(measure.get(row)) ? null : place(measure.get(row))) };
    }
    values.sort();
    return { values, share: (row) => (missing(measure.get(row)) ? null : values.length > 1 ? values.indexOf(measure.get(row)) / (values.length - 1) : 0.4) };
  }
}

export function missing(value) {
  return value === null || value === undefined || Number.isNaN(value);
}

export function comparable(row) {
  return (row.state === "completed" || row.state === "stopped") && row.violation === 0;
}

export function ended(row) {
  return !UNENDED.includes(row.state);
}

export function lost(row) {
  return row.state === "failed" || row.state === "infeasible";
}

// The least and the greatest: a spread of thousands of arguments would overflow the stack.
export function extent(values) {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return [low, high];
}
