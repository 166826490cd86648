"""How well strategies search NAS-Bench-Macro, beside their peers.

    python -m benchmarks.search FOLDER [--quick] [--variants] [--ablation] [--seeds 20] [--trials 400]
    python -m benchmarks.search [FOLDER] --suite [--help]   (many problems; see `benchmarks/search/suite`)

One line a strategy: the hypervolume reached after so many trials, in percent of the true front's, mean ± standard
deviation over the seeds; how many of the trials are distinct; processor seconds a batch suggested. Runs on two
processes; `nice` it where others work. Every search is written to the folder of `--out` when it is done, seed by seed,
with a plot at the end; `--resume` takes up what is there, and `--tables` prints the seeds that all strategies have.
"""

import argparse
import json
import os
import statistics
import sys
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import Any

for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(threads, "1")

from benchmarks.search.peers import PEERS  # noqa: E402
from benchmarks.search.run import Run, Setting, search  # noqa: E402
from benchmarks.search.table import WORST_ERROR, Table  # noqa: E402
from windtunnel.strategies import strategy_names  # noqa: E402

MARKS = (40, 100, 200, 400)
VARIANTS = {
    "batches of 1": {"batch": 1},
    "batches of 100": {"batch": 100},
    "batches of 8": {"batch": 8},
    "continuous with 8 lanes": {"lanes": 8},
    "continuous with 8 lanes, ahead 0": {"lanes": 8, "ahead": 0},
    "noise": {"noise": True},
    "parameters": {"cost": "params"},
}
ABLATION = {
    "pareto": {},
    "pareto without exact": {"exact": False},
    "pareto without hints": {"hints": False},
    "pareto without exact and hints": {"exact": False, "hints": False},
    "pareto without spread": {"spread": False},
    "pareto without warp": {"warp": False},
    "pareto without additive": {"additive": False},
    "pareto without ensemble": {"ensemble": False},
    "pareto without exploration": {"exploration": 0.0},
}


@lru_cache
def table(folder: Path, cost: str) -> Table:
    return Table.load(folder, cost)


def one(task: tuple[Path, str, Setting, int, dict]) -> Run:
    folder, label, setting, seed, options = task
    return search(table(folder, setting.cost), label, setting, seed, options)


def kept(file: Path, labels: Iterable[str], trials: int) -> list[Run]:
    """The searches of these strategies that the file has, of as many trials."""
    runs = [Run(**json.loads(text)) for text in file.read_text().splitlines()] if file.exists() else []
    return [replace(run, rows=run.rows[:trials]) for run in runs if run.strategy in labels and len(run.rows) >= trials]


def measure(folder: Path, setting: Setting, labels: dict[str, dict], seeds: int, processes: int, file: Path) -> None:
    """Perform the searches of one setting that the file does not have yet, seed by seed, and add them to it."""
    done = {(run.strategy, run.seed) for run in kept(file, labels, setting.trials)}
    with ProcessPoolExecutor(processes) as pool:
        begun = [
            pool.submit(one, (folder, label, setting, seed, options))
            for seed, (label, options) in product(range(seeds), labels.items())
            if (label, seed) not in done
        ]
        for each in as_completed(begun):
            with file.open("a") as lines:
                lines.write(json.dumps(vars(each.result())) + "\n")


def show(folder: Path, title: str, setting: Setting, labels: Iterable[str], runs: list[Run]) -> None:
    """Print the table of one setting, over the seeds that all have."""
    marks = [mark for mark in MARKS if mark <= setting.trials]
    seeds = set.intersection(*({run.seed for run in runs if run.strategy == label} for label in labels))
    if not seeds:
        print(f"\n{title}: no seed is done by all")
        return
    way = f"continuous on {setting.lanes} lanes" if setting.lanes else f"batches of {setting.batch}"
    print(f"\n{title}: error and {setting.cost}, {way}, {len(seeds)} seeds")
    print(f"| strategy | {' | '.join(map(str, marks))} | distinct | s a batch |")
    print(f"|---|{'---|' * (len(marks) + 2)}")
    data = table(folder, setting.cost)
    for label in labels:
        print(line(data, label, [r for r in runs if r.strategy == label and r.seed in seeds], marks), flush=True)


