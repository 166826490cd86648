"""What a stage costs: a fixed handful of requests to the store, however many iterations there were before."""

import json
from collections import Counter

import pytest

from tests.core.stages.conftest import units_of
from windtunnel.ledger.curves import METRICS, curve_metadata
from windtunnel.stages import choose_finalists, select, suggest

MOST = 6


class Counting:
    """A store that counts what is read of it."""

    def __init__(self, store, reads=None):
        self._store = store
        self.reads = Counter() if reads is None else reads

    def of_run(self, root):
        return Counting(self._store.of_run(root), self.reads)

    def __getattr__(self, name):
        method = getattr(self._store, name)
        if name not in ("get", "get_tagged", "stat", "list", "tail", "download"):
            return method

        def counted(*arguments):
            self.reads[name] += 1
            return method(*arguments)

        return counted


@pytest.fixture
def reads(bench):
    """How many reads and listings a call costs, and what it returns."""
    bench.store = Counting(bench.store)

    def reads(call, *arguments, **keywords):
        bench.store.reads.clear()
        value = call(*arguments, **keywords)
        return bench.store.reads.total(), value

    return reads


SEARCHES = {
    "plain": {},
    "halving": {
        "epochs": {"partial": 4, "full": 12},
        "early_stopping": {"halving": {"rungs": [1, 4], "factor": 3}},
    },
    "stale": {"stopping": {"stale_iterations": 9}},
}


def searched(bench, reads, search, iterations, late=False):
    """Perform iterations, one trial of each always late where that is wanted; what their stages cost."""
    costs = []
    for k in iterations:
        cost, plan = reads(suggest, search, k)
        costs.append(cost)
        units = units_of(plan)
        for unit in units[:1] if late else []:
            report = json.dumps({"epoch": 0.5, "score": 1.0})
            search.ledger.store.put(search.ledger.trial_path(unit, METRICS), b"{}\n", curve_metadata(report))
        bench.train(search, plan, only=set(units[1:] if late else units))
        cost, selection = reads(select, search, k)
        costs.append(cost)
        assert bool(selection.underway) is late
    return costs


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("more", SEARCHES.values(), ids=SEARCHES)
def test_suggestions_and_selections_cost_no_more_as_a_search_grows(bench, reads, more, late):
    search = bench.begin(iterations=10, limits={"parallel": 8}, strategy={"name": "random"}, **more)
    costs = searched(bench, reads, search, range(1, 11), late)
    assert max(costs) <= MOST
    assert reads(choose_finalists, search)[0] <= MOST
    for k in range(1, 11):  # a repeated task
        assert reads(suggest, search, k)[0] <= MOST and reads(select, search, k)[0] <= MOST


def test_nor_does_a_resumed_run(bench, reads):
    first = bench.begin(iterations=3, strategy={"name": "random"})
    searched(bench, reads, first, range(1, 4))
    first.ledger.close("s1")
    again = bench.begin(session="s2", iterations=3, strategy={"name": "random"}, retry_failed=True)
    assert max(searched(bench, reads, again, range(4, 7))) <= MOST


def test_a_run_without_the_copy_of_its_plans_gets_one(bench, reads):
    """As of version 0.1.0, or of a process that died between its writes."""
    search = bench.begin(iterations=5, strategy={"name": "random"})
    searched(bench, reads, search, range(1, 4))
    path = search.ledger.path("plans.json")
    whole = json.loads(search.ledger.store.get(path))
    search.ledger.store.delete(path)
    cost, plan = reads(suggest, search, 4)
    assert cost > MOST
    assert json.loads(search.ledger.store.get(path))["plans"][:3] == whole["plans"]
    bench.train(search, plan)
    assert reads(select, search, 4)[0] <= MOST


def test_other_readers_leave_a_run_as_it_is(bench, reads):
    first = bench.begin("first", strategy={"name": "random"})
    searched(bench, reads, first, range(1, 3))
    before = list(bench.store.list(first.ledger.path("")))
    bench.begin("second", warm_start=[first.ledger.url])
    assert list(bench.store.list(first.ledger.path(""))) == before
