// Where a page's data comes from: the server, asked again only for what changed, or the page itself.

import { $ } from "./base.js";

export class LiveSource {
  constructor(address) {
    this.query = new URLSearchParams(address);
    this.live = true;
  }

  address(path, more = {}) {
    const query = new URLSearchParams();
    for (const name of ["dag_id", "run_id"]) query.set(name, this.query.get(name) || "");
    for (const [name, value] of Object.entries(more)) for (const each of [value].flat()) query.append(name, each);
    return path + "?" + query;
  }

  async get(name, more = {}) {
    return ask(this.address("data/" + name, more));
  }

  file(name, trial = "") {
    return this.address("file", trial ? { name, trial } : { name });
  }

  // An artifact's bytes.
  async content(file, trial) {
    const reply = await fetch(this.file(file.name, trial), { credentials: "same-origin" });
    if (!reply.ok) throw new Error("it cannot be read (" + reply.status + ")");
    return reply.blob();
  }

  // Triggers a DAG through Airflow's own REST API, as whoever is logged in.
  async trigger(dag, conf) {
    const reply = await fetch("../api/v2/dags/" + encodeURIComponent(dag) + "/dagRuns", {
      method: "POST", credentials: "same-origin", headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ logical_date: null, conf }),
    });
    const answer = await reply.json().catch(() => ({}));
    if (!reply.ok) throw new Error(explained(reply.status, answer));
    return answer.dag_run_id;
  }
}

export class EmbeddedSource {
  constructor(documents) {
    this.documents = documents;
    this.live = false;
  }

  async get(name, more = {}) {
    if (name === "trial") return this.documents.details[more.trial] || null;
    if (name === "curves" && more.trial) {
      const chosen = new Set([more.trial].flat());
      return { ...this.documents.curves, next: null, curves: this.documents.curves.curves.filter((curve) => chosen.has(curve.trial)) };
    }
    if (name === "artifacts") return Object.fromEntries(more.trial.map((id) => [id, (this.documents.details[id] || { artifacts: [] }).artifacts]));
    return this.documents[name] || null;
  }

  file(name, trial = "") {
    const path = name.split("/").map(encodeURIComponent).join("/");
    return trial ? "trials/" + encodeURIComponent(trial) + "/" + path : path;
  }

  // Of an artifact that the page holds itself; null of another, which a page in a folder may not read.
  async content(file) {
    return file.content ? new Blob([Uint8Array.from(atob(file.content), (character) => character.charCodeAt(0))]) : null;
  }
}

// Refreshes a page now, and again after as many milliseconds as `wait` says, if any; none while it is out of sight. A
// failure is told until it passes, and is the last one where the user is logged out.
export async function follow(refresh, wait) {
  for (;;) {
    let told = "";
    try {
      if (!document.hidden) await refresh();
    } catch (failure) {
      const out = failure.status === 401 || failure.status === 403;
      told = failure.message + (out ? "" : " – trying again");
      if (out) wait = () => null;
    }
    $("warning").hidden = !told;
    $("warning").textContent = told;
    document.documentElement.dataset.ready = "1";
    const pause = wait();
    if (pause === null) return;
    await new Promise((done) => {
      const timer = setTimeout(done, pause);
      document.addEventListener("visibilitychange", () => { clearTimeout(timer); setTimeout(done, 50); }, { once: true });
    });
  }
}

// All searches and the latest runs, so many pages of them; `older` is empty where there are no more.
export async function latestRuns(pages) {
  const found = await ask("data/runs");
  for (let page = 1; page < pages && found.older; page++) {
    const next = await ask("data/runs?before=" + found.older);
    found.runs.push(...next.runs);
    found.older = next.older;
  }
  return found;
}

// A document of the server; the browser asks whether its own copy still holds.
export async function ask(address) {
  const reply = await fetch(address, { credentials: "same-origin", cache: "no-cache" });
  if (reply.ok) return reply.json();
  const answer = await reply.json().catch(() => ({}));
  const failure = new Error(explained(reply.status, answer));
  failure.detail = answer.detail;
  failure.status = reply.status;
  throw failure;
}

function explained(status, answer) {
  const detail = typeof answer.detail === "string" ? answer.detail : JSON.stringify(answer.detail || answer);
  if (status === 401) return "You are logged out: log in to Airflow again";
  return detail + " (" + status + ")";
}
