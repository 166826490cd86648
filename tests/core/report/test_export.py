import json
from collections.abc import Mapping

import pytest

from tests.core.report import made_up
from windtunnel.ledger import Ledger, State, Trial
from windtunnel.report import collect
from windtunnel.report.export import flat
from windtunnel.stores.local import LocalStore


def read(field):
    """What a field stands for: JSON where it is some, else the text itself."""
    if not isinstance(field, str):
        return field
    try:
        return json.loads(field)
    except ValueError:
        return field


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        " ",
        "null",
        1,
        1.5,
        True,
        "true",
        [1, [2, {"k": None}]],
        {"a": {"b": True}},
        "adam",
        "größe",
        "[x",
    ],
)
def test_every_value_can_be_read_back_from_its_field(value):
    nothing = {"objectives": {}, "metrics": {}, "test": {}}
    rows = flat([{"params": {"a": value}, **nothing}, {"params": {"b": 1}, **nothing}])
    assert read(rows[0]["params.a"]) == value and type(read(rows[0]["params.a"])) is type(value)
    assert not isinstance(rows[0]["params.a"], Mapping | list | bool)
    assert rows[1]["params.a"] is None and rows[0]["params.a"] not in (None, "")


def test_a_failed_trial_shows_what_it_had_reported(tmp_path):
    ledger = Ledger(LocalStore(tmp_path), "digits_cnn", "run")
    made_up.fill(ledger)
    snapshot = collect(ledger)
    failed = next(trial for trial in snapshot.trials if trial.state is State.FAILED)
    reported = failed.result.model_copy(update={"metrics": {"val_acc": 0.5, "loss": 2.0, "flops": None}})
    trial = Trial(failed.request, reported)
    assert snapshot.objectives_of(trial)["val_acc"] == 0.5
    assert snapshot.metrics_of(trial)["loss"] == 2.0
    assert trial.objectives == {}
