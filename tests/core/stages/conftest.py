"""Searches whose trials are "trained" by writing their results: the stages cannot tell."""

import pytest

from windtunnel.definition.model import Definition
from windtunnel.ledger import Ledger, Result, State
from windtunnel.ledger.queue import unfinished
from windtunnel.stages import begin, goes_on, select, start, suggest
from windtunnel.stages.search import Search
from windtunnel.stores.local import LocalStore

SPACE = {"x": {"type": "int", "low": 0, "high": 30}, "y": {"type": "categorical", "choices": [1, 2, 4]}}


def definition(**more):
    fields = {
        "name": "toy",
        "workload": "tests.workloads.formula",
        "space": SPACE,
        "objectives": {"score": "maximize", "cost": "minimize"},
        "iterations": 3,
        "trials": {"initial": 6, "per_iteration": 6},
        "epochs": {"partial": 1, "full": 4},
        "limits": {"parallel": 2},
    }
    return Definition.model_validate(fields | more)


class Bench:
    """A store with runs in it, and a trainer that knows the results."""

    def __init__(self, folder):
        self.store = LocalStore(folder)
        self.trained = []

    def begin(self, run="run", session="s1", **more):
        keywords = {
            key: more.pop(key) for key in ("origin", "retry_failed", "running", "sleep", "written") if key in more
        }
        ledger = Ledger(self.store, "toy", run)
        search = begin(definition(**more), ledger, session, **keywords)
        if ledger.manifest() is None:
            ledger.write_json("data/manifest.json", {"digest": "d", "files": {}, "splits": {}})
        start(search)
        return search

    def train(self, search: Search, plan, fail=lambda request: False, only=None):
        for request in unfinished(search.ledger, [plan.stage], search.ledger.ended()):
            if only is None or request.trial in only:
                self.trained.append(request.trial)
                search.ledger.record(outcome(request, fail(request)))

    def iterate(self, search, groups, **how):
        for group in range(1, groups + 1):
            if not goes_on(search, group):
                break
            k = search.iteration(group)
            self.train(search, suggest(search, k), **how)
            select(search, k)


def outcome(request, failed=False):
    facts = {"trial": request.trial, "config": request.config, "params": request.params, "epochs": request.epochs}
    if failed:
        return Result(**facts, state=State.FAILED, kind="error", message="as asked")
    score = -((request.params["x"] - 20) ** 2) * request.params["y"] + request.epochs
    return Result(**facts, state=State.COMPLETED, objectives={"score": score, **request.known})


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


def units_of(plan):
    """The trials that a stage asks for, infeasible ones aside."""
    return [request.trial for request in plan.requests if not request.infeasible]
