"""How busy the lanes are, with the quorum and without, on the MNIST space's real mix of costs.

    python benchmarks/utilisation.py [--seeds 200]

A simulation: the costs are those that `windtunnel_trainer.workloads.cnn.cost` predicts for networks drawn at random
from include/searches/mnist_cnn.yaml that keep its constraints; the dealing is `windtunnel.stages.lanes.deal` and the
rule for going on is `windtunnel.launchers.monitor.may_lack`, as in a run. A trial takes its predicted cost times a
random factor, for a prediction is not the truth.

- barrier, FIFO: trials in order of suggestion, each to the next free lane; the next iteration begins when all are done.
- barrier, dealt: our dealing, longest first, into one job a lane.
- quorum q: dealt into the free lanes; the next iteration begins when (1 - q) of the lanes' worth of trials are lacking.
"""

import argparse
import heapq
import random
import statistics
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from windtunnel.definition import Definition, load_definition
from windtunnel.launchers.monitor import may_lack
from windtunnel.ledger import Request
from windtunnel.space import Space
from windtunnel.stages.lanes import deal
from windtunnel_trainer.workloads.cnn import cost

SEARCH = Path(__file__).parent.parent / "include/searches/mnist_cnn.yaml"
NOISE = 0.15  # standard deviation of the logarithm of (time taken / time predicted)


@dataclass
class Lanes:
    """So many lanes, and the jobs on them; a job is the times that its trials take, in order.

    Attributes:
        count: of the lanes.
        now: the simulated time.
        worked: lane-time that trials have taken until now.
    """

    count: int
    now: float = 0.0
    worked: float = 0.0
    _ends: list[float] = field(default_factory=list)  # of trials on the way, a heap
    _jobs: list[float] = field(default_factory=list)  # ends of jobs

    @property
    def busy(self) -> int:
        """Lanes whose job has not ended."""
        return sum(end > self.now for end in self._jobs)

    def put(self, job: list[float]) -> None:
        """Start a job on a free lane."""
        end = self.now
        for seconds in job:
            end += seconds
            heapq.heappush(self._ends, end)
            self.worked += seconds
        self._jobs.append(end)

    def wait(self, lacking: int) -> None:
        """Go on to the moment when at most so many trials are on the way."""
        while len(self._ends) > lacking:
            self.now = max(self.now, heapq.heappop(self._ends))

    @property
    def used(self) -> float:
        """Share of the lanes' time that trials took; what is on the way counts as far as it has come."""
        ahead = sum(max(0.0, end - self.now) for end in self._jobs)
        return (self.worked - ahead) / (self.count * self.now)


def fifo(iterations: list[list[Request]], lanes: int, rng: random.Random) -> tuple[float, float]:
    """Utilisation and duration with a barrier and a queue."""
    now = worked = 0.0
    for requests in iterations:
        free = [now] * lanes
        for request in requests:
            seconds = taken(request, rng)
            heapq.heappush(free, heapq.heappop(free) + seconds)
            worked += seconds
        now = max(free)
    return worked / (lanes * now), now


def dealt(iterations: list[list[Request]], count: int, rng: random.Random, quorum: float) -> tuple[float, float]:
    """Utilisation and duration as Windtunnel runs it; the end is when the last selection may take place."""
    lanes = Lanes(count)
    for requests in iterations:
        for job in deal(requests, max(1, count - lanes.busy)):
            lanes.put([taken(request, rng) for request in job])
        lanes.wait(may_lack(quorum, count))
    return lanes.used, lanes.now


def taken(request: Request, rng: random.Random) -> float:
    return request.cost * rng.lognormvariate(0, NOISE)


def networks(definition: Definition, rng: random.Random) -> Iterator[Request]:
    """Networks that keep the constraints, without end."""
    space = Space.parse(definition.space or {})
    while True:
        params = space.sample(rng)
        values = cost(params, definition.settings)
        if all(values[name] <= bound.max for name, bound in definition.constraints.items() if bound.max is not None):
            name = f"{rng.getrandbits(64):016x}"
            yield Request(trial=f"{name}-e1", config=name, params=params, epochs=1, stage="1", cost=values["work"])


def search(definition: Definition, rng: random.Random) -> list[list[Request]]:
    """The trials of a search's iterations."""
    drawn = networks(definition, rng)
    sizes = [definition.trials.initial] + [definition.trials.per_iteration] * (definition.iterations - 1)
    return [[next(drawn) for _ in range(size)] for size in sizes]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=200)
    seeds = parser.parse_args().seeds
    definition = load_definition(SEARCH)
    costs = [request.cost for request, _ in zip(networks(definition, random.Random(0)), range(2000), strict=False)]
    spread = statistics.quantiles(costs, n=10)
    sizes = f"{definition.trials.initial} + {definition.iterations - 1} x {definition.trials.per_iteration}"
    print(f"Simulated: {seeds} searches of {sizes} random networks of mnist_cnn; predictions off by {NOISE:.0%}.")
    print(f"Of their costs, the ninth decile is {spread[8] / spread[0]:.0f} times the first.\n")
    print(f"{'lanes':>5}  {'rule':<16} {'busy':>6} {'duration':>9}")
    for lanes in (2, 4, 8, 16):
        rules = {
            "barrier, FIFO": lambda trials, rng, lanes=lanes: fifo(trials, lanes, rng),
            "barrier, dealt": lambda trials, rng, lanes=lanes: dealt(trials, lanes, rng, 1.0),
            "quorum 0.75": lambda trials, rng, lanes=lanes: dealt(trials, lanes, rng, 0.75),
            "quorum 0.5": lambda trials, rng, lanes=lanes: dealt(trials, lanes, rng, 0.5),
        }
        base = 0.0
        for name, rule in rules.items():
            runs = [rule(search(definition, random.Random(seed)), random.Random(-seed - 1)) for seed in range(seeds)]
            used, duration = (statistics.mean(values) for values in zip(*runs, strict=True))
            base = base or duration
            print(f"{lanes:>5}  {name:<16} {used:>6.1%} {duration / base:>8.0%}")
        print()
    print("Duration is until the last selection, relative to the plain barrier.")


if __name__ == "__main__":
    main()
