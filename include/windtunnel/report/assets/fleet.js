// A fleet's run: a tile a partition, a leaderboard, what failed and why, one partition, and two runs compared.

import { $, arrow, button, duration, element, facts, followTheme, moment, note, number, pill, refill, select, table } from "./base.js";
import { EmbeddedSource, follow, LiveSource } from "./source.js";

const EVERY = 3000;
const PAGE = 100; // rows of the leaderboard at once
const documents = $("data") ? JSON.parse($("data").textContent) : null;
const source = documents ? new EmbeddedSource(documents) : new LiveSource(location.search);
const order = { by: null, up: true };
let fleet = null; // the overview
let runs = [];
let rows = []; // of all partitions, in their places
let blocks = []; // the versions of those that are in `rows`
let colour = "state";
let words = "";
let page = 0;
let chosen = null; // of two runs that are compared, the metric
let other = ""; // the run to compare with
let difference = null;
let opened = null; // the partition that is shown, with what is known of it
let files = [];
let tiles = []; // in the order of the partitions, each with what it shows

function first() {
  return Object.keys(fleet.objectives)[0] || null;
}

// The rows of blocks that have changed.
async function readBlocks() {
  const stale = fleet.blocks.flatMap((version, at) => (blocks[at] === version ? [] : [at]));
  for (const at of stale) {
    const block = documents ? documents.partitions[at] : await source.get("fleet/block", { number: at });
    block.names.forEach((name, n) => {
      const metrics = Object.fromEntries(Object.entries(block.metrics).map(([metric, column]) => [metric, column[n]]));
      rows[at * fleet.block + n] = { place: at * fleet.block + n, name, keys: block.keys[n], state: block.states[n], seconds: block.seconds[n], metrics };
    });
    blocks[at] = fleet.blocks[at];
  }
  return stale.length > 0;
}

function value(row, name) {
  const found = row.metrics[name];
  return found === undefined ? null : found;
}

// From the worst to the best of a metric, from orange to blue; of what is no objective from the least to the most.
function tints(name) {
  let [least, most] = [Infinity, -Infinity];
  for (const row of rows) {
    const found = value(row, name);
    if (found !== null) [least, most] = [Math.min(least, found), Math.max(most, found)];
  }
  return (row) => {
    const found = value(row, name);
    if (found === null) return "";
    const share = most > least ? (found - least) / (most - least) : 1;
    const good = fleet.objectives[name] === "minimize" ? 1 - share : share;
    return "hsl(" + Math.round(30 + 180 * good) + " 75% 45%)";
  };
}

// One element a partition, made once; afterwards only what has changed is touched.
function paintTiles(place) {
  if (tiles.length !== rows.length || !place.children.length) {
    tiles = rows.map((row) => ({ made: element("a", { class: "square", href: address(row.name) }) }));
    place.replaceChildren(...tiles.map((tile) => tile.made));
  }
  const tint = colour === "state" ? null : tints(colour);
  tiles.forEach((tile, at) => {
    const row = rows[at];
    const told = row.name + ": " + row.state + (tint ? ", " + colour + " " + number(value(row, colour)) : "");
    const background = tint ? tint(row) : "";
    if (tile.state !== row.state) tile.made.dataset.state = tile.state = row.state;
    if (tile.told !== told) tile.made.title = tile.told = told; // also its name for who does not see it
    if ((tile.background || "") !== background) tile.made.style.background = tile.background = background;
  });
  place.classList.toggle("tinted", tint !== null);
  place.classList.toggle("many", rows.length > 2000);
}

function address(name) {
  return "#" + encodeURIComponent(name);
}

function link(name) {
  return element("a", { href: address(name) }, name);
}

function of(row, by) {
  if (by === "partition") return row.name;
  if (by === "state" || by === "seconds") return row[by];
  const at = fleet.columns.indexOf(by);
  return at >= 0 ? row.keys[at] : value(row, by);
}

const inOrder = new Intl.Collator(undefined, { numeric: true });

