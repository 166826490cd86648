"""One search of the table by one strategy."""

import random
import time
from dataclasses import dataclass

from benchmarks.search.peers import PEERS, Genes, Values, peer
from benchmarks.search.table import OPERATIONS, Table
from windtunnel.strategies import Trial, get_strategy


@dataclass(frozen=True)
class Setting:
    """What is run.

    Attributes:
        batch: trials at once.
        noise: whether a strategy sees one of the three trainings of each architecture, drawn at random, rather than
            their mean, by which it is judged.
        cost: `flops` or `params`.
        trials: in all.
    """

    batch: int = 20
    noise: bool = False
    cost: str = "flops"
    trials: int = 400


@dataclass(frozen=True)
class Run:
    """What one search did.

    Attributes:
        strategy: its label.
        seed: of the search.
        rows: of the table, in order of trial.
        seconds: of processor time a batch that was suggested took.
    """

    strategy: str
    seed: int
    rows: list[int]
    seconds: float


def search(table: Table, label: str, setting: Setting, seed: int, options: dict | None = None) -> Run:
    """Perform one search."""
    name = label.split(" without ")[0]
    asker = peer(name, seed, setting.batch) if name in PEERS else Ours(table, name, options or {}, seed)
    draws = random.Random(f"noise {seed}")
    rows: list[int] = []
    batches, spent = 0, 0.0
    while len(rows) < setting.trials:
        begun = time.process_time()
        suggestions = asker.ask(min(setting.batch, setting.trials - len(rows)))
        spent += time.process_time() - begun
        batches += 1
        if not suggestions:
            break
        places = [table.place(genes) for genes in suggestions]
        errors = [table.single[row, draws.randrange(3)] if setting.noise else table.error[row] for row in places]
        asker.tell(suggestions, [(float(e), float(table.cost[row])) for e, row in zip(errors, places, strict=True)])
        rows += places
    return Run(label, seed, rows, spent / batches)


class Ours:
    """One of Windtunnel's strategies, which is given the whole history each time."""

    def __init__(self, table: Table, name: str, options: dict, seed: int) -> None:
        self._table = table
        self._problem = table.problem()
        self._strategy = get_strategy(name, options)
        self._seed = seed
        self._iteration = 0
        self._history: list[Trial] = []

    def ask(self, n: int) -> list[Genes]:
        self._iteration += 1
        batch = self._strategy.suggest(self._problem, self._history, n, self._seed, self._iteration)
        return [tuple(OPERATIONS.index(value) for value in one.params.values()) for one in batch.suggestions]

    def tell(self, suggestions: list[Genes], values: list[Values]) -> None:
        for genes, (error, cost) in zip(suggestions, values, strict=True):
            row = self._table.place(genes)
            self._history.append(
                Trial.of(
                    params=self._table.params(row),
                    config=f"{row:016x}",
                    iteration=self._iteration,
                    objectives={"error": error, self._table.cost_name: cost},
                    known={self._table.cost_name: cost},
                )
            )
