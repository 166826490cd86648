"""One search of the table by one strategy."""

import math
import random
import time
from dataclasses import dataclass

from benchmarks.search.peers import PEERS, Genes, Values, peer
from benchmarks.search.table import OPERATIONS, Table
from benchmarks.utilisation import MINUTES, Simulation, sized
from windtunnel.ledger import Request, State
from windtunnel.strategies import Trial, get_strategy

_SPREAD = 1.5  # standard deviation of a time's logarithm, beside that of the cost


@dataclass(frozen=True)
class Setting:
    """What is run.

    Attributes:
        batch: trials at once.
        noise: whether a strategy sees one of the three trainings of each architecture, drawn at random, rather than
            their mean, by which it is judged.
        cost: `flops` or `params`.
        trials: in all.
        lanes: of a continuous search, which claim trials that take unequally long; 0 of one in batches.
        ahead: as a definition's `trials.ahead`, where it is given.
    """

    batch: int = 20
    noise: bool = False
    cost: str = "flops"
    trials: int = 400
    lanes: int = 0
    ahead: int | None = None


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
    if setting.lanes:
        return continuous(table, label, Ours(table, name, options or {}, seed), setting, seed)
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


def continuous(table: Table, label: str, asker: "Ours", setting: Setting, seed: int) -> Run:
    """Perform one continuous search, as `benchmarks.utilisation` simulates it; its rows are in order of their ends.

    A trial takes some three minutes, in proportion to its cost and a random factor, all together as widely spread as on
    MNIST, and just as long as is predicted. Airflow's turns take no time, though trials wait for them.
    """
    rng = random.Random(f"times {seed}")
    second = float(table.cost.mean()) * math.exp(_SPREAD**2 / 2) / MINUTES
    rows: dict[str, int] = {}
    spent: list[float] = []

    def suggest(n: int) -> list[Request]:
        begun = time.process_time()
        ended, underway = ([rows[one.trial] for one in part] for part in (simulation.ended, simulation.underway))
        suggestions = asker.ask_beside(n, ended, underway)
        spent.append(time.process_time() - begun)
        places = [table.place(genes) for genes in suggestions]
        times = [float(table.cost[row]) / second * rng.lognormvariate(0, _SPREAD) for row in places]
        chosen = [(f"{row:016x}-e1", seconds) for row, seconds in zip(places, times, strict=True)]
        rows.update(zip((trial for trial, _ in chosen), places, strict=True))
        return [
            Request(trial=trial, config=trial[:16], params={}, epochs=1, stage="1", cost=cost) for trial, cost in chosen
        ]

    of = sized(setting.lanes, setting.trials, ahead=setting.ahead)
    simulation = Simulation(of, lambda request: request.cost, suggest, 0.0)
    simulation.busy()
    return Run(label, seed, [rows[request.trial] for request in simulation.ended], sum(spent) / len(spent))


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

    def ask_beside(self, n: int, ended: list[int], underway: list[int]) -> list[Genes]:
        """Ask, given these rows of the table: those that have ended, and those that are under way."""
        self._history = [self._trial(row, self._table.error[row]) for row in ended]
        self._history += [self._trial(row, None) for row in underway]
        return self.ask(n)

    def tell(self, suggestions: list[Genes], values: list[Values]) -> None:
        for genes, (error, _) in zip(suggestions, values, strict=True):
            self._history.append(self._trial(self._table.place(genes), error))

    def _trial(self, row: int, error: float | None) -> Trial:
        known = {self._table.cost_name: float(self._table.cost[row])}
        return Trial.of(
            params=self._table.params(row),
            config=f"{row:016x}",
            iteration=self._iteration,
            state=None if error is None else State.COMPLETED,
            objectives={"error": float(error), **known} if error is not None else None,
            known=known,
        )
