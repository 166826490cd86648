"""Both engines perform the same stages: Airflow's tasks, and the one without Airflow."""

import pytest

from tests.airflow.instant import InstantLauncher
from tests.airflow.support import SEARCH
from tests.definitions import definition_from
from windtunnel import stages
from windtunnel.definition import resolve
from windtunnel.engine import Engine
from windtunnel.ledger import Ledger
from windtunnel.stores.local import LocalStore


def told(ledger):
    """What a run comes to, times aside."""
    front, models = ledger.read_json("pareto.json"), ledger.read_json("models.json")
    return {
        "front": [(each["trial"], each["params"], each["objectives"]) for each in front["trials"]],
        "knee": front["knee"],
        "hypervolume": front["hypervolume"],
        "models": [(each["trial"], each["verdict"], each["test"]) for each in models["models"]],
        "trials": {trial: (each.state, each.metrics) for trial, each in ledger.outcomes().items()},
        "plans": {str(stage): [each.trial for each in ledger.plan(stage).requests] for stage in ledger.stages()},
    }


@pytest.mark.slow
def test_both_engines_come_to_the_same_front_and_models(searches, tmp_path):
    searches.write("toy", seed=7)
    by_airflow = searches.run("toy")
    assert by_airflow.state == "success"
    definition = resolve(definition_from(SEARCH | {"name": "toy", "seed": 7}))
    ledger = Ledger(LocalStore(tmp_path / "runs"), "toy", "alone")
    Engine(stages.begin(definition, ledger, "alone")).perform()
    assert told(ledger) == told(by_airflow.ledger)
    assert len(told(ledger)["trials"]) >= 7
    assert len(InstantLauncher.trained) == 2 * len(told(ledger)["trials"])  # each engine trained its own
