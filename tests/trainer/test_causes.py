"""The words for a failure that a unit could not tell itself."""

import pytest

from windtunnel.ledger.stage import StageKind
from windtunnel_trainer.causes import why_ended

ENDED = "its process ended without a result, with exit code 3: "


@pytest.mark.parametrize(
    ("kind", "line", "why"),
    [
        (StageKind.FULL, "epoch 2", "train() must return, or raise an error"),
        (StageKind.PREPARE, "epoch 2", "it must return, or raise an error"),
        (StageKind.VERIFY, "", "it must return, or raise an error"),
        (StageKind.VERIFY, "OSError: no such file", "OSError: no such file"),
    ],
)
def test_only_a_trial_is_told_what_train_must_do(kind, line, why):
    assert why_ended(3, line, kind) == ENDED + why