def line(data: Table, label: str, runs: list[Run], marks: Iterable[int]) -> str:
    cells = [label]
    for mark in marks:
        shares = [data.share(run.rows[:mark]) for run in runs]
        cells.append(f"{statistics.mean(shares):.2f}±{statistics.pstdev(shares):.2f}")
    cells.append(f"{statistics.mean(len(set(run.rows)) for run in runs):.0f}")
    cells.append(f"{statistics.mean(run.seconds for run in runs):.2f}")
    return f"| {' | '.join(cells)} |"


def draw(data: Table, runs: list[Run], file: Path) -> None:
    """The curves: mean share over the trials; those of peers are dashed."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(10, 5.5))
    labels = [*dict.fromkeys(run.strategy for run in runs if run.strategy not in PEERS), *PEERS]
    for color, label in enumerate(labels):
        own = [run.rows for run in runs if run.strategy == label]
        if not own:
            continue
        marks = range(20, max(map(len, own)) + 1, 20)
        shares = [statistics.mean(data.share(rows[:mark]) for rows in own) for mark in marks]
        style: dict[str, Any] = (
            {"linestyle": "--"} if label in PEERS else {"linewidth": 2.5 if label == "pareto" else 1.2}
        )
        shade = "black" if label == "pareto" else pyplot.get_cmap("tab20").colors[color % 20]
        axes.plot(marks, [100 - share for share in shares], label=label, color=shade, **style)
    axes.set(xlabel="trials", ylabel="missing of the true front's hypervolume, %", yscale="log")
    axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    axes.grid(alpha=0.3)
    figure.savefig(file, dpi=130, bbox_inches="tight")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="of nas_bench_macro.csv.gz")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--trials", type=int, default=400)
    parser.add_argument("--strategies", help="names, comma-separated; by default all of ours and the peers")
    parser.add_argument("--quick", action="store_true", help="3 seeds and 100 trials")
    parser.add_argument(
        "--variants",
        action="store_true",
        help="the main table and each of VARIANTS",
    )
    parser.add_argument("--only", choices=list(VARIANTS), help="this variant alone")
    parser.add_argument("--ablation", action="store_true", help="what each ingredient of pareto contributes, alone")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument(
        "--out", type=Path, default=Path("build/bench-search"), help="folder for the runs and the plots"
    )
    parser.add_argument("--resume", action="store_true", help="do not repeat the searches that are there")
    parser.add_argument("--tables", action="store_true", help="search no more: print and plot what is there")
    given = parser.parse_args()
    seeds, trials = (3, 100) if given.quick else (given.seeds, given.trials)
    ours = [name for name in strategy_names() if name != "bayesian"]  # which is gp
    names = given.strategies.split(",") if given.strategies else [*ours, *PEERS]
    labels = ABLATION if given.ablation else {name: {} for name in names}
    settings = {"ablation" if given.ablation else "main": {}}
    settings |= VARIANTS if given.variants else {}
    settings = {given.only: VARIANTS[given.only]} if given.only else settings
    print(f"Reference point: an error of {WORST_ERROR:g} % and the table's largest cost.")
    given.out.mkdir(parents=True, exist_ok=True)
    for title, changes in settings.items():
        setting = replace(Setting(trials=trials), **changes)
        file = given.out / f"{title.replace(' ', '_')}.jsonl"
        if not (given.resume or given.tables):
            file.unlink(missing_ok=True)
        if not given.tables:
            measure(given.folder, setting, labels, seeds, given.processes, file)
        runs = kept(file, labels, trials)
        show(given.folder, title, setting, labels, runs)
        draw(table(given.folder, setting.cost), runs, file.with_suffix(".png"))


if __name__ == "__main__":
    if "--suite" in sys.argv:
        from benchmarks.search.suite.__main__ import main as suite

        suite()
    else:
        main()
