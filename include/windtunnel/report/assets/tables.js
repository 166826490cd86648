"use strict";
// The head of the page, the tables and the facts.

const MOST_ROWS = 100; // rows drawn at first: thousands at once would make typing in the filter slow
const names = { params: keys("params"), metrics: keys("metrics") };
const table = { sort: "number", down: false, state: "all", filter: "", all: false, open: new Set() };

function keys(field) {
  return [...new Set(view.trials.flatMap((trial) => Object.keys(trial[field])))];
}

function reason(trial) {
  const last = trial.message.trim().split("\n").pop();
  return [trial.kind, last].filter(Boolean).join(": ");
}

const columns = [
  { name: "number", label: "#", numeric: true, value: (trial) => trial.number },
  { name: "trial", label: "trial", value: (trial) => trial.trial, show: (trial) => element("span", { class: "id", title: trial.trial }, short(trial.trial)) },
  { name: "iteration", label: "iter.", numeric: true, value: (trial) => trial.iteration },
  { name: "state", label: "state", value: (trial) => (trial.front ? "0" : trial.state), class: "together", show: (trial) => element("span", {}, pill(trial.kind ? trial.state + " · " + trial.kind : trial.state, PILLS[trial.state]), trial.front ? " " : null, trial.front ? pill("front", "star") : null) },
  ...objectives.map((name) => ({ name: "o:" + name, label: name + " " + better(name), numeric: true, value: (trial) => trial.objectives[name] })),
  ...names.params.map((name) => ({ name: "p:" + name, label: name, numeric: view.trials.every((trial) => trial.params[name] === undefined || typeof trial.params[name] === "number"), value: (trial) => trial.params[name] })),
  { name: "seconds", label: "time", numeric: true, value: (trial) => (trial.state === "waiting" ? undefined : trial.seconds), show: (trial) => (trial.state === "waiting" ? "–" : duration(trial.seconds)) },
  ...(view.trials.some(reason) ? [{ name: "reason", label: "reason", class: "reason", value: reason, show: (trial) => reason(trial).slice(0, 200) }] : []),
];

function compare(a, b) {
  const missing = (value) => value === undefined || value === null || value === "";
  if (missing(a) || missing(b)) return missing(a) - missing(b);
  const order = typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), undefined, { numeric: true });
  return table.down ? -order : order;
}

function chosenTrials() {
  const words = table.filter.toLowerCase().split(/\s+/).filter(Boolean);
  const column = columns.find((each) => each.name === table.sort);
  return view.trials
    .filter((trial) => table.state === "all" || (table.state === "front" ? trial.front : trial.state === table.state))
    .filter((trial) => {
      const text = [trial.trial, trial.state, "iteration=" + trial.iteration, parameters(trial.params), reason(trial)].join(" ").toLowerCase();
      return words.every((word) => text.includes(word));
    })
    .sort((a, b) => compare(column.value(a), column.value(b)) || a.number - b.number);
}

function drawTrials() {
  const chosen = chosenTrials();
  const shown = table.all ? chosen : chosen.slice(0, MOST_ROWS);
  const head = element("thead", {}, element("tr", {}, ...columns.map((column) => element("th", {
    scope: "col", class: column.numeric ? "number" : null,
    "aria-sort": table.sort === column.name ? (table.down ? "descending" : "ascending") : null,
  }, element("button", { type: "button", "data-sort": column.name, onclick: () => sortBy(column.name) }, column.label)))));
  const body = element("tbody", {}, ...shown.flatMap(rows));
  $("trials").replaceChildren(head, body);
  $("shown").textContent = chosen.length === view.trials.length ? view.trials.length + " trials" : chosen.length + " of " + view.trials.length + " trials";
  $("more").hidden = shown.length === chosen.length;
  $("more").textContent = "Show all " + chosen.length;
}

function rows(trial) {
  const open = table.open.has(trial.trial);
  const row = element("tr", { id: "trial-" + trial.trial, class: "open-able" + (open ? " open" : ""), tabindex: "0", "aria-expanded": String(open) },
    ...columns.map((column) => element("td", { class: column.class || (column.numeric ? "number" : null) },
      column.show ? column.show(trial) : number(column.value(trial)))));
  const toggle = () => {
    if (!table.open.delete(trial.trial)) table.open.add(trial.trial);
    drawTrials();
  };
  row.addEventListener("click", toggle);
  row.addEventListener("keydown", (event) => {
    if (event.key === "Enter") toggle();
  });
  return open ? [row, element("tr", { class: "detail" }, element("td", { colspan: columns.length }, detail(trial)))] : [row];
}

