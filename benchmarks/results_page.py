"""Measures the results page with runs of thousands of trials, made by writing real records: `make bench-results-page`.

Prints, for each size: the first reading of the ledger, each view's data from the server after it, and in Chromium the
first paint of the overview and how long sorting and filtering the table take. Beside the milliseconds on the clock
stand those of the processor, which other work on the machine disturbs less: of the API server for its answers, and of
the page's main thread in Chromium.
"""

import argparse
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import httpx
import psutil

from tests import browser
from tests.core.report import made_up
from tests.ui.pages import login, run_address
from tests.ui.server import PASSWORD, Server
from windtunnel.ledger import Decision, Job, Ledger, Plan, Request, Result, Selection, State, Trial
from windtunnel.objectives.front import pareto_front
from windtunnel.report import RunReader, payloads
from windtunnel.stores.local import LocalStore
from windtunnel_airflow.page.readers import compressed

LANES = 8
SETTLED = 700  # milliseconds after which what an action has set off is over
PER_ITERATION = 250
DOCUMENTS = ("overview", "trials", "trial", "curves", "importance", "lanes", "summary")
OBJECTIVES = {"val_acc": "maximize", "flops": "minimize", "latency_ms": "minimize"}


def fill(ledger: Ledger, trials: int) -> None:
    """Write a whole run: plans, requests, results, curves of some trials, selections."""
    rng = random.Random(trials)
    made_up.begin(ledger, made_up.definition(iterations=trials // PER_ITERATION))
    done: list[Trial] = []
    for stage in range(1, trials // PER_ITERATION + 1):
        requests = [request(rng, stage, done) for _ in range(PER_ITERATION)]
        units = [each.trial for each in requests]
        jobs = [
            Job(job=f"{stage}-{lane}", stage=str(stage), units=units[lane::LANES], lane=lane) for lane in range(LANES)
        ]
        ledger.create_plan(Plan(stage=str(stage), requests=requests, jobs=jobs))
        for place, each in enumerate(requests):
            ended = result(rng, each, started=stage * 900 + place // LANES * 25)
            ledger.record(ended)
            done.append(Trial(each, ended))
        front = pareto_front([each for each in done if each.state is State.COMPLETED], OBJECTIVES)
        ledger.create_selection(
            Selection(
                stage=str(stage),
                results=[each.trial for each in done],
                front=[each.trial for each in front],
                hypervolume=1.0,
                reference=[0.0, 2e8, 10.0],
                decisions=[Decision(what="front", reason=f"{len(front)} trials are on the front")],
            )
        )
    for each in rng.sample(done, min(300, len(done))):
        lines = [
            f'{{"epoch": {epoch / 4}, "val_acc": {rng.random()}, "loss": {rng.random()}}}' for epoch in range(1, 21)
        ]
        ledger.store.put(ledger.trial_path(each.trial, "metrics.jsonl"), "\n".join(lines).encode())


def request(rng: random.Random, stage: int, done: list[Trial]) -> Request:
    """Eight parameters, as a search of some size has."""
    return made_up.new_request(
        rng,
        stage,
        done,
        weight_decay=10 ** rng.uniform(-6, -2),
        dropout=rng.random() / 2,
        activation=rng.choice(["relu", "gelu", "silu"]),
    )


def result(rng: random.Random, of: Request, started: float) -> Result:
    """One in thirty fails."""
    moment = (made_up.BEGAN + timedelta(seconds=started)).isoformat()
    facts: dict[str, Any] = {
        "trial": of.trial,
        "epoch": 1.0,
        "seconds": rng.uniform(5, 25),
        "started": moment,
        "ended": moment,
    }
    if rng.random() < 1 / 30:
        return Result(**facts, state=State.FAILED, kind="nan", message="the loss is not a number", log_tail="nan\n" * 9)
    accuracy = 0.99 - 0.5 * 0.8 ** (of.cost**0.3) - abs(rng.gauss(0, 0.05))
    values = {
        "val_acc": accuracy,
        "flops": of.known["flops"],
        "latency_ms": 0.05 + of.cost**0.5 / 900 + rng.random() / 9,
    }
    return Result(**facts, state=State.COMPLETED, objectives=values, metrics={"loss": 1 - accuracy} | of.known)


Times = tuple[float, float]  # milliseconds on the clock, and of the processor


def served(server: Server, run: str, trial: str) -> dict[str, Times]:
    """From question to answer, of a run that was read before: the first and the median of five for each document."""
    with httpx.Client(base_url=f"{server.address}/windtunnel/data/", timeout=120) as client:
        token = httpx.post(f"{server.address}/auth/token", json={"username": "admin", "password": PASSWORD}, timeout=60)
        client.headers["Authorization"] = f"Bearer {token.json()['access_token']}"
        query = {"dag_id": "digits_cnn", "run_id": run}
        times = {}
        for name in DOCUMENTS:
            more = query | ({"trial": trial} if name == "trial" else {})
            times[f"{name}, first"] = asked(server, client, name, more)
            times[name] = asked(server, client, name, more, times=5)
        cursor = client.get("trials", params=query).json()["cursor"]
        times["trials, what changed"] = asked(server, client, "trials", query | {"since": cursor}, times=5)
    return times


def asked(server: Server, client: httpx.Client, name: str, query: dict[str, str], times: int = 1) -> Times:
    """The median time of a question on the clock, and its mean one of the server's processor."""
    spent, walls = processor(server), []
    for _ in range(times):
        began = time.perf_counter()
        client.get(name, params=query).raise_for_status()
        walls.append((time.perf_counter() - began) * 1000)
    return statistics.median(walls), (processor(server) - spent) / times


def processor(server: Server) -> float:
    """Milliseconds of the processor that the API server has taken."""
    whole = psutil.Process(server.process.pid)
    spent = [process.cpu_times() for process in (whole, *whole.children(recursive=True))]
    return sum(each.user + each.system for each in spent) * 1000


def made(ledger: Ledger) -> dict[str, Times]:
    """What a server does that has not read the run before, and then once for each version of the run."""
    times: dict[str, Times] = {}

    def timed(name: str, act: Callable[[], Any]) -> Any:
        began, spent = time.perf_counter(), time.process_time()
        result = act()
        times[name] = (time.perf_counter() - began) * 1000, (time.process_time() - spent) * 1000
        return result

    timed("import of moocore", partial(import_module, "moocore"))
    snapshot = timed("first reading", RunReader(ledger).read)
    timed("import of Optuna", partial(import_module, "optuna.importance"))
    for make in (payloads.overview, payloads.trials, payloads.lanes, payloads.importance):
        timed(make.__name__, lambda make=make: compressed(make(snapshot)))  # type: ignore[misc]
    return times


def drawn(server: Server, run: str) -> dict[str, Times]:
    """In Chromium, from what was done to the next picture on the screen; of the processor with all that it set off."""
    with browser.opened() as page:
        state = login(page, server, "admin")
    times: dict[str, Times] = {}
    with browser.opened(storage_state=state) as page:
        page.add_init_script(_PAINTED)
        session = page.context.new_cdp_session(page)
        session.send("Performance.enable", {"timeDomain": "threadTicks"})

        def busy() -> float:
            metrics = session.send("Performance.getMetrics")["metrics"]
            return next(each["value"] for each in metrics if each["name"] == "TaskDuration") * 1000

        def timed(name: str, act: Callable[[], float]) -> None:
            spent = busy()
            took = act()
            page.wait_for_timeout(SETTLED)
            times[name] = took, max(0.0, busy() - spent)

        def painted() -> float:
            page.goto(run_address(server, run))
            page.wait_for_selector("html[data-ready]")
            took: float = page.evaluate("tilesPainted")
            return took

        def opened(view: str) -> float:
            began = time.perf_counter()
            page.click(f"#tab-{view}")
            page.wait_for_selector(browser.SIGNS[view])
            return (time.perf_counter() - began) * 1000

        timed("overview, first paint, unread", painted)
        page.goto("about:blank")
        timed("overview, first paint again", painted)
        page.wait_for_selector("#best .trace")
        timed("trials, drawn", lambda: opened("trials"))
        for name, what in (
            ("sort", "document.querySelector('.tabulator-col[tabulator-field=o0]').click()"),
            ("sort the other way", "document.querySelector('.tabulator-col[tabulator-field=o0]').click()"),
            ("sort by text", "document.querySelector('.tabulator-col[tabulator-field=p6]').click()"),
            ("filter", _TYPED.replace("WORDS", "kernel_size=3 gelu")),
            ("filter off", _TYPED.replace("WORDS", "")),
        ):
            timed(name, partial(page.evaluate, _TIMED.replace("WHAT", what)))
        for view in ("front", "parallel", "curves", "lanes", "importance"):
            timed(f"{view}, drawn", partial(opened, view))
        print(f"  {page.evaluate('performance.memory.usedJSHeapSize / 1e6'):.0f} MB of JavaScript memory")
    return times


# When the overview's figures were painted; asked from outside, the page would answer once it has nothing else to do.
_PAINTED = """new MutationObserver((_, self) => {
  if (!document.querySelector("#tiles .tile")) return;
  self.disconnect();
  requestAnimationFrame(() => setTimeout(() => { globalThis.tilesPainted = performance.now(); }));
}).observe(document, { childList: true, subtree: true })"""
_TIMED = """new Promise((done) => { const began = performance.now(); WHAT;
  requestAnimationFrame(() => setTimeout(() => done(performance.now() - began))); })"""
_TYPED = """const box = document.getElementById('filter'); box.value = 'WORDS';
  box.dispatchEvent(new Event('input'))"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, nargs="+", default=[5000, 10000])
    parser.add_argument("--home", type=Path, help="keeps the runs for the next time")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = (arguments.home or Path(folder)).resolve()
        (home / "airflow.db").unlink(missing_ok=True)  # the runs are kept, and made known anew
        with Server(home, runs=[f"trials-{trials}" for trials in arguments.trials]) as server:
            for trials in arguments.trials:
                ledger = Ledger(LocalStore(server.store), "digits_cnn", f"trials-{trials}")
                began = time.perf_counter()
                if ledger.plan(str(trials // PER_ITERATION)) is None:
                    fill(ledger, trials)
                print(f"\n{trials} trials (made in {time.perf_counter() - began:.0f} s)")
                plan = ledger.plan("1")
                assert plan is not None
                for title, times in (
                    ("made from the ledger", made(ledger)),
                    ("in Chromium", drawn(server, ledger.run)),  # first, so that the server has not read the run before
                    ("from the server", served(server, ledger.run, plan.requests[0].trial)),
                ):
                    print(f" {title:33} {'ms':>8} {'CPU ms':>8}   (load {os.getloadavg()[0]:.1f})")
                    for name, (wall, processor_time) in times.items():
                        print(f"  {name:32} {wall:8.0f} {processor_time:8.0f}", flush=True)


if __name__ == "__main__":
    main()
