// One trial: parameters, curve, files, kin, attempts, and the end of its log, live while it runs.

import { artifact } from "./artifacts.js";
import { $, button, duration, element, facts, moment, note, number, pill, refill, size, table, text } from "./base.js";
import { link, verdict } from "./overview.js";
import { drawCurves, metricsOf } from "./curves.js";

export const trial = {
  id: "trial",
  title: "Trial",

  mount(root, app) {
    this.app = app;
    this.body = element("div", {});
    root.append(this.body);
  },

  async update(app) {
    const id = app.opened;
    if (!id) return void this.body.replaceChildren(note("Choose a trial: click a point, or a trial's id in a table."));
    const row = app.trials.byId.get(id);
    if (this.shown === id && row && this.state === row.state && row.state !== "running") return;
    try {
      const found = await app.source.get("trial", { trial: id });
      if (app.opened !== id) return;
      if (this.there !== id) this.body.replaceChildren(); // another trial's buttons look the same
      [this.there, this.shown, this.state, this.found] = [id, id, found ? found.state : row && row.state, found];
      this.draw(app);
    } catch (failure) {
      if (this.there === id) throw failure; // what was known stays in sight
      this.body.replaceChildren(note("Trial " + id + ": " + failure.message, "bad"));
    }
  },

  draw(app) {
    const found = this.found;
    if (!found) return void refill(this.body, note("This report holds no details of trial " + this.there + "."));
    const before = $("log");
    const atEnd = !before || before.scrollTop + before.clientHeight + 4 > before.scrollHeight;
    const metrics = metricsOf([{ points: found.curve }], found.objectives.map(([name]) => name));
    if (!metrics.includes(this.metric)) this.metric = metrics[0];
    const choice = (name) => button(name, () => { this.metric = name; this.draw(app); }, { "aria-pressed": String(name === this.metric) });
    refill(this.body, parts(app, found, metrics.length > 1 ? element("div", { class: "tabs" }, metrics.map(choice)) : null));
    if (metrics.length) drawCurves($("trial-curve"), [{ trial: found.trial, points: found.curve }], this.metric, { colour: () => 0 });
    if (atEnd && $("log")) $("log").scrollTop = $("log").scrollHeight;
  },
};

function parts(app, found, choices) {
  const card = (title, ...content) => element("section", { class: "card" }, element("h2", {}, title), content);
  const pairs = (list) => facts(list.map(([name, value]) => [name, number(value)]));
  const chosen = app.chosen.has(found.trial);
  const kin = (names) => names.map((name) => [link(app, name), " "]).flat();
  const errors = found.errors.map(([name, error]) => [name + " ± (of " + found.repeats + " seeds)", error]);
  const about = facts([
    ["State", [pill(found.state), found.front ? [" ", pill("front", "star")] : "", found.kind ? " " + found.kind : ""].flat()],
    ["Iteration", found.iteration ? String(found.iteration) : "–"],
    ["Epochs", number(found.epochs) + (found.epoch && found.epoch !== found.epochs ? ", values of epoch " + number(found.epoch) : "")],
    ["Started", found.started ? moment(found.started) + ", took " + duration(found.seconds) : ""],
    ["Peak memory", found.peak_memory ? size(found.peak_memory) : ""],
    ["Job", found.job ? found.job + ", lane " + found.lane : ""],
    ["Bred from", found.parents.flatMap((parent) => (parent.trials.length ? kin(parent.trials) : [element("span", { class: "id" }, parent.config)]))],
    ["Children", found.children.length > 40 ? [...kin(found.children.slice(0, 40)), "and " + (found.children.length - 40) + " more"] : kin(found.children)],
    ["Same configuration", kin(found.same)],
    ["Goes on from", found.continue_from ? kin([found.continue_from]) : ""],
    ["Strategy", Object.entries(found.note).map(([name, value]) => name + ": " + text(value)).join(", ")],
    ["Violation", found.violation ? number(found.violation) : ""],
    ["Taken from", found.source],
  ]);
  const model = found.model;
  return [
    element("div", { class: "bar top" }, element("h2", { class: "id grow", id: "trial-id" }, found.trial),
      button(chosen ? "Chosen ✓" : "Choose", () => { app.toggle(found.trial); app.refresh("trial"); }, { "aria-pressed": String(chosen) }),
      app.source.live ? button("Train fully", () => { if (!app.chosen.has(found.trial)) app.toggle(found.trial); app.show("actions"); }) : null),
    found.message ? element("pre", { class: found.state === "failed" ? "failure" : null, id: "message" }, found.message) : null,
    element("div", { class: "columns" }, card("Trial", about), card("Values", pairs([...found.objectives, ...errors, ...found.metrics]))),
    element("div", { class: "columns" }, card("Parameters", pairs(found.params)), card("Curve", choices, element("div", { class: "chart", id: "trial-curve" }, found.curve.length ? null : element("p", { class: "quiet" }, "There is no curve.")))),
    model ? card(model.trial === found.trial ? "Verification" : "Full training", facts([
      ["Full training", kin([model.trial])], ["Verification", verdict(model)], ["ONNX, SHA-256", model.sha256],
      ...Object.entries(model.test).map(([name, value]) => [name, number(value)]), ["Reason", model.error]])) : null,
    found.artifacts.length ? card("Artifacts", element("div", { id: "artifacts", class: "artifacts" }, found.artifacts.map((file) => artifact(app, found.trial, file))), element("p", { class: "quiet" }, leftOut(found.left_out.artifacts, "artifacts"))) : null,
    card("Files and attempts",
      found.files.length ? element("p", { id: "files" }, found.files.map((file, at) => [at ? " · " : "", element("a", { href: app.source.file(file.name, found.trial), download: "" }, file.name), " " + size(file.size)]).flat(), leftOut(found.left_out.files, "files")) : element("p", { class: "quiet" }, "There are no files."),
      found.attempts.length ? table(["start", "job", "host", "at", ""], found.attempts.map((each) => [String(each.number), each.job, each.host, moment(each.started), each.preempted ? "preempted" : each.kind || ""])) : null,
      element("p", { class: "quiet" }, leftOut(found.left_out.attempts, "earlier starts"))),
    found.log_tail ? card(found.state === "running" ? "End of the log, live" : "End of the log", element("pre", { id: "log", tabindex: "0" }, found.log_tail)) : null,
  ].filter(Boolean);
}

function leftOut(count, what) {
  return count ? " and " + count + " more " + what : "";
}
