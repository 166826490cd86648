// One trial: parameters, curve, files, kin, attempts, and the end of its log, live while it runs.

import { button, duration, element, facts, moment, note, number, pill, size, table, text } from "./base.js";
import { link } from "./overview.js";
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
      [this.shown, this.state] = [id, row ? row.state : found && found.state];
      this.body.replaceChildren(...(found ? parts(app, found) : [note("This report holds no details of trial " + id + ".")]));
      if (found && found.curve.length) chart(this.body, found);
      const log = this.body.querySelector("#log");
      if (log) log.scrollTop = log.scrollHeight;
    } catch (failure) {
      this.body.replaceChildren(note("Trial " + id + ": " + failure.message, "bad"));
    }
  },
};

function parts(app, found) {
  const card = (title, ...content) => element("section", { class: "card" }, element("h2", {}, title), content);
  const pairs = (list) => facts(list.map(([name, value]) => [name, number(value)]));
  const chosen = app.chosen.has(found.trial);
  const kin = (names) => names.map((name) => [link(app, name), " "]).flat();
  const about = facts([
    ["State", [pill(found.state), found.front ? [" ", pill("front", "star")] : "", found.kind ? " " + found.kind : ""].flat()],
    ["Iteration", found.iteration ? String(found.iteration) : "–"],
    ["Epochs", number(found.epochs) + (found.epoch && found.epoch !== found.epochs ? ", values of epoch " + number(found.epoch) : "")],
    ["Started", found.started ? moment(found.started) + ", took " + duration(found.seconds) : ""],
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
    element("div", { class: "columns" }, card("Trial", about), card("Values", pairs([...found.objectives, ...found.metrics]))),
    element("div", { class: "columns" }, card("Parameters", pairs(found.params)), card("Curve", element("div", { class: "chart", id: "trial-curve" }, found.curve.length ? null : element("p", { class: "quiet" }, "There is no curve.")))),
    model ? card(model.trial === found.trial ? "Verification" : "Full training", facts([
      ["Full training", kin([model.trial])], ["Verified", model.verified === null ? "not yet" : model.verified ? pill("verified", "good") : pill("failed", "bad")],
      ...Object.entries(model.test).map(([name, value]) => [name, number(value)]), ["Reason", model.error]])) : null,
    card("Files and attempts",
      found.artifacts.length ? element("p", { id: "artifacts" }, found.artifacts.map((file, at) => [at ? " · " : "", element("a", { href: app.source.file(file.name, found.trial), download: "" }, file.name), " " + size(file.size)]).flat()) : element("p", { class: "quiet" }, "There are no files."),
      found.attempts.length ? table(["start", "job", "host", "at", ""], found.attempts.map((each) => [String(each.number), each.job, each.host, moment(each.started), each.preempted ? "preempted" : each.kind || ""])) : null),
    found.log_tail ? card(found.state === "running" ? "End of the log, live" : "End of the log", element("pre", { id: "log", tabindex: "0" }, found.log_tail)) : null,
  ].filter(Boolean);
}

function chart(root, found) {
  const place = root.querySelector("#trial-curve");
  const metrics = metricsOf([{ points: found.curve }], found.objectives.map(([name]) => name));
  if (metrics.length) drawCurves(place, [{ trial: found.trial, points: found.curve }], metrics[0], { colour: () => 0 });
  const list = element("div", { class: "tabs" }, metrics.map((name) => button(name, () => drawCurves(place, [{ trial: found.trial, points: found.curve }], name, { colour: () => 0 }))));
  if (metrics.length > 1) place.before(list);
}
