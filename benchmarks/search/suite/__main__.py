"""Search every problem of the suite by strategies and peers, and print one table.

    python -m benchmarks.search [FOLDER] --suite [--seeds 4] [--trials 200] [--cases A,B] [--searchers pareto,tpe]

FOLDER is that of nas_bench_macro.csv.gz; without it that problem is left out. Peers run in environments of their own
below `build/peers` (or `$PEERS`), which `python -m benchmarks.search.suite.install` makes; those that are missing are
left out. Every search is a line of the file of `--out`; those that are there are not repeated. Figures are means ±
standard errors over the seeds: the share of the greatest hypervolume in %, or the regret where there is one objective.
Bold is the best, and what cannot be told from it by two standard errors of the difference.
"""

import argparse
import json
import math
import random
import statistics
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.search.suite import formulas, tables, trainings
from benchmarks.search.suite.case import Case
from benchmarks.search.suite.peer import PEERS, Peer, UnsuitedError
from windtunnel.space import Params
from windtunnel.strategies import Trial, get_strategy

MARKS = (20, 40, 100, 200)
OURS = ("pareto", "tpe", "nsga2", "random")


class Ours:
    """One of Windtunnel's strategies, which is given the whole history each time."""

    def __init__(self, name: str, case: Case, seed: int) -> None:
        self._strategy, self._case, self._seed = get_strategy(name.split(":")[0]), case, seed
        self._history: list[Trial] = []
        self._iteration = 0

    def ask(self, n: int) -> list[Params]:
        self._iteration += 1
        batch = self._strategy.suggest(self._case.problem, self._history, n, self._seed, self._iteration)
        return [one.params for one in batch.suggestions]

    def tell(self, trials: Sequence[Trial]) -> None:
        self._history += trials

    def close(self) -> None:
        pass


def search(case: Case, label: str, seed: int, trials: int) -> dict[str, Any]:
    """One search: its scores at the marks, and the seconds of a batch: by the clock, for peers are other processes."""
    asker = Peer(label, case, seed, trials) if label in PEERS else Ours(label, case, seed)
    rng = random.Random(f"noise {seed}")
    seen: list[Trial] = []
    spent, batches = 0.0, 0
    scores: dict[int, float] = {}
    try:
        while len(seen) < trials:
            begun = time.perf_counter()
            configurations = asker.ask(min(case.batch, trials - len(seen)))
            spent, batches = spent + time.perf_counter() - begun, batches + 1
            batch = [case.observation(params, len(seen) + i, batches, rng) for i, params in enumerate(configurations)]
            if not batch:
                break
            asker.tell(batch)
            seen += batch
            scores |= {mark: case.score(seen[:mark]) for mark in MARKS if mark not in scores and len(seen) >= mark}
    finally:
        asker.close()
    kept = sum(one.violation == 0 and bool(one.objectives) for one in seen)
    return {
        "case": case.name,
        "searcher": label,
        "seed": seed,
        "trials": trials,
        "scores": scores,
        "seconds": spent / batches,
        "kept": kept,
    }


def table(case: Case, runs: Sequence[dict[str, Any]], trials: int) -> Iterable[str]:
    """The table of one problem; the best at a mark and what cannot be told from it are bold."""
    marks = [mark for mark in MARKS if mark <= trials]
    figures = {}
    for label in dict.fromkeys(run["searcher"] for run in runs):
        own = [run for run in runs if run["searcher"] == label]
        for mark in marks:
            values = [run["scores"].get(str(mark), run["scores"].get(mark, math.nan)) for run in own]
            mean = statistics.mean(values)
            fine = len(values) > 1 and math.isfinite(mean)
            figures[label, mark] = mean, statistics.stdev(values) / math.sqrt(len(values)) if fine else 0.0
    what = "%" if case.reference else "regret"
    yield f"\n**{case.name}**, {what}, {'unseen' if case.unseen else 'tuned on'}"
    yield f"| | {' | '.join(map(str, marks))} | s a batch | kept | seeds |"
    yield f"|---{'|---' * (len(marks) + 3)}|"
    sign = 1 if case.reference else -1
    for label in dict.fromkeys(run["searcher"] for run in runs):
        own = [run for run in runs if run["searcher"] == label]
        cells = [label]
        for mark in marks:
            mean, error = figures[label, mark]
            top, its = max((figures[each] for each in figures if each[1] == mark), key=lambda one: sign * one[0])
            level = sign * (top - mean) <= 2 * math.hypot(error, its) or mean == top
            text = f"{mean:.3g}±{error:.2g}" if not case.reference else f"{mean:.1f}±{error:.1f}"
            cells.append(f"**{text}**" if level else text)
        cells.append(f"{statistics.mean(run['seconds'] for run in own):.2f}")
        cells.append(f"{statistics.mean(run['kept'] for run in own):.0f}")
        yield f"| {' | '.join([*cells, str(len(own))])} |"


def cases(folder: str, names: Sequence[str] | None) -> list[Case]:
    """All problems that can be had; the trainings, which take minutes the first time, only where they are wanted."""
    problems = formulas.cases()
    if folder:
        problems.append(tables.nas_bench_macro(Path(folder)))
    if names is None or any(name.startswith("digits") for name in names):
        problems += trainings.cases()
    return problems


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", default="", help="of nas_bench_macro.csv.gz")
    parser.add_argument("--suite", action="store_true", help="this suite, as `python -m benchmarks.search` knows it")
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--cases", help="names, comma-separated; by default all")
    parser.add_argument("--searchers", default=",".join([*OURS, *PEERS]))
    parser.add_argument("--out", type=Path, default=Path("build/bench-suite/runs.jsonl"))
    parser.add_argument("--tables", action="store_true", help="search no more: print what is there")
    given = parser.parse_args()
    given.out.parent.mkdir(parents=True, exist_ok=True)
    names = given.cases.split(",") if given.cases else None
    chosen = [case for case in cases(given.folder, names) if names is None or case.name in names]
    labels = given.searchers.split(",")
    for case in chosen:
        runs = [json.loads(text) for text in given.out.read_text().splitlines()] if given.out.exists() else []
        runs = [run for run in runs if run["case"] == case.name and run["trials"] == given.trials]
        done = {(run["searcher"], run["seed"]) for run in runs}
        for label in labels if not given.tables else []:
            for seed in range(given.first, given.first + given.seeds):
                if (label, seed) in done:
                    continue
                try:
                    run = search(case, label, seed, given.trials)
                except UnsuitedError as error:
                    print(f"{label} takes no part in {case.name}: {error}")
                    break
                runs.append(run)
                with given.out.open("a") as lines:
                    lines.write(json.dumps(run) + "\n")
        wanted = [run for label in labels for run in runs if run["searcher"] == label]
        print("\n".join(table(case, wanted, given.trials)), flush=True)


if __name__ == "__main__":
    main()
