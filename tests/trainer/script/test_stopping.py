"""Early stopping of scripts, step by step: each script waits after an epoch until the rules have let it go on."""

import pytest

from windtunnel.ledger import State
from windtunnel.ledger.ids import trial_id
from windtunnel_trainer import units
from windtunnel_trainer.stopping import Rules

STEPS = """
    import os, sys, time
    own, epochs = sys.argv[1], int(sys.argv[2])
    for epoch in range(1, epochs + 1):
        open(f"{own}/began-{epoch}", "w").close()
        print(f"accuracy={float(sys.argv[3]) * epoch}", flush=True)
        while epoch < epochs and not os.path.exists(f"{own}/go-{epoch}"):
            time.sleep(0.01)
"""


@pytest.fixture
def search(lab, each_store, tmp_path):
    """Trains a configuration of a script by rules; between two epochs others may be trained."""
    made = []

    def train(lr, rules, between=lambda epoch: None):
        if not made:
            script = {"arguments": f"{tmp_path}/{{lr}} {{epochs}} {{lr}}"}
            made.append(lab(STEPS, script, epochs={"partial": 4, "full": 4}, early_stopping=rules, store=each_store))
        folder = tmp_path / str(lr)
        folder.mkdir()
        config = f"{round(lr * 1000):016x}"
        own = {"config": config, "trial": trial_id(config, 4)}
        request = made[0].ledger.begin_trial(made[0].request({"lr": lr}, 4).model_copy(update=own))
        decide = Rules(made[0].ledger, made[0].definition, request)

        def stop(reports):
            between(len(reports))
            judgement = decide(reports)
            if judgement is None:
                (folder / f"go-{len(reports)}").touch()
            return judgement

        result = units.train(made[0].ledger, made[0].definition, request, stop, first_start=True)
        return result, len(list(folder.glob("began-*")))

    return train


@pytest.mark.parametrize(
    ("rules", "epoch"),
    [
        ({"bandit": {"slack_factor": 0.5, "delay_evaluation": 2}}, 2),
        ({"median": {"delay_evaluation": 3}}, 3),
        ({"median": {"evaluation_interval": 2}}, 2),
        ({"truncation": {"truncation_percentage": 40}}, 1),
        ({"truncation": {"truncation_percentage": 40, "delay_evaluation": 3}}, 3),
    ],
)
def test_a_rule_ends_a_script_at_its_epoch_and_not_one_epoch_later(search, rules, epoch):
    for lr in (0.9, 0.8):
        result, begun = search(lr, rules)
        assert (result.state, result.epoch, begun) == (State.COMPLETED, 4, 4)
    result, begun = search(0.1, rules)
    assert (result.state, result.kind, result.epoch, begun) == (State.STOPPED, next(iter(rules)), epoch, epoch)
    assert result.objectives == {"accuracy": pytest.approx(0.1 * epoch)}


def test_a_script_is_compared_with_what_others_have_reported_by_then(search):
    rules = {"median": {}}

    def between(epoch):
        if epoch == 3:  # at its first two epochs it was alone
            for lr in (0.9, 0.8):
                search(lr, rules)

    result, begun = search(0.1, rules, between)
    assert (result.state, result.kind, result.epoch, begun) == (State.STOPPED, "median", 3, 3)
