// All trials as a table: Tabulator draws the rows that are in sight, so ten thousand are no heavier than fifty.

import { arrow, button, duration, element, moment, number, pill, refill, save, short, size, STATES, text } from "./base.js";
import { ended, missing } from "./trials_store.js";

export const trials = {
  id: "trials",
  title: "Trials",
  words: [],
  state: "all",

  mount(root, app) {
    this.app = app;
    this.search = element("input", { type: "search", id: "filter", placeholder: "Search: id, kernel_size=3, reason …", "aria-label": "Search trials",
      oninput: () => { this.words = this.search.value.toLowerCase().split(/\s+/).filter(Boolean); this.filter(); } });
    this.states = element("div", { class: "tabs", role: "group", "aria-label": "State" });
    this.shown = element("span", { class: "quiet", role: "status", id: "shown" });
    this.chosenBar = element("div", { class: "bar", id: "chosen-bar" });
    this.place = element("div", { id: "trials-table" });
    const exports = element("span", { class: "options" },
      button("CSV", () => save(app.name() + ".csv", csv(app.trials, this.visible()), "text/csv"), { id: "export-csv" }),
      button("JSON", () => save(app.name() + ".json", json(app.trials, this.visible()), "application/json"), { id: "export-json" }));
    root.append(element("section", { class: "card" }, element("div", { class: "bar" }, this.search, this.states, this.shown, exports), this.chosenBar, this.place));
  },

  // One after another: Tabulator builds a table in its own time, and must not be taken away before.
  update(app) {
    this.last = (this.last || Promise.resolve()).then(() => this.bring(app));
    return this.last;
  },

  async bring(app) {
    this.silent = true; // a table that is filled anew reports that nothing is selected any more
    try {
      await this.fill(app);
      this.select(app);
    } finally {
      this.silent = false;
    }
    this.drawStates(app);
    this.drawChosen(app);
  },

  async fill(app) {
    const signature = JSON.stringify([app.trials.objectives, app.trials.params, app.trials.metrics]);
    const same = this.table && signature === this.signature;
    const data = same && this.version === app.trials.version ? null : app.trials.rows.map((row) => record(app.trials, row));
    if (same && data) {
      await this.table.replaceData(data);
      this.filter();
    } else if (!same) {
      this.signature = signature;
      if (this.table) this.table.destroy();
      await this.build(app, data);
    }
    this.version = app.trials.version;
  },

  build(app, data) {
    this.table = new globalThis.Tabulator(this.place, {
      data, index: "trial", columns: columns(app), layout: "fitData", height: "min(70vh, 900px)", rowHeight: 34, renderHorizontal: "virtual", renderVerticalBuffer: 200,
      selectableRows: true, headerSortClickElement: "header", placeholder: "No trial is like that.",
      initialSort: [{ column: "number", dir: "asc" }],
    });
    const built = new Promise((ready) => this.table.on("tableBuilt", ready));
    this.table.on("rowSelectionChanged", (rows) => { if (!this.silent) this.choose(app, rows.map((row) => row.trial)); });
    this.table.on("dataFiltered", (_, rows) => { this.shown.textContent = rows.length === app.trials.rows.length ? rows.length + " trials" : rows.length + " of " + app.trials.rows.length + " trials"; });
    return built.then(() => { this.filter(); this.keys(); });
  },

  // Trials are chosen elsewhere too.
  select(app) {
    const selected = this.table.getSelectedData().map((row) => row.trial);
    const wanted = [...app.chosen].filter((id) => app.trials.byId.has(id));
    if (selected.join() === wanted.join()) return;
    this.table.deselectRow();
    this.table.selectRow(wanted);
  },

  // Full trainings may be chosen, and have no row.
  choose(app, selected) {
    app.choose([...[...app.chosen].filter((id) => !app.trials.byId.has(id)), ...selected]);
    this.drawChosen(app);
  },

  // Heads can be reached and pressed from the keyboard, and so can rows: arrows move, Enter opens, space chooses.
  keys() {
    for (const head of this.place.querySelectorAll(".tabulator-col-sorter-element, .tabulator-col[tabulator-field]")) {
      if (!head.getAttribute("tabulator-field")) continue;
      head.tabIndex = 0;
      head.addEventListener("keydown", (event) => {
        if (event.key !== "Enter" && event.key !== " ") return;
        event.preventDefault();
        const field = head.getAttribute("tabulator-field");
        const now = this.table.getSorters().find((each) => each.field === field);
        this.table.setSort(field, now && now.dir === "asc" ? "desc" : "asc");
      });
    }
    const holder = this.place.querySelector(".tabulator-tableholder");
    holder.tabIndex = 0;
    holder.setAttribute("aria-label", "Trials: arrows move, Enter opens, space chooses");
    holder.addEventListener("keydown", (event) => this.press(event));
  },

  press(event) {
    const rows = this.table.getRows("active");
    if (!rows.length || !["ArrowDown", "ArrowUp", "Enter", " "].includes(event.key)) return;
    event.preventDefault();
    const at = Math.max(0, rows.findIndex((row) => row.getData().trial === this.current));
    if (event.key === "Enter") return void this.app.open(rows[at].getData().trial);
    if (event.key === " ") return void rows[at].toggleSelect();
    const next = rows[Math.min(rows.length - 1, Math.max(0, this.current ? at + (event.key === "ArrowDown" ? 1 : -1) : 0))];
    this.current = next.getData().trial;
    next.scrollTo("nearest", false).then(() => {
      for (const marked of this.place.querySelectorAll(".tabulator-row.current")) marked.classList.remove("current");
      next.getElement().classList.add("current");
    });
  },

  drawStates(app) {
    const present = STATES.filter((state) => app.trials.rows.some((row) => row.state === state));
    const names = ["all", "front", ...(present.length > 1 ? present : [])];
    refill(this.states, names.map((name) => button(name, () => { this.state = name; this.drawStates(app); this.filter(); }, { "aria-pressed": String(name === this.state) })));
  },

  drawChosen(app) {
    const count = app.chosen.size;
    this.chosenBar.hidden = !count;
    refill(this.chosenBar, element("span", {}, count + " chosen"),
      button("Compare", () => app.show("compare")), button("Curves", () => app.show("curves")), button("Train fully", () => app.show("actions")),
      button("Clear", () => { this.table.deselectRow(); app.choose([]); this.drawChosen(app); }));
  },

  filter() {
    const { state, words } = this;
    this.table.setFilter((data) => (state === "all" || (state === "front" ? data.front : data.state === state)) && words.every((word) => data.words.includes(word)));
  },

  visible() {
    return this.table.getData("active").map((data) => this.app.trials.byId.get(data.trial));
  },
};