// By which column the leaderboard is sorted, and whether from the least: until somebody has chosen, the best first.
function sorting() {
  const by = order.by || first() || "partition";
  return { by, up: order.by ? order.up : fleet.objectives[by] !== "maximize" };
}

function sorted() {
  const { by, up } = sorting();
  const known = words ? rows.filter((row) => words.split(/\s+/).every((word) => (row.name + " " + row.keys.join(" ") + " " + row.state).toLowerCase().includes(word))) : rows;
  return known.map((row) => [of(row, by), row]).sort(([x, a], [y, b]) => {
    if (x === y) return a.place - b.place;
    if (x === null || x === undefined) return 1;
    if (y === null || y === undefined) return -1;
    const way = typeof x === "number" ? x - y : inOrder.compare(x, y);
    return up ? way : -way;
  }).map(([, row]) => row);
}

function sort(by) {
  const now = sorting();
  order.up = now.by === by ? !now.up : by in fleet.objectives ? fleet.objectives[by] === "minimize" : true;
  order.by = by;
  page = 0;
  drawLeaderboard();
}

function head(name) {
  const { by, up } = sorting();
  const way = by === name ? (up ? "ascending" : "descending") : null;
  return element("th", { scope: "col", "aria-sort": way, class: fleet.metrics.includes(name) || name === "seconds" ? "number" : null },
    element("button", { type: "button", class: "sort", onclick: () => sort(name) }, name, fleet.objectives[name] ? " " + arrow(fleet.objectives[name]) : ""));
}

function drawLeaderboard() {
  const place = $("leaderboard-rows");
  if (!place) return;
  const known = sorted();
  const pages = Math.max(1, Math.ceil(known.length / PAGE));
  page = Math.min(page, pages - 1);
  const shown = known.slice(page * PAGE, (page + 1) * PAGE).map((row) => element("tr", {}, element("td", {}, link(row.name)), row.keys.map((key) => element("td", {}, key)),
    element("td", {}, pill(row.state)), fleet.metrics.map((name) => element("td", { class: "number" }, number(value(row, name)))), element("td", { class: "number" }, row.seconds === null ? "–" : duration(row.seconds))));
  place.replaceChildren(
    element("div", { class: "scroll" }, element("table", {}, element("thead", {}, element("tr", {}, ["partition", ...fleet.columns, "state", ...fleet.metrics, "seconds"].map(head))), element("tbody", {}, shown))),
    element("div", { class: "bar pages" }, button("Back", () => turn(-1), { disabled: page === 0 }), button("Next", () => turn(1), { disabled: page === pages - 1 }),
      element("span", { class: "quiet", role: "status" }, known.length ? page * PAGE + 1 + " to " + Math.min(known.length, (page + 1) * PAGE) + " of " + known.length : "No partition fits.")));
}

function turn(by) {
  page += by;
  drawLeaderboard();
}

function failures() {
  return fleet.causes.length ? element("section", { class: "card" }, element("h2", {}, "What failed"),
    table(["partitions", "why", "such as"], fleet.causes.map((cause) => [String(cause.count), cause.message || "no reason was given", cause.names.map((name) => [link(name), " "]).flat()].map((cell) => (Array.isArray(cell) ? element("span", {}, cell) : cell))), (at) => at === 0, { class: "reasons" })) : null;
}

function outcome() {
  return fleet.failure ? element("p", { class: "outcome bad" }, "The fleet has failed: " + fleet.failure) : null;
}

function tilesOfNumbers() {
  const { counts, pace, accounts } = fleet;
  const done = counts.completed + counts.failed + counts.taken;
  const shown = [[done + " of " + fleet.partitions, "partitions have a result"], [String(counts.failed), "failed"], [String(counts.taken), "taken over"],
    [pace.throughput === null ? "–" : number(pace.throughput, 3), "partitions a second"], [fleet.over ? "over" : duration(pace.left), fleet.over ? "the run is" : "left"],
    [accounts ? String(accounts.batches_retried) : "–", "mini-batches retried"], ...Object.entries(fleet.evaluation).map(([name, found]) => [number(found), "evaluation: " + name])];
  return element("div", { class: "tiles" }, shown.map(([big, small]) => element("div", { class: "tile" }, element("b", {}, big), element("span", {}, small))));
}

