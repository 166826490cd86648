"""How busy the lanes are, with a barrier and in a continuous search, on the MNIST space's real mix of costs.

    python -m benchmarks.utilisation [--seeds 10]

A simulation with a clock of its own. The costs are those that `windtunnel_trainer.workloads.cnn.cost` predicts for
networks drawn at random from include/searches/mnist_cnn.yaml that keep its constraints; a trial takes its predicted
cost times a random factor, for a prediction is not the truth. All else is a run's own:
`windtunnel.stages.continuous.batch_size` says how large the batches are, its `what_follows` and `Plan.is_over` what an
iteration waits for, and `windtunnel.ledger.queue.in_order`, corrected by the times of trials that have ended, who is
next.

A turn is what Airflow takes from the end of an iteration to the next one's first claims: its sensor, select, suggest
and launch. The end is included: lanes that have nothing left to do count as idle until the last trial has ended.
"""

import argparse
import heapq
import itertools
import random
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from windtunnel.definition import Definition, load_definition
from windtunnel.ledger import Plan, Request
from windtunnel.ledger.prediction import timed_by
from windtunnel.ledger.queue import in_order
from windtunnel.space import Space
from windtunnel.stages.continuous import batch_size, trial_times, what_follows
from windtunnel_trainer.workloads.cnn import cost

SEARCH = Path(__file__).parent.parent / "include/searches/mnist_cnn.yaml"
NOISE = 0.15  # standard deviation of the logarithm of (time taken / time predicted)
TURNS = (2.0, 5.0, 20.0)  # seconds
MEANS = (1.0, 3.0, 10.0, 30.0, 60.0, 180.0, 600.0)  # seconds of a trial
MINUTES = 180.0  # of MEANS, what the targets are meant for
TARGETS = {(8, 74): 0.83, (8, 740): 0.97, (16, 740): 0.93}  # by lanes and trials
_COSTS = 0.01  # of the lanes' time: a turn that takes more begins to cost
_TIMED = 200  # trials whose times correct what is predicted, as of a lane

Times = Callable[[Request], float]


@dataclass
class Simulation:
    """A search on lanes that claim, at one moment.

    Attributes:
        definition: of the search, with its lanes.
        times: the seconds that a trial takes.
        suggest: so many further trials, as an iteration that is over asks for them.
        turn: seconds from an iteration's end to the next one's first claims.
        ended: the trials that have ended, in order.
    """

    definition: Definition
    times: Times
    suggest: Callable[[int], list[Request]]
    turn: float
    ended: list[Request] = field(default_factory=list)
    _now: float = 0.0
    _worked: float = 0.0
    _queue: list[Request] = field(default_factory=list)  # who is next, first
    _running: list[tuple[float, str, Request]] = field(default_factory=list)  # by their ends, a heap

    @property
    def underway(self) -> list[Request]:
        """The trials that run, and those that wait for a lane."""
        return [*(request for *_, request in self._running), *self._queue]

    def busy(self) -> float:
        """Perform the whole search; the share of the lanes' time that trials took."""
        for number, plan in enumerate(self._plans()):
            self._turn(self.turn if number else 0.0)
            timed = [timed_by(request, self.times(request)) for request in self.ended[-_TIMED:]]
            self._queue = in_order([*self._queue, *plan.requests], timed)
            self._claim()
            while not plan.is_over(len(self._running) + len(self._queue), len(self._queue)):
                self._step()
        while self._running:
            self._step()
        return self._worked / (self._lanes * self._now)

    @property
    def _lanes(self) -> int:
        return self.definition.limits.parallel or 1

    def _plans(self) -> Iterator[Plan]:
        left = self.definition.most_trials
        for k in itertools.count(1):
            seconds = {request.trial: self.times(request) for request in self.ended}
            times = trial_times([*self.ended, *self.underway], seconds)
            first = min(self.definition.trials.initial, left)
            requests = self.suggest(first if k == 1 else batch_size(self.definition, left, times.values()))
            left -= len(requests)
            ends = k == self.definition.iterations
            begun = [*self.underway, *requests]
            times = trial_times([*self.ended, *begun], seconds)
            ahead, last = what_follows(self.definition, last=ends, more=left > 0, requests=begun, times=times)
            yield Plan(stage=str(k), requests=requests, jobs=[], ahead=ahead, last=last)
            if not left:
                return

    def _claim(self) -> None:
        while self._queue and len(self._running) < self._lanes:
            request = self._queue.pop(0)
            seconds = self.times(request)
            self._worked += seconds
            heapq.heappush(self._running, (self._now + seconds, request.trial, request))

    def _step(self) -> None:
        """Go on to the next end of a trial, whose lane claims another."""
        end, _, request = heapq.heappop(self._running)
        self._now = end
        self.ended.append(request)
        self._claim()

    def _turn(self, seconds: float) -> None:
        until = self._now + seconds
        while self._running and self._running[0][0] <= until:
            self._step()
        self._now = until


