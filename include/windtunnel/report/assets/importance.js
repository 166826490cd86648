// Which parameters decide each objective.

import { css, element, note, OKABE_ITO, plain, refill } from "./base.js";
import { draw, layout } from "./charts.js";

export const importance = {
  id: "importance",
  title: "Importance",

  mount(root) {
    this.body = element("div", {});
    root.append(this.body);
  },

  async update(app) {
    const key = String(app.trials.version);
    if (this.key !== key) [this.key, this.found] = [key, app.overview ? await app.source.get("importance") : null];
    const found = this.found;
    if (!found || found.missing) return void refill(this.body, note(found ? "There is nothing to say yet. " + found.missing : "There are no trials yet."));
    const charts = Object.entries(found.objectives);
    refill(this.body, element("div", { class: "columns" }, charts.map(([name]) => element("section", { class: "card" }, element("h2", {}, name), element("div", { class: "chart" })))),
      element("p", { class: "quiet" }, "How much each parameter decides whether a trial is among the best tenth of the " + found.of + " completed configurations, by " + found.method + (found.trials < found.of ? ", from " + found.trials + " of them, taken at even steps" : "") + ". Shares of an objective add up to 1; parameters that go together share what they do."));
    const places = this.body.querySelectorAll(".chart");
    for (const [at, [, shares]] of charts.entries()) {
      const shown = shares.slice(0, 20).reverse();
      draw(places[at], [{ type: "bar", orientation: "h", y: shown.map(([name]) => plain(name.slice(0, 40))), x: shown.map(([, share]) => share), marker: { color: OKABE_ITO[at % OKABE_ITO.length] }, hovertemplate: "%{y}: %{x:.3f}<extra></extra>",
        text: shown.map(([, share]) => share.toFixed(2)), textposition: "outside", cliponaxis: false, textfont: { color: css("--text") } }],
      layout({ title: { text: "share" }, range: [0, 1.08] }, { type: "category", ticks: "" }));
    }
  },
};
