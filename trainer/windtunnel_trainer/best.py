"""Which report's values are the trial's, and the weights that they are of: the last, or the best by `objective_at`."""

from collections import ChainMap
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from windtunnel.definition.model import Definition
from windtunnel.errors import WorkloadError
from windtunnel.objectives.direction import better, told
from windtunnel_trainer import checkpoints, states
from windtunnel_trainer.checkpoints import Report, TrainingState

if TYPE_CHECKING:
    import torch


def chosen_report(progress: TrainingState, definition: Definition) -> Report | None:
    """The report whose values are the trial's, with the latest earlier value of each metric that it lacks."""
    last = progress.last and _filled(progress, progress.last)
    if definition.objective_at == "last" or progress.best is None or last is None:
        return last
    best = Report(**progress.best["report"])
    return last if last.epoch == best.epoch or _is_better(last, best, definition) else _filled(progress, best)


def is_past(progress: TrainingState, definition: Definition) -> bool:
    """Whether the chosen report is of other weights than the models have now."""
    chosen, last = chosen_report(progress, definition), progress.last
    return chosen is not None and last is not None and chosen.epoch != last.epoch


def keep_best(progress: TrainingState, definition: Definition, report: Report, objects: Mapping[str, Any]) -> None:
    """Keep the weights of the models among the objects where the report is the best, and `objective_at` asks for it.

    Only reports at the end of a whole epoch count.
    """
    if definition.objective_at == "last" or not report.ends_epoch:
        return
    best = Report(**progress.best["report"]) if progress.best else None
    if best is None or best.epoch == report.epoch or _is_better(report, best, definition):
        weights = {name: states.copied(model) for name, model in _models(objects).items()}
        progress.best = {"report": asdict(report), "weights": weights}


def find_best(progress: TrainingState, definition: Definition) -> None:
    """Find the best of the reports anew, where no weights are kept."""
    progress.best = None
    for report in progress.reports:
        keep_best(progress, definition, report, {})


def load_best(progress: TrainingState, model: "torch.nn.Module", objects: Mapping[str, Any]) -> None:
    """Put the best epoch's weights into a model.

    Args:
        progress: that holds them.
        model: one of the trial's models, one that holds such models, or a part of one.
        objects: the trial's, models and others, by name.

    Raises:
        WorkloadError: weights of the model that training changes were not kept.
    """
    weights = progress.best["weights"] if progress.best else {}
    own = _tensors(model)
    kept: set[int] = set()
    for name, trained in _models(objects).items():
        if own & (tensors := _tensors(trained)) and name in weights:
            checkpoints.load_states({name: trained}, weights, "the best epoch")
            kept |= tensors
    if not kept or not {id(tensor) for tensor in model.parameters() if tensor.requires_grad} <= kept:
        raise WorkloadError("the best weights are not kept: give the exported model to trial.restore()")


def _filled(progress: TrainingState, report: Report) -> Report:
    """The report with the latest earlier value of what it lacks: not every metric comes with every epoch."""
    earlier = [one.metrics for one in progress.reports if one.epoch <= report.epoch]
    return replace(report, metrics=dict(ChainMap(report.metrics, *reversed(earlier))))


def _is_better(report: Report, other: Report, definition: Definition) -> bool:
    name, direction = next(iter(definition.objectives.items()))
    value, held = report.metrics.get(name), other.metrics.get(name)
    return told(value) and (not told(held) or better(value, held, direction))


def _models(objects: Mapping[str, Any]) -> "dict[str, torch.nn.Module]":
    if not objects:  # a trial without torch
        return {}
    import torch

    return {name: item for name, item in objects.items() if isinstance(item, torch.nn.Module)}


def _tensors(model: "torch.nn.Module") -> set[int]:
    """Identities of the model's parameters and buffers."""
    return {id(tensor) for tensor in (*model.parameters(), *model.buffers())}