// A row of the table. Fields are numbered, for a parameter's name may be any text.
function record(store, row) {
  const data = { trial: row.trial, number: row.number, state: row.state, front: row.front, iteration: row.iteration, epochs: row.epochs, seconds: ended(row) ? row.seconds : null,
    started: row.started, parents: row.parents.length, attempts: row.attempts, peak_memory: row.peak_memory, reason: [row.kind, row.message].filter(Boolean).join(": ") };
  row.values.forEach((value, at) => (data["o" + at] = value));
  row.params.forEach((value, at) => (data["p" + at] = value));
  row.metrics.forEach((value, at) => (data["m" + at] = value));
  data.words = [row.trial, row.state, row.front ? "front" : "", "iteration=" + row.iteration, ...store.params.map((name, at) => name + "=" + text(row.params[at] ?? "–")), data.reason].join(" ").toLowerCase();
  return data;
}

function columns(app) {
  const store = app.trials;
  const cell = (show) => (each) => { const made = show(each.getValue(), each.getData()); return made instanceof Node ? made : document.createTextNode(made); };
  const plain = cell((value) => number(value));
  const column = (field, title, more = {}) => ({ field, title, titleFormatter: () => document.createTextNode(title), formatter: plain, sorter, headerSortTristate: false, resizable: true, ...more });
  const numeric = { hozAlign: "right", headerHozAlign: "right" };
  const kind = (values) => (values.every((value) => missing(value) || typeof value === "number") ? numeric : {});
  return [
    { formatter: "rowSelection", titleFormatter: "rowSelection", titleFormatterParams: { rowRange: "active" }, headerSort: false, resizable: false, frozen: true, width: 38, hozAlign: "center", cssClass: "choose" },
    column("number", "#", { ...numeric, width: 64 }),
    column("trial", "trial", { width: 120, formatter: cell((value) => element("button", { type: "button", class: "link id", title: value, onclick: (event) => { event.stopPropagation(); app.open(value); } }, short(value))) }),
    column("state", "state", { minWidth: 110, formatter: cell((value, data) => element("span", {}, pill(value), data.front ? [" ", pill("front", "star")] : null)) }),
    column("iteration", "iter.", { ...numeric, width: 70 }),
    ...store.objectives.map(([name, way], at) => column("o" + at, name + " " + arrow(way), numeric)),
    ...store.params.map((name, at) => column("p" + at, name, { ...kind(store.rows.map((row) => row.params[at])), maxInitialWidth: 180 })),
    ...store.metrics.map((name, at) => column("m" + at, name, { ...numeric, maxInitialWidth: 180 })),
    column("epochs", "epochs", numeric),
    column("seconds", "time", { ...numeric, formatter: cell((value) => (missing(value) ? "–" : duration(value))) }),
    column("started", "started", { formatter: cell((value) => moment(value)), minWidth: 170 }),
    column("parents", "parents", numeric),
    column("attempts", "starts", numeric),
    column("peak_memory", "peak memory", { ...numeric, formatter: cell((value) => (missing(value) ? "–" : size(value))) }),
    column("reason", "reason", { maxInitialWidth: 420, formatter: cell((value) => value || "–") }),
  ];
}