function detail(trial) {
  const list = element("dl", {});
  const say = (name, value) => {
    if (value) list.append(element("dt", {}, name), element("dd", {}, value));
  };
  say("trial", element("span", { class: "id" }, trial.trial));
  say("parameters", parameters(trial.params));
  say("metrics", Object.entries(trial.metrics).map(([name, value]) => name + " " + number(value)).join(", "));
  say("epochs", number(trial.epochs));
  say("bred from", trial.parents.map(short).join(", "));
  say("strategy", Object.entries(trial.note).map(([name, value]) => name + ": " + (typeof value === "object" ? JSON.stringify(value) : value)).join(", "));
  say("violation", trial.violation ? number(trial.violation) : "");
  say("started", trial.started ? moment(trial.started) + (trial.attempts > 1 ? ", attempt " + trial.attempts : "") : "");
  say("taken from", trial.source);
  say("reason", trial.kind);
  const parts = [list];
  for (const text of [trial.message, trial.log_tail]) if (text) parts.push(element("pre", {}, text));
  return element("div", {}, ...parts);
}

function sortBy(name) {
  const first = columns.find((column) => column.name === name);
  const bestDown = name.startsWith("o:") && view.objectives[name.slice(2)] === "maximize";
  table.down = table.sort === name ? !table.down : Boolean(first.numeric && bestDown);
  table.sort = name;
  drawTrials();
}

// Shows a trial in the table, whatever the filter hid before. A finalist's full training leads to its partial one.
function openTrial(id) {
  const model = view.models.find((each) => each.trial.trial === id);
  const trial = view.trials.some((each) => each.trial === id) ? id : model && model.partial;
  if (!trial) return;
  Object.assign(table, { filter: "", all: true });
  table.open.add(trial);
  $("filter").value = "";
  if (table.state !== "all") $("states").querySelector("button").click();
  drawTrials();
  const row = $("trial-" + trial);
  if (row) row.scrollIntoView({ behavior: "smooth", block: "center" });
}

function drawModels() {
  if (!view.models.length) {
    $("models").replaceChildren(element("tbody", {}, element("tr", {}, element("td", { class: "quiet" }, "No trial has been trained fully."))));
    return;
  }
  const first = ["test_acc", "onnx_acc", "max_logit_diff"];
  const tests = [...new Set([...first, ...view.models.flatMap((model) => Object.keys(model.test))])];
  const labels = { test_acc: "test accuracy", onnx_acc: "ONNX accuracy", max_logit_diff: "largest logit difference" };
  const heads = ["", "trial", "verified", ...tests.map((name) => labels[name] || name), ...objectives.map((name) => name + " " + better(name)), "epochs", "time", "parameters", "model"];
  const numeric = (index) => index >= 3 && index < 5 + tests.length + objectives.length;
  const body = view.models.map((model, index) => {
    const verdict = model.verified === null ? pill("not yet") : model.verified ? pill("verified", "good") : pill("failed", "bad");
    const cells = [
      element("span", { class: "dot", style: "background:" + OKABE_ITO[index % OKABE_ITO.length] }),
      element("span", { class: "id", title: model.trial.trial }, short(model.trial.trial)),
      element("span", {}, verdict, model.error ? element("div", { class: "quiet" }, model.error.trim().split("\n").pop().slice(0, 300)) : null),
      ...tests.map((name) => number(model.test[name])), ...objectives.map((name) => number(model.trial.objectives[name])),
      number(model.trial.epochs), duration(model.trial.seconds), parameters(model.trial.params),
      model.onnx ? element("a", { href: model.onnx, download: "" }, "ONNX") : "–",
    ];
    return element("tr", {}, ...cells.map((cell, at) => element("td", { class: numeric(at) ? "number" : (at === 2 && model.error) || at === cells.length - 2 ? "reason" : null }, cell)));
  });
  $("models").replaceChildren(
    element("thead", {}, element("tr", {}, ...heads.map((head, at) => element("th", { scope: "col", class: numeric(at) ? "number" : null }, head)))),
    element("tbody", {}, ...body));
}

function drawIterations() {
  const heads = ["iteration", "trials", "front", "hypervolume", "decisions"];
  const body = view.iterations.map((each) => {
    const said = [...each.decisions.filter((one) => !one.trial).map((one) => one.reason), each.failure && "the search fails: " + each.failure].filter(Boolean);
    const ofTrials = each.decisions.filter((one) => one.trial);
    return element("tr", {},
      element("td", {}, element("span", { class: "dot", style: "background:" + iterationColour(Number(each.stage)) }), each.stage === "0" ? "warm start" : each.stage),
      element("td", { class: "number" }, each.finished === each.planned ? String(each.planned) : each.finished + " of " + each.planned),
      element("td", { class: "number" }, each.front.length ? String(each.front.length) : "–"),
      element("td", { class: "number" }, number(each.hypervolume, 5)),
      element("td", {}, said.length ? element("ul", { class: "plain" }, ...said.map((line) => element("li", {}, line))) : "–", ofTrials.length ? decisionsOfTrials(ofTrials) : null));
  });
  $("iterations").replaceChildren(
    element("thead", {}, element("tr", {}, ...heads.map((head, at) => element("th", { class: at && at < 4 ? "number" : null }, head)))), element("tbody", {}, ...body));
}

