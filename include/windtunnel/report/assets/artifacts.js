// What trials have saved: pictures, tables and text in the page, all of it to download.
// A picture is an image of its own data, in which nothing runs and which loads nothing; the rest becomes text nodes.

import { element, note, size, table } from "./base.js";

const PICTURES = { png: "image/png", jpg: "image/jpeg", jpeg: "image/jpeg", gif: "image/gif", webp: "image/webp", svg: "image/svg+xml" };
const TEXTS = new Set(["csv", "tsv", "json", "jsonl", "txt", "log", "md", "yaml", "yml"]);
const ACTIVE = new Set(["svg", "html", "htm", "xml", "xhtml", "js"]); // what would run if a browser opened it from a folder
const LARGEST = 8e6; // bytes that are shown
const [LONGEST, ROWS, COLUMNS] = [20000, 200, 40]; // characters, and lines and columns of a table

const sight = new IntersectionObserver((entries) => entries.filter((each) => each.isIntersecting).forEach((each) => {
  sight.unobserve(each.target);
  fillArtifact(each.target);
}));
const waiting = new WeakMap(); // elements that are filled once they come into sight

function ending(name) {
  return name.slice(name.lastIndexOf(".") + 1).toLowerCase();
}

export function artifactName(file) {
  return file.name.slice(file.name.indexOf("/") + 1);
}

// An artifact of a trial, shown as soon as it is in sight.
export function artifact(app, trial, file, caption = true) {
  const kind = ending(file.name);
  const name = artifactName(file);
  const linked = app.source.live || !ACTIVE.has(kind);
  const title = linked ? element("a", { href: app.source.file(file.name, trial), download: "" }, name) : element("span", {}, name);
  const body = element("div", {});
  const made = element("figure", { class: "artifact", "data-artifact": trial + "/" + file.name, "data-version": file.version },
    element("figcaption", {}, caption ? title : linked ? element("a", { href: app.source.file(file.name, trial), download: "" }, "download") : null, " ", element("span", { class: "quiet" }, size(file.size))), body);
  if ((kind in PICTURES || TEXTS.has(kind)) && file.size <= LARGEST) {
    waiting.set(made, { app, trial, file, body, kind });
    sight.observe(made);
  }
  return made;
}

async function fillArtifact(place) {
  const { app, trial, file, body, kind } = waiting.get(place);
  try {
    const content = await app.source.content(file, trial);
    if (!content) return;
    if (kind in PICTURES) body.append(element("img", { src: await address(new Blob([content], { type: PICTURES[kind] })), alt: artifactName(file) }));
    else body.append(shownText(await content.text(), kind));
  } catch (failure) {
    body.append(note(failure.message, "bad"));
  }
}

function address(blob) {
  return new Promise((done, failed) => {
    const reader = new FileReader();
    reader.onload = () => done(reader.result);
    reader.onerror = () => failed(reader.error);
    reader.readAsDataURL(blob);
  });
}

function shownText(content, kind) {
  if (kind === "csv" || kind === "tsv") {
    const [head, ...rows] = cells(content, kind === "tsv" ? "\t" : ",");
    if (head && head.length <= COLUMNS) return element("div", {}, table(head, rows.slice(0, ROWS)), rows.length > ROWS ? element("p", { class: "quiet" }, "The first lines.") : null);
  }
  return element("pre", { tabindex: "0" }, cut(kind === "json" ? indented(content) : content));
}

function cut(content) {
  return content.length > LONGEST ? content.slice(0, LONGEST) + "\n…" : content;
}

function indented(content) {
  try {
    return JSON.stringify(JSON.parse(content), null, 1);
  } catch {
    return content;
  }
}

// A table's cells, with quotes as RFC 4180 has them; a few lines more than are shown.
function cells(content, comma) {
  const rows = [[]];
  let [cell, quoted] = ["", false];
  for (let at = 0; at < content.length && rows.length < ROWS + 3; at++) {
    const here = content[at];
    if (quoted && here === '"' && content[at + 1] === '"') cell += content[at++];
    else if (here === '"') quoted = !quoted;
    else if (!quoted && here === comma) [cell] = ["", rows.at(-1).push(cell)];
    else if (!quoted && here === "\n") [cell] = ["", rows.at(-1).push(cell.replace(/\r$/, "")), rows.push([])];
    else cell += here;
  }
  rows.at(-1).push(cell);
  return rows.filter((row) => row.length > 1 || row[0]);
}

// What trials have saved, side by side: a row a name, a column a trial.
export function artifactsBeside(app, trials, saved) {
  const names = [...new Set(trials.flatMap((trial) => (saved[trial] || []).map((file) => file.name)))].sort();
  if (!names.length) return null;
  const cell = (trial, name) => {
    const file = (saved[trial] || []).find((each) => each.name === name);
    return element("td", {}, file ? artifact(app, trial, file, false) : "–");
  };
  return element("div", { class: "scroll" }, element("table", { class: "artifacts" },
    element("tbody", {}, names.map((name) => element("tr", {}, element("th", { scope: "row" }, artifactName({ name })), trials.map((trial) => cell(trial, name)))))));
}