// Missing values come last, whichever way is sorted.
function sorter(a, b, _rowA, _rowB, _column, direction) {
  const empty = (value) => missing(value) || value === "";
  if (empty(a) || empty(b)) return (empty(a) - empty(b)) * (direction === "asc" ? 1 : -1);
  return typeof a === "number" && typeof b === "number" ? a - b : COLLATOR.compare(text(a), text(b));
}

const COLLATOR = new Intl.Collator(undefined, { numeric: true }); // made once: one for each comparison takes a second

const FIXED = ["trial", "state", "front", "iteration", "epochs", "seconds", "started", "attempts", "peak_memory", "parents", "kind", "message"];

function exported(store, row) {
  return [...FIXED.map((name) => [name, row[name]]), ...store.objectives.map(([name], at) => [name, row.values[at]]),
    ...store.params.map((name, at) => ["param:" + name, row.params[at]]), ...store.metrics.map((name, at) => ["metric:" + name, row.metrics[at]])];
}

function csv(store, rows) {
  const names = exported(store, store.rows[0] || { values: [], params: [], metrics: [] }).map(([name]) => field(name));
  return [names.join(","), ...rows.map((row) => exported(store, row).map(([, value]) => field(value)).join(","))].join("\r\n") + "\r\n";
}

// Text that a spreadsheet would take for a formula gets a quote before it.
function field(value) {
  if (missing(value)) return "";
  if (typeof value === "number") return String(value);
  const written = Array.isArray(value) && value.every((each) => typeof each === "string") ? value.join(" ") : text(value);
  return '"' + written.replace(/^([=+\-@\t\r])/, "'$1").replace(/"/g, '""') + '"';
}

function json(store, rows) {
  const list = rows.map((row) => ({ ...Object.fromEntries(FIXED.map((name) => [name, row[name]])),
    objectives: Object.fromEntries(store.objectives.map(([name], at) => [name, row.values[at]])),
    params: Object.fromEntries(store.params.map((name, at) => [name, row.params[at]])),
    metrics: Object.fromEntries(store.metrics.map((name, at) => [name, row.metrics[at]])) }));
  return JSON.stringify(list, null, 1) + "\n";
}
