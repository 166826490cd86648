import pytest

from windtunnel.errors import LedgerError
from windtunnel.ledger import Plan
from windtunnel.ledger.stage import Stage, StageKind


@pytest.mark.parametrize(
    ("name", "kind", "number", "label", "jobs"),
    [
        ("0", StageKind.SEARCH, 0, "warm start", "0-"),
        ("12", StageKind.SEARCH, 12, "iteration 12", "12-"),
        ("full-3", StageKind.FULL, 3, "full training", "full-3-"),
        ("verify-3", StageKind.VERIFY, 3, "verification", "verify-3-"),
        ("prepare", StageKind.PREPARE, 0, "data", "prepare"),
        ("prepare-r2", StageKind.PREPARE, 2, "data", "prepare-r2"),
    ],
)
def test_a_name_says_what_the_stage_is(name, kind, number, label, jobs):
    stage = Stage(name)
    assert (stage.kind, stage.number, stage.label, stage.jobs) == (kind, number, label, jobs)
    assert stage.is_iteration is (kind is StageKind.SEARCH)


def test_names_are_made_as_they_are_read():
    assert (Stage.iteration(3), Stage.full(3), Stage.full(3).verification) == ("3", "full-3", "verify-3")
    assert (Stage.preparation(0), Stage.preparation(2)) == ("prepare", "prepare-r2")


def test_stages_sort_by_when_they_happen():
    names = ["prepare", "prepare-r1", "1", "2", "full-2", "verify-2", "10", "full-10"]
    assert sorted(map(Stage, reversed(names)), key=lambda stage: stage.order) == names


@pytest.mark.parametrize("name", ["", "full", "full-", "iteration-1", "-1", "1.5", "try"])
def test_another_name_is_a_clear_error(name):
    with pytest.raises(LedgerError, match="is no stage"):
        _ = Stage(name).kind


def test_records_hold_stages():
    plan = Plan.model_validate_json('{"stage": "full-2", "requests": [], "jobs": []}')
    assert plan.stage.kind is StageKind.FULL
    assert '"stage":"full-2"' in plan.model_dump_json()
