"""A request that was read from a ledger is held against the search before anything is run for it."""

import pytest

from windtunnel.definition.model import Definition
from windtunnel.errors import LedgerError
from windtunnel.ledger import Request
from windtunnel_trainer.admission import check_request

CONFIG = "0123456789abcdef"
FIELDS = {
    "name": "toy",
    "workload": "tests.workloads.formula",
    "space": {"x": {"type": "int", "low": 0, "high": 30}},
    "objectives": {"score": "maximize"},
    "epochs": {"partial": 1, "full": 4},
}


def check(sources=(), fields=None, **asked):
    request = {"trial": f"{CONFIG}-e1", "config": CONFIG, "params": {"x": 3}, "epochs": 1.0, "stage": "1"} | asked
    check_request(Request.model_validate(request), Definition.model_validate(FIELDS | (fields or {})), sources)


def test_what_a_search_asks_for_is_run():
    check()
    check(epochs=4.0, continue_from=f"{CONFIG}-e1")
    check(continue_from=f"{CONFIG}-e0.5.r1", source="store/search/run", sources=["store/search/run"])
    check(epochs=9.0, fields={"epochs": {"partial": 1, "full": 4, "horizon": 9}})


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"params": {"x": 31}}, "params.x: found 31"),
        ({"params": {"x": 3, "y": 1}}, "params.y"),
        ({"epochs": 4.5}, "epochs: found 4.5; allowed: above 0 and at most 4"),
        ({"epochs": 0.0}, "epochs: found 0"),
        ({"epochs": float("inf")}, "epochs: found inf"),
        ({"continue_from": "fedcba9876543210-e1"}, f"allowed: a trial of configuration {CONFIG}"),
        ({"continue_from": f"{CONFIG}-evil"}, "continue_from"),
        ({"source": "store/search/run"}, "source: found 'store/search/run'; allowed: none"),
        ({"source": "store/search/run", "sources": ["store/search/other"]}, "allowed: store/search/other"),
    ],
)
def test_all_else_is_refused_by_name(asked, said):
    with pytest.raises(LedgerError, match="is not of this search, so nothing is run for it") as refused:
        check(**asked)
    assert said in str(refused.value)


def test_all_that_is_wrong_is_told_at_once():
    with pytest.raises(LedgerError, match=r"epochs.*source.*params\.x"):
        check(epochs=99.0, source="elsewhere/a/b", params={"x": -1})


def test_parameters_of_a_class_that_is_not_here_are_left_to_the_workload():
    check(fields={"space": {"graph": {"type": "no_such_module.Graphs"}}}, params={"graph": [1]})
