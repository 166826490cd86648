"""The benchmark of lanes measures a run as it simulates it; the run itself is Airflow's, and left to the command."""

import pytest
import yaml

from benchmarks import lanes
from tests.definitions import definition_from
from tests.runs import begin_by_hand
from windtunnel.cli import main
from windtunnel.ledger import Ledger, Plan, Request, Result, State
from windtunnel.stores import open_store


def test_a_run_that_went_as_simulated_is_as_busy(tmp_path):
    fields = lanes.fields(trials=6, lanes=2, mean=60)
    definition = definition_from({"name": "lanes"} | fields)
    assert definition.most_trials == 6
    assert sum(fields["settings"]["seconds"]) / 6 == pytest.approx(60, rel=0.3)
    ledger = begin_by_hand(Ledger(open_store(str(tmp_path)), "lanes", "run"), definition)
    asked = [
        Request(trial=f"{n:016x}-e1", config=f"{n:016x}", params={"n": n}, epochs=1, stage="1", cost=1.0, iteration=1)
        for n in range(6)
    ]
    ledger.create_plan(Plan(stage="1", requests=asked, jobs=[], ahead=0, last=True))
    for request in asked:  # one after the other: one of two lanes is idle
        start = f"2026-11-21T09:00:{request.params['n']}0+00:00"
        ledger.record(Result(trial=request.trial, state=State.COMPLETED, started=start, seconds=10.0))
    assert lanes.measured(ledger, 2) == pytest.approx(0.5)
    assert 0.5 < lanes.simulated(ledger, definition, 5.0) <= 1.0


def test_a_trial_of_it_ends_with_a_score(tmp_path, capfd):
    file = tmp_path / "lanes.yaml"
    file.write_text(yaml.safe_dump(lanes.fields(trials=6, lanes=2, mean=0.01)))
    assert main(["try", str(file)]) == 0
    assert "objectives: score " in capfd.readouterr().out
