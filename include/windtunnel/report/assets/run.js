// The page of one run: its tabs, and what keeps them up to date.

import { $, element, followTheme, onTheme, painted, pill } from "./base.js";
import { actions } from "./actions.js";
import { compare } from "./compare.js";
import { curves } from "./curves.js";
import { front } from "./front.js";
import { importance } from "./importance.js";
import { lanes } from "./lanes.js";
import { overview } from "./overview.js";
import { parallel } from "./parallel.js";
import { EmbeddedSource, follow, LiveSource } from "./source.js";
import { trial } from "./trial.js";
import { trials } from "./trials.js";
import { Trials } from "./trials_store.js";

const [OFTEN, SELDOM] = [3000, 30000]; // milliseconds between questions, while the run goes on and after
const VIEWS = [overview, front, trials, trial, curves, parallel, importance, lanes, compare, actions];

const embedded = $("data") ? JSON.parse($("data").textContent) : null;

const app = {
  source: embedded ? new EmbeddedSource(embedded) : new LiveSource(location.search),
  trials: new Trials(),
  overview: null,
  airflow: null,
  absent: "", // why there is nothing to show
  answered: false, // whether the overview is there
  ready: false, // whether the trials are
  opened: null,
  chosen: new Set(),

  name() {
    return this.overview ? this.overview.search + "-" + this.overview.run : "trials";
  },

  // Whether a trial runs, of the search or of the finalists.
  working() {
    const found = app.overview;
    return found !== null && (found.counts.running > 0 || found.models.some((model) => model.state === "running"));
  },

  open(id) {
    app.opened = id;
    app.show("trial");
  },

  choose(ids) {
    app.chosen = new Set(ids);
    keep();
  },

  toggle(id) {
    if (!app.chosen.delete(id)) app.chosen.add(id);
    keep();
  },

  show(id) {
    location.hash = id === "trial" && app.opened ? "trial=" + encodeURIComponent(app.opened) : id;
    route();
  },

  refresh(id) {
    const view = VIEWS.find((each) => each.id === id);
    view.shown = null;
    update(view);
  },
};

// Chosen trials outlive a reload, for as long as the browser's tab.
function keep() {
  try {
    sessionStorage.setItem("windtunnel" + location.search, JSON.stringify([...app.chosen].slice(0, 1000)));
  } catch { /* a browser that keeps nothing */ }
}

function recall() {
  try {
    app.chosen = new Set(JSON.parse(sessionStorage.getItem("windtunnel" + location.search)) || []);
  } catch { /* likewise */ }
}

let current = overview;

function build() {
  const views = VIEWS.filter((view) => app.source.live || view !== actions);
  for (const view of views) {
    view.tab = element("button", { type: "button", role: "tab", id: "tab-" + view.id, "aria-controls": "view-" + view.id, onclick: () => app.show(view.id) }, view.title);
    view.panel = element("section", { role: "tabpanel", id: "view-" + view.id, "aria-labelledby": "tab-" + view.id, hidden: true });
    $("tabs").append(view.tab);
    $("views").append(view.panel);
  }
  $("tabs").addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const next = views[(views.indexOf(current) + step + views.length) % views.length];
    app.show(next.id);
    next.tab.focus();
  });
  window.addEventListener("hashchange", route);
  onTheme(() => update(current, true));
}

function route() {
  const [id, argument] = decodeURIComponent(location.hash.slice(1)).split("=");
  const wanted = VIEWS.find((view) => view.id === id && view.panel) || overview;
  if (id === "trial" && argument) app.opened = argument;
  current = wanted;
  for (const view of VIEWS.filter((each) => each.panel)) {
    view.panel.hidden = view !== current;
    view.tab.setAttribute("aria-selected", String(view === current));
    view.tab.tabIndex = view === current ? 0 : -1;
  }
  update(current);
}

function update(view, themed = false) {
  if (!view.mounted) {
    view.mounted = true;
    view.mount(view.panel, app);
  }
  if (!app.ready && view !== overview) return; // a view of nothing would say that there is nothing
  if (themed) view.shown = null;
  Promise.resolve().then(() => view.update(app)).catch((failure) => warn(failure.message));
}

function warn(words) {
  $("warning").hidden = !words;
  $("warning").textContent = words || "";
}

function head() {
  const found = app.overview;
  const query = app.source.live ? app.source.query : null;
  $("search").textContent = found ? found.search : query.get("dag_id");
  $("run").replaceChildren("run " + (query ? query.get("run_id") : found.run), found && query && found.run !== query.get("run_id") ? " on ledger " + found.run : "", " ", app.airflow ? pill(app.airflow.state) : "");
  $("live").hidden = !(app.airflow && app.airflow.active);
}

// Whether the trials are of another version of the run than the overview: lost on the way, or read by a process of the server that knew less.
function behind() {
  return app.overview !== null && app.overview.version !== app.trials.run;
}

// Asks for the overview, and for trials where they are behind it.
async function bringUpToDate() {
  const answer = await app.source.get("overview");
  const first = !app.overview;
  [app.airflow, app.overview] = [answer.airflow, answer.overview];
  head();
  app.answered = true;
  if (first) {
    update(current);
    await painted(); // before the trials, which take longer
  }
  if (behind()) app.trials.merge(await app.source.get("trials", app.trials.cursor ? { since: app.trials.cursor } : {}));
  const again = app.ready;
  app.ready = true;
  if (again || current !== overview) update(current);
}

// A DAG that is no search, or a run that is gone, has nothing to show and nothing to wait for.
function absent(words) {
  app.absent = words;
  $("tabs").hidden = true;
  app.show("overview");
  update(overview);
}

async function refresh() {
  try {
    await bringUpToDate();
  } catch (failure) {
    if (failure.status !== 404 || app.answered) throw failure;
    absent(failure.detail);
  }
}

function pause() {
  if (app.absent) return null;
  return behind() || (app.airflow && app.airflow.active) ? OFTEN : SELDOM;
}

followTheme();
recall();
build();
if (app.source.live) {
  route();
  follow(refresh, pause);
} else {
  app.overview = embedded.overview;
  app.trials.merge(embedded.trials);
  app.answered = app.ready = true;
  head();
  route();
  document.documentElement.dataset.ready = "1";
}