function legend() {
  if (colour !== "state") return fleet.objectives[colour] ? ["worse ", element("span", { class: "ramp" }), " better"] : ["less ", element("span", { class: "ramp" }), " more"];
  return Object.entries(fleet.counts).filter(([, count]) => count).map(([state, count]) => element("span", { class: "key" }, element("span", { class: "square", "data-state": state }), " " + state + " " + count));
}

function build() {
  const filter = element("input", { type: "search", "aria-label": "Filter partitions", placeholder: "Filter: name, key, state …", oninput: (event) => { words = event.target.value.trim().toLowerCase(); page = 0; drawLeaderboard(); } });
  filter.value = words;
  $("views").replaceChildren(element("div", { id: "summary" }),
    element("section", { class: "card" }, element("div", { class: "bar" }, element("span", { id: "colours" }), element("span", { class: "quiet", id: "legend" })), element("div", { class: "squares", id: "tiles" })),
    element("div", { id: "failures" }),
    element("section", { class: "card", id: "compare" }),
    element("section", { class: "card", id: "leaderboard" }, element("div", { class: "bar" }, element("h2", {}, "Leaderboard"), filter), element("div", { id: "leaderboard-rows" })), element("div", { id: "files" }));
}

function drawOverview(anew) {
  if (!$("tiles")) build();
  refill($("summary"), outcome(), element("p", { class: "quiet" }, fleet.message), tilesOfNumbers());
  const choice = select("Colour by", ["state", ...fleet.metrics].map((name) => [name, name]), colour, (name) => { colour = name; drawOverview(true); });
  choice.querySelector("select").id = "colour";
  if (anew || !$("colour")) $("colours").replaceChildren(choice);
  $("legend").replaceChildren(...legend());
  paintTiles($("tiles"));
  refill($("failures"), failures());
  drawLeaderboard();
  if (anew || !$("compare").children.length) drawCompare();
  refill($("files"), filesCard());
}

function filesCard() {
  if (!files.length) return null;
  const offered = (name) => element("li", {}, element("a", { href: source.address("data/fleet/file", { name }), download: "" }, name));
  return element("section", { class: "card" }, element("h2", {}, "Files"), element("ul", { class: "plain" }, files.map(offered)));
}

async function open(name) {
  if (!opened || opened.name !== name) opened = { name };
  drawPartition();
  const row = rows.find((each) => each.name === name);
  try {
    const known = documents ? row && { ...row, keys: Object.fromEntries(fleet.columns.map((column, at) => [column, row.keys[at]])), files: [], logs: [] } : await source.get("fleet/partition", { name });
    if (opened && opened.name === name) opened = { name, known: known || null };
  } catch (failure) {
    if (failure.status !== 404) throw failure;
    if (opened && opened.name === name) opened = { name, known: null };
  }
  if (shownName() === name) drawPartition();
}

function drawPartition() {
  const { name, known } = opened;
  const back = element("p", {}, element("a", { href: "#" }, "All partitions"));
  if (!known) return $("views").replaceChildren(element("section", { class: "card", id: "partition" }, back, note(known === null ? "This run has no partition " + name + "." : "…")));
  const { batch } = known;
  const offered = (file, more) => element("span", {}, element("a", { href: source.address("data/fleet/file", { name: file, ...more }), download: "" }, file), " ");
  const own = facts([["state", pill(known.state)], ...Object.entries(known.keys), ...Object.entries(known.metrics).map(([metric, found]) => [metric, number(found)]), ["why", known.message], ["took", known.seconds === null ? "" : duration(known.seconds)],
    ["rows", known.rows ? number(known.rows) : ""], ["trained by", known.source], ["model", known.verified ? "verified" : known.verified === false ? "not verified" : ""],
    ["files", known.files.map((file) => offered(file, { partition: known.name }))]]);
  const where = batch && element("section", { class: "card", id: "batch" }, element("h2", {}, "Its mini-batch"), facts([["mini-batch", batch.batch], ["result", pill(batch.state)], ["error", batch.kind && batch.kind + ": " + batch.message],
    ["succeeded", batch.succeeded + " of " + batch.items + " items"], ["tries", String(batch.attempts)], ["lane", batch.lane], ["process", batch.process ? batch.slot + ", " + batch.process + " on " + batch.host : ""],
    ["began", batch.started ? moment(batch.started) : ""], ["took", duration(batch.seconds)], ["logs", known.logs.map((file) => offered(file))]]), batch.log_tail ? element("pre", { class: "failure" }, batch.log_tail) : null);
  $("views").replaceChildren(element("section", { class: "card", id: "partition" }, back, element("h2", {}, known.name), own), ...(where ? [where] : []));
}

