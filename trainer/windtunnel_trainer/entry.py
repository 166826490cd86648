"""How a workload's function is called: with the trial, or with arguments and a reporter, as AutoGluon has it."""

import inspect
from collections.abc import Callable
from typing import Any

from windtunnel_trainer.trial import Trial


class Arguments(dict[str, Any]):
    """A trial's parameters and settings, and its id as `task_id`: `args.lr` is `args["lr"]`."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"there is no parameter or setting {name!r}; there are {', '.join(self)}") from None


def caller(train: Callable[..., Any]) -> Callable[[Trial], Any]:
    """How to train a trial by a workload's function.

    Args:
        train: `train(trial)`, or a function with a second parameter that must be given, `train(args, reporter)`.
    """
    if not _wants_reporter(train):
        return train
    return lambda trial: train(Arguments({**trial.settings, **trial.params, "task_id": trial.id}), trial.report)


def _wants_reporter(train: Callable[..., Any]) -> bool:
    parameters = list(inspect.signature(train).parameters.values())
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    needed = [each for each in parameters if each.kind in positional and each.default is each.empty]
    return len(needed) == 2
