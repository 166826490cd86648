"""What a session runs is found by its digest, and by nothing else."""

import pytest

from windtunnel.errors import LedgerError
from windtunnel.ledger import Ledger, Spec
from windtunnel.stores.local import LocalStore

SPEC = Spec(definition={"b": 1, "a": [1.5]}, code="c")


@pytest.fixture
def ledger(tmp_path):
    return Ledger(LocalStore(tmp_path), "search", "run")


def test_equal_specifications_have_one_digest_and_others_another():
    assert Spec(code="c", definition={"b": 1, "a": [1.5]}).digest == SPEC.digest
    others = [
        SPEC.model_copy(update=change)
        for change in ({"code": "d"}, {"archive": "0"}, {"origin": {"from_run": "x", "trials": []}}, {"definition": {}})
    ]
    assert len({SPEC.digest, *(other.digest for other in others)}) == 5


def test_it_is_read_by_its_digest(ledger):
    assert ledger.write_spec(SPEC).spec == SPEC
    told = ledger.with_spec(SPEC.digest)
    assert (told.spec, told.digest, told.url) == (SPEC, SPEC.digest, ledger.url)


def test_the_order_of_objectives_is_kept_for_the_first_one_ranks_the_models(ledger):
    objectives = {"val_acc": "maximize", "params": "minimize"}
    spec = Spec(definition={"objectives": objectives}, code="")
    assert list(ledger.with_spec(ledger.write_spec(spec).digest).spec.definition["objectives"]) == list(objectives)
    turned = dict(reversed(objectives.items()))
    assert Spec(definition={"objectives": turned}, code="").digest != spec.digest


def test_writing_it_mends_what_took_its_place(ledger):
    ledger.store.put(ledger.path(f"specs/{SPEC.digest}.json"), b"{}")
    with pytest.raises(LedgerError, match="is not what begin wrote there"):
        _ = ledger.with_spec(SPEC.digest).spec
    ledger.write_spec(SPEC)
    assert ledger.with_spec(SPEC.digest).spec == SPEC


def test_a_digest_that_is_none_or_of_nothing_is_refused(ledger):
    ledger.write_json("search.json", {})
    with pytest.raises(LedgerError, match="is no digest of what is to be run"):
        _ = ledger.with_spec("../search").spec
    with pytest.raises(LedgerError, match="resume the run"):
        _ = ledger.with_spec("0" * 64).spec
    with pytest.raises(LedgerError, match="can be read only"):
        _ = ledger.spec


def test_the_runs_whose_files_may_be_taken_up_are_those_it_names():
    origin = {"from_run": "c", "trials": []}
    assert Spec(definition={"warm_start": ["a", "b"]}, code="", origin=origin).sources == ["a", "b", "c"]
    assert SPEC.sources == []