function drawCompare() {
  const place = $("compare");
  if (!place || documents) return place && place.remove();
  const choice = select("Compared with", [["", "no other run"], ...runs.map((run) => [run.run_id, run.run_id])], other, compare);
  choice.querySelector("select").id = "other";
  place.replaceChildren(element("h2", {}, "Compared with an earlier run"), element("div", { class: "bar" }, choice), ...(difference ? changes() : []));
}

function changes() {
  const names = Object.keys(difference.metrics);
  if (!names.length) return [note("The two runs have no metric in common.")];
  const name = names.includes(chosen) ? chosen : names.includes(first()) ? first() : names[0];
  const found = difference.metrics[name];
  const [up, down] = found.direction ? ["better", "worse"] : ["higher", "lower"];
  const counts = table(["metric", "better or higher", "worse or lower", "the same"], names.map((each) => [element("button", { type: "button", class: "link", "aria-pressed": String(each === name), onclick: () => { chosen = each; drawCompare(); } }, each),
    ...["better", "worse", "same"].map((count) => String(difference.metrics[each][count]))]), (at) => at > 0, { id: "compare-counts" });
  const rowsOf = found.changed.map(([partition, was, now, gain]) => [link(partition), number(was), number(now), gain > 0 ? pill(up, found.direction ? "good" : "") : pill(down, found.direction ? "bad" : "")]);
  const states = difference.states.length ? [element("h3", {}, "Fails now, or no more"), table(["partition", "that run", "this run"], difference.states.map(([partition, was, now]) => [link(partition), pill(was), pill(now)]), () => false, { id: "compare-states" })] : [];
  return [counts, element("p", { id: "compare-told" }, name + ": " + found.better + " " + up + ", " + found.worse + " " + down + ", " + found.same + " the same" + (rowsOf.length < found.better + found.worse ? "; those that changed most:" : ".")),
    ...(rowsOf.length ? [table(["partition", "that run", "this run", ""], rowsOf, (at) => at === 1 || at === 2, { id: "compare-rows" })] : []), ...states];
}

async function compare(run) {
  other = run;
  difference = run ? await source.get("fleet/compare", { other: run }) : null;
  drawCompare();
}

function shownName() {
  return decodeURIComponent(location.hash.slice(1));
}

function draw(anew = true) {
  $("search").textContent = documents ? fleet.search : source.query.get("dag_id");
  $("run").textContent = documents ? fleet.run : source.query.get("run_id");
  const name = shownName();
  if (!fleet || !fleet.partitions) return $("views").replaceChildren(note("The data is not split yet."));
  if (name) return void open(name);
  opened = null;
  drawOverview(anew);
}

async function refresh() {
  const before = fleet && JSON.stringify(fleet);
  const answer = documents || (await source.get("fleet/overview"));
  const known = fleet && fleet.partitions;
  [fleet, runs] = [answer.fleet, answer.runs || []];
  if (answer.airflow) $("live").hidden = !answer.airflow.active;
  if (!fleet || JSON.stringify(fleet) === before) return fleet || draw();
  if (!documents) files = await source.get("fleet/files");
  await readBlocks();
  draw(!known);
}

followTheme();
window.addEventListener("hashchange", () => fleet && draw());
follow(refresh, () => (documents ? null : EVERY));