function decisionsOfTrials(decisions) {
  const lines = decisions.map((one) => element("li", {}, one.what + " " + one.trial + ": " + one.reason));
  const counts = ["promote", "hold", "stop"].map((what) => [decisions.filter((one) => one.what === what).length, what]);
  const summary = counts.filter(([count]) => count).map(([count, what]) => what + " " + count).join(", ");
  return element("details", {}, element("summary", {}, summary), element("ul", { class: "plain" }, ...lines));
}

function drawTiles() {
  const first = objectives[0];
  const counts = view.counts;
  const done = counts.completed + counts.stopped + counts.infeasible + counts.failed;
  const fit = view.trials.filter((trial) => trial.front && trial.objectives[first] !== undefined).map((trial) => trial.objectives[first]);
  const best = fit.length ? (view.objectives[first] === "maximize" ? Math.max : Math.min)(...fit) : null;
  const tested = view.models.filter((model) => model.verified && typeof model.test.test_acc === "number").map((model) => model.test.test_acc);
  const verified = view.models.filter((model) => model.verified).length;
  const busy = [...view.trials, ...view.models.map((model) => model.trial)].reduce((sum, trial) => sum + (trial.seconds || 0), 0);
  const volume = view.volumes.filter((each) => each !== null).pop();
  const tiles = [
    tested.length ? [number(Math.max(...tested)), "test accuracy, best finalist"] : null,
    best === null ? null : [number(best), "best " + first + " in the search"],
    [String(view.trials.filter((trial) => trial.front).length), "trials on the front"],
    [String(done), "trials" + (counts.waiting ? ", " + counts.waiting + " to come" : "") + (counts.failed ? ", " + counts.failed + " failed" : "")],
    view.models.length ? [verified + " of " + view.models.length, "finalists verified"] : null,
    volume === undefined ? null : [number(volume), "hypervolume"],
    [duration(busy), "of training in all"],
  ];
  $("tiles").replaceChildren(...tiles.filter(Boolean).map(([value, label]) => element("div", { class: "tile" }, element("b", {}, value), element("span", {}, label))));
}

function drawFacts() {
  const definition = view.definition;
  $("search").textContent = view.search;
  $("run").textContent = "run " + view.run + " · " + (view.facts.started ? "began " + moment(view.facts.started) + " · " : "") + "read " + moment(view.read);
  $("description").textContent = definition.description || "";
  const last = view.iterations[view.iterations.length - 1];
  if (last && (last.failure || last.stop)) {
    $("outcome").hidden = false;
    $("outcome").classList.toggle("bad", Boolean(last.failure));
    $("outcome").textContent = last.failure ? "The search failed: " + last.failure : "The search ended early: " + last.stop;
  }
  const choice = definition.strategy || {};
  const facts = [
    ["Ledger", view.url],
    ["Workload", definition.workload + (view.facts.code ? " (code " + view.facts.code + ")" : "")],
    ["Strategy", choice.name ? choice.name + (Object.keys(choice.options || {}).length ? " (" + parameters(choice.options) + ")" : "") : ""],
    ["Objectives", Object.entries(view.objectives).map(([name, direction]) => direction + " " + name).join(", ")],
    ["Constraints", Object.entries(definition.constraints || {}).map(([name, bound]) => name + (bound.min !== null && bound.min !== undefined ? " ≥ " + number(bound.min) : "") + (bound.max !== null && bound.max !== undefined ? " ≤ " + number(bound.max) : "")).join(", ")],
    ["Epochs", definition.epochs ? number(definition.epochs.partial) + " in the search, " + number(definition.epochs.full) + " for finalists" : ""],
    ["Seed", String(definition.seed ?? "–") + ", trials' " + String(definition.trial_seed ?? "–")],
    ["States", Object.entries(view.counts).filter(([, count]) => count).map(([name, count]) => count + " " + name).join(", ")],
    ["DAG runs", view.sessions.map((session) => session.session + " (" + moment(session.started) + ")").join(", ")],
    ["Versions", Object.entries(view.facts.versions || {}).map(([name, version]) => name + " " + version).join(", ")],
    ["Origin", view.facts.origin ? JSON.stringify(view.facts.origin) : ""],
  ];
  $("facts").replaceChildren(...facts.filter(([, value]) => value).flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]));
  $("definition").textContent = JSON.stringify(definition, null, 2);
}

drawFacts();
drawTiles();
drawModels();
drawIterations();
const present = ["completed", "stopped", "infeasible", "failed", "waiting"].filter((each) => view.counts[each]);
tabs("states", [["all", "all"], ["front", "front"], ...(present.length > 1 ? present.map((each) => [each, each]) : [])], (chosen) => {
  table.state = chosen;
  drawTrials();
});
$("filter").addEventListener("input", (event) => {
  table.filter = event.target.value;
  drawTrials();
});
$("more").addEventListener("click", () => {
  table.all = true;
  drawTrials();
});
themeListeners.push(drawIterations);
charts();
