"""Commands without Airflow that die at their writes: the same command, given again, finishes what was begun."""

from itertools import count
from unittest import mock

import pytest

from tests.definitions import definition_from
from tests.dying import DiesOnce, Fate, Killed, assert_claimed, assert_same, mortal, objects, step, tries
from tests.fleets import fleet_from
from tests.stepped import SteppedJobs, SteppedLauncher
from windtunnel import launchers, stages
from windtunnel.definition import checks, resolve
from windtunnel.engine import Engine, runs
from windtunnel.engine import fleet as fleets
from windtunnel.engine.fleet import FleetEngine
from windtunnel.ledger import Ledger
from windtunnel.stores import open_store
from windtunnel_trainer import units

SEARCH = {
    "name": "toy",
    "workload": "tests.workloads.sure",
    "objectives": {"score": "maximize", "cost": "minimize"},
    "settings": {"fail": [3, 5]},
    "iterations": 2,
    "trials": {"initial": 3, "per_iteration": 2, "default_first": True},
    "epochs": {"partial": 2, "full": 4},
    "early_stopping": {"halving": {"rungs": [1], "factor": 2}},
    "finalists": {"max": 2},
    "limits": {"parallel": 2, "trial_retries": 20},
    "launcher": "stepped",
    "seed": 3,
}
CODE = """
def run(mini_batch):
    return [{"file": path.rpartition("/")[2]} for path in mini_batch]


def evaluate(table):
    return {"rows": len(table.rows())}
"""
_SESSIONS = r"/(sessions|finished|closed|ended)/|jobs/lane-"  # each command is a session
PASSING = {
    "search": _SESSIONS,
    "fleet": rf"{_SESSIONS}|/(logs|samples|results|steps)/|/gathered/(batches|log)\.(csv|txt)$|search.json",
}


@pytest.fixture(autouse=True)
def cheap(monkeypatch):
    monkeypatch.setitem(launchers._LAUNCHERS, "stepped", "tests.stepped:SteppedLauncher")
    monkeypatch.setattr(checks, "LAUNCHERS", ("stepped",))
    monkeypatch.setattr(SteppedLauncher, "waiting", {})
    monkeypatch.setattr(units, "read_peak", lambda log: 0)


def runs_of(store, name):
    """The runs that a search or a fleet has something of."""
    return {path.split("/")[1] for path in (entry.path for entry in store.list(f"{name}/")) if path.count("/") > 1}


def command(kind, folder, url, jobs, number):
    """What `windtunnel run` does, in this process: the jobs work while it sleeps."""
    ledger, _ = runs.choose(open_store(url), "toy")
    session = f"command-{number}", lambda session: False
    if kind == "fleet":
        fleet = fleet_from(folder, code=CODE, launcher="stepped", limits={"parallel": 2})
        with mock.patch.object(fleets, "own_session", lambda ledger: session):
            FleetEngine(fleet, ledger, sleep=lambda _: jobs.perform()).perform()
    else:
        search = stages.begin(resolve(definition_from(SEARCH)), ledger, session[0], running=session[1])
        Engine(search, sleep=lambda _: jobs.perform()).perform()


def given_again(kind, folder, url, fate, *, together):
    """Give the command until it ends; whether everything dies `together`, or what it launched outlives it."""
    jobs = SteppedJobs(fate, resumes=together, most=1)
    cancel = SteppedLauncher.cancel

    def only_the_living_cancel(launcher, ledger, which=None):
        if fate.dead:
            raise Killed
        cancel(launcher, ledger, which)

    def new(store, search):
        return Ledger(store, search, f"run{len(runs_of(store, search))}")

    with (
        mortal(fate),
        mock.patch.object(SteppedLauncher, "cancel", only_the_living_cancel),
        mock.patch.object(runs, "_new", new),
    ):
        for number in count(1):
            assert number < 4
            fate.begin("command")
            try:
                command(kind, folder, url, jobs, number)
                return
            except Killed:
                if together:
                    SteppedLauncher.waiting.clear()
                if runs.finished(Ledger(open_store(url), "toy", "run0")):
                    return  # its last write was made: the next command would begin another run


def dies_at(kind, tmp_path, store, every, first=1):
    """One death at each of the writes, or of some."""
    calm = Fate()
    given_again(kind, tmp_path, store("calm"), calm, together=False)
    expected, tried = objects(open_store(store("calm"))), tries(open_store(store("calm")))
    for n in range(first, len(calm.writes) + 1, every):
        for when in ("before", "after"):
            for together in (False, True):
                url, fate = store(f"{n}-{when}-{together}"), DiesOnce(n, when)
                given_again(kind, tmp_path, url, fate, together=together)
                found = open_store(url)
                assert fate.deaths == 1
                assert runs_of(found, "toy") == {"run0"}, f"{when} {calm.writes[n - 1]}"
                assert_same(found, expected, PASSING[kind])
                assert_claimed(found)
                assert tries(found).keys() >= tried.keys()


@pytest.mark.parametrize("kind", ["search", "fleet"])
def test_a_command_that_dies_at_some_writes_is_finished_by_the_same_command(kind, tmp_path):
    dies_at(kind, tmp_path, lambda name: str(tmp_path / "stores" / name), every=29)


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("kind", ["search", "fleet"])
def test_so_is_one_that_dies_at_any_write(kind, tmp_path):
    dies_at(kind, tmp_path, lambda name: str(tmp_path / "stores" / name), every=1)


@pytest.mark.azure
@pytest.mark.slow
@pytest.mark.parametrize("every", [71, pytest.param(step(17), marks=pytest.mark.long)])
@pytest.mark.parametrize("kind", ["search", "fleet"])
def test_so_is_one_whose_store_is_on_azure(kind, every, tmp_path, azurite_server, monkeypatch):
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", azurite_server.connection_string)
    name = f"dying-command-{kind}-{every}"
    dies_at(kind, tmp_path, lambda each: f"azure://{name}/{each}", every, first=min(3, every))