def networks(definition: Definition, rng: random.Random) -> Iterator[Request]:
    """Networks that keep the constraints, without end."""
    space = Space.parse(definition.space or {})
    while True:
        params = space.sample(rng)
        values = cost(params, definition.settings)
        if all(values[name] <= bound.max for name, bound in definition.constraints.items() if bound.max is not None):
            name = f"{rng.getrandbits(64):016x}"
            yield Request(trial=f"{name}-e1", config=name, params=params, epochs=1, stage="1", cost=values["work"])


def sized(lanes: int, trials: int, *, continuous: bool = True, ahead: int | None = None) -> Definition:
    """A search of so many trials on so many lanes, its batches by default as large as a definition says."""
    more = {"trials": {"ahead": ahead}} if ahead is not None else {}
    limits = {"parallel": lanes, "trials": trials}
    fields = {"name": "simulated", "workload": "simulated", "objectives": {"val_acc": "maximize"}}
    return Definition.model_validate(fields | {"continuous": continuous, "limits": limits} | more)


def mean_busy(of: Definition, turn: float, mean: float, drawn: Sequence[Sequence[Request]]) -> float:
    """The share of the lanes' time that trials take, on average over some searches.

    Args:
        of: the search.
        turn: seconds of Airflow's.
        mean: seconds of a trial, on average.
        drawn: the trials of each search.
    """
    return statistics.mean(_busy(of, turn, mean, trials, seed) for seed, trials in enumerate(drawn))


def _busy(of: Definition, turn: float, mean: float, trials: Sequence[Request], seed: int) -> float:
    rng = random.Random(-seed - 1)
    used = trials[: of.most_trials]
    second = mean / statistics.mean(request.cost for request in used)
    times = {request.trial: request.cost * second * rng.lognormvariate(0, NOISE) for request in used}
    source = iter(used)
    return Simulation(
        of, lambda request: times[request.trial], lambda n: list(itertools.islice(source, n)), turn
    ).busy()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10)
    seeds = parser.parse_args().seeds
    definition = load_definition(SEARCH)
    most = max(trials for _, trials in TARGETS)
    drawn = [list(itertools.islice(networks(definition, random.Random(seed)), most)) for seed in range(seeds)]
    spread = statistics.quantiles((request.cost for trials in drawn for request in trials), n=10)
    print(f"Simulated: {seeds} times {most} random networks of mnist_cnn; predictions off by {NOISE:.0%}.")
    print(f"Of their costs, the ninth decile is {spread[8] / spread[0]:.0f} times the first.")
    missed = [text for case, target in TARGETS.items() if (text := _table(*case, target, drawn))]
    print("\n" + ("; ".join(missed) if missed else "All targets are reached."))


def _table(lanes: int, trials: int, target: float, drawn: Sequence[Sequence[Request]]) -> str:
    """Print the table of a case; what it falls short of, empty where of nothing."""
    drawn = [longest[begin : begin + trials] for longest in drawn for begin in range(0, len(longest), trials)]
    title = f"{lanes} lanes, {trials} trials, {len(drawn)} searches"
    print(f"\n{title}; the target, where trials take minutes, is {target:.0%}.")
    print(f"{'busy, by the mean length of a trial':<44}" + "".join(f"{_length(mean):>8}" for mean in MEANS))
    of = sized(lanes, trials)
    free = [mean_busy(of, 0.0, mean, drawn) for mean in MEANS]
    reached = []
    for turn in TURNS:
        shares = [mean_busy(of, turn, mean, drawn) for mean in MEANS]
        reached.append(shares[MEANS.index(MINUTES)])
        cheap = [mean for mean, share, most in zip(MEANS, shares, free, strict=True) if share >= most - _COSTS]
        begins = f"costs below {_length(cheap[0])}" if cheap else "costs at every length"
        print(_row(f"continuous, turns of {turn:g} s ({begins})", shares))
    for name, other in (
        ("barrier", sized(lanes, trials, continuous=False)),
        ("ahead: 0", sized(lanes, trials, ahead=0)),
    ):
        print(_row(f"{name}, turns of 5 s", [mean_busy(other, 5.0, mean, drawn) for mean in MEANS]))
    return f"{lanes} lanes, {trials} trials: {min(reached):.1%} of {target:.0%}" if min(reached) < target else ""


def _row(name: str, shares: Sequence[float]) -> str:
    return f"{name:<44}" + "".join(f"{share:>8.1%}" for share in shares)


def _length(seconds: float) -> str:
    return f"{seconds:g} s" if seconds < 60 else f"{seconds / 60:g} min"


if __name__ == "__main__":
    main()
