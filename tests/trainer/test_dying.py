"""A trial may die at any of its writes: its next start ends as the undisturbed one does, bit for bit."""

from contextlib import suppress

from tests.dying import DiesEverywhere, DiesOnce, Fate, Killed, mortal, objects
from tests.trainer.conftest import CONFIG
from windtunnel.ledger.ids import trial_id, verification_id
from windtunnel_trainer.saving import CHECKPOINT_SECONDS


def held(bench):
    """What the run holds, by path in it; a checkpoint's bytes tell the time."""
    found = objects(bench.ledger.store)
    return {
        path.removeprefix(bench.ledger.root): "there" if path.endswith("checkpoint.pt") else content
        for path, content in found.items()
        if path.startswith(bench.ledger.root)
    }


def trained(bench, fate):
    """Train a trial for an epoch and verify its model, however often its process dies; what the run holds then."""
    unit = trial_id(CONFIG, 1)
    with mortal(fate):
        for name, work in ((unit, lambda: bench.train(1.0)), (verification_id(unit), lambda: bench.verify(1.0))):
            while bench.ledger.result(name) is None:
                fate.begin(name)
                with suppress(Killed):
                    work()
    found = held(bench)
    for path in found.keys() | {entry.path.removeprefix(bench.ledger.root) for entry in bench.ledger.store.list()}:
        if CONFIG in path:
            bench.ledger.store.delete(bench.ledger.root + path)
    return found


def test_a_trial_may_die_before_and_after_each_of_its_writes(bench, monkeypatch):
    monkeypatch.setenv(CHECKPOINT_SECONDS, "0")
    bench, calm = bench(), Fate()
    expected = trained(bench, calm)
    assert len(calm.writes) > 12
    for n in range(1, len(calm.writes) + 1):
        for when in ("before", "after"):
            assert trained(bench, DiesOnce(n, when)) == expected


def test_the_data_may_die_before_and_after_each_of_its_writes(bench):
    calm, disturbed, fate = bench(), bench(), DiesEverywhere()
    for path in [entry.path for entry in disturbed.ledger.store.list(disturbed.ledger.path(""))]:
        if "/data/" in path or "prepare" in path:
            disturbed.ledger.store.delete(path)
    with mortal(fate):
        while disturbed.ledger.result("prepare") is None:
            fate.begin("prepare")
            with suppress(Killed):
                disturbed.run("prepare", "prepare")
    assert fate.deaths >= 2 * 6
    assert held(disturbed) == held(calm)
