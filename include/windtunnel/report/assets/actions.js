// What can be started from here. The page itself only reads: a confirmed button asks Airflow's own REST API, as the person who is logged in.

import { button, element, note } from "./base.js";
import { link } from "./overview.js";
import { ask } from "./source.js";

export const actions = {
  id: "actions",
  title: "Actions",
  values: { iterations: null, more: 1, dag: "", retry: false },

  mount(root, app) {
    this.app = app;
    this.body = element("div", {});
    this.atWork = note("The run is at work: a second DAG run on it would be refused until it ends.");
    root.append(this.body);
  },

  async update(app) {
    if (!app.overview) return void this.body.replaceChildren(note("The run has not begun: there is nothing to go on from."));
    if (!this.searches) this.searches = (await ask("data/runs")).searches;
    const key = JSON.stringify([[...app.chosen], trainable(app), app.overview.url, app.airflow.choices]);
    if (this.key !== key) this.draw(app); // else what a person is about to confirm would change under their hands
    this.key = key;
    this.atWork.hidden = !app.airflow.active;
  },

  draw(app) {
    const found = app.overview;
    const own = app.airflow.dag_id;
    const chosen = trainable(app);
    const most = app.airflow.most_iterations;
    const values = this.values;
    const wanted = Math.min(most, values.iterations ?? 1);
    const [iterations, retry] = [input(wanted, most, (value) => { values.iterations = value; this.draw(app); }), check(values.retry, (on) => { values.retry = on; this.draw(app); })];
    const dag = element("select", { onchange: () => { values.dag = dag.value; this.draw(app); } }, this.searches.map((search) => element("option", { value: search.dag_id, selected: search.dag_id === (values.dag || own) }, search.dag_id)));
    this.body.replaceChildren(
      this.action("retrain", "Train chosen trials fully", [
        chosen.length ? element("p", {}, chosen.length + " chosen: ", chosen.slice(0, 20).map((id) => [link(app, id), " "]).flat(), chosen.length > 20 ? "…" : "") : element("p", { class: "quiet" }, "Choose completed trials in the table first. Each is trained to the definition's full epochs, verified and published, in a run of its own."),
      ], own, chosen.length ? { from_run: found.url, trials: chosen } : null),
      this.action("resume", "Go on with this run", [
        element("p", {}, element("label", { class: "field" }, "iterations, at most " + most, iterations), " ", element("label", { class: "check" }, retry, "try its failed trials again")),
        element("p", { class: "quiet" }, "A run that was cut short is finished; a finished one is extended, by as many iterations. Nothing is trained twice. The other choices are those that this DAG run was triggered with."),
        this.atWork,
      ], own, { resume: found.run, iterations: wanted, ...app.airflow.choices, ...(values.retry ? { retry_failed: true } : {}) }),
      this.action("warm", "Warm-start a search from it", [
        element("p", {}, element("label", { class: "field" }, "search", dag)),
        element("p", { class: "quiet" }, "The results of this run count from the start of a new one."),
      ], values.dag || own, { warm_start: [found.url] }));
  },

  action(id, title, content, dag, conf) {
    const json = JSON.stringify(conf, null, 1);
    const said = element("p", { role: "status" });
    const confirmBar = element("div", { class: "bar" });
    const ask = () => {
      const go = button("Yes, trigger " + dag, () => this.trigger(dag, conf, said, confirmBar), { class: "primary", "data-confirm": id });
      confirmBar.replaceChildren(go, button("No", () => confirmBar.replaceChildren(first)));
      go.focus();
    };
    const first = button("Trigger …", ask, { "data-trigger": id, disabled: conf === null });
    confirmBar.append(first);
    return element("section", { class: "card", id: "action-" + id }, element("h2", {}, title), content,
      conf === null ? null : [element("h3", {}, "Configuration"), element("pre", { class: "conf", tabindex: "0" }, json), element("h3", {}, "As a command"), element("pre", { class: "command", tabindex: "0" }, command(dag, conf))],
      confirmBar, said);
  },

  async trigger(dag, conf, said, bar) {
    bar.replaceChildren();
    said.textContent = "Asking Airflow …";
    try {
      const run = await this.app.source.trigger(dag, conf);
      said.className = "outcome";
      said.replaceChildren("Triggered: ", element("b", {}, dag), " · ", element("a", { href: "run?" + new URLSearchParams({ dag_id: dag, run_id: run }) }, run));
    } catch (failure) {
      said.className = "outcome bad";
      said.textContent = "Airflow refuses: " + failure.message;
    }
  },
};

// Of the chosen trials those that can be trained fully.
function trainable(app) {
  return [...app.chosen].filter((id) => ["completed", "stopped"].includes((app.trials.byId.get(id) || {}).state));
}

function input(value, most, change) {
  const made = element("input", { type: "number", min: 1, max: most, value, onchange: () => change(Math.max(1, Math.min(most, Math.round(Number(made.value)) || 1))) });
  return made;
}

function check(checked, change) {
  const made = element("input", { type: "checkbox", checked, onchange: () => change(made.checked) });
  return made;
}

// For a POSIX shell.
export function command(dag, conf) {
  const quoted = (word) => "'" + word.replace(/'/g, "'\\''") + "'";
  return "airflow dags trigger " + (/^[A-Za-z0-9_.-]+$/.test(dag) ? dag : quoted(dag)) + " --conf " + quoted(JSON.stringify(conf));
}
