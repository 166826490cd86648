"""Ids that are the same wherever the same thing is meant, so that no repetition costs anything."""

import hashlib
import math
import re
from collections.abc import Container, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import rfc8785

from windtunnel.ledger.session import Session
from windtunnel.ledger.stage import Stage

_TRIAL = re.compile(r"[0-9a-f]{16}-e[0-9]+(\.[0-9]+)?(\.s[0-9]+)?(\.r[0-9]+)?")
_VERIFICATION = "verify-"
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


def config_id(
    *,
    workload: str,
    code: str,
    settings: Mapping[str, Any],
    horizon: float,
    best: Sequence[str] | None,
    data: str,
    params: Mapping[str, Any],
    seed: int,
    script: Mapping[str, Any] | None = None,
) -> str:
    """The id of a configuration: 16 hex digits that depend on everything that decides its training.

    Args:
        workload: dotted name of the workload's module.
        code: digest of the workload's source.
        settings: the definition's fixed settings.
        horizon: epochs that schedules are laid out for.
        best: the objective whose best epoch gives the values, and its direction; None where the last epoch does.
        data: digest of the prepared data.
        params: the searched parameters.
        seed: of the trial's training; the search's own seed is not part of the id.
        script: how a script is run and read; None for a workload.
    """
    facts = {
        "workload": workload,
        "code": code,
        "settings": settings,
        "horizon": horizon,
        "best": best,
        "data": data,
        "params": params,
        "seed": seed,
    } | ({"script": script} if script is not None else {})
    return hashlib.sha256(canonical_json(facts)).hexdigest()[:16]


def canonical_json(value: Any) -> bytes:
    """Canonical JSON (RFC 8785): equal values give equal bytes."""
    return rfc8785.dumps(_plain(value))


def trial_id(config: str, epochs: float, repeat: int = 0) -> str:
    """The id of a configuration trained to a number of epochs, such as `0123456789abcdef-e0.1`; `….s1` is a repeat."""
    return f"{config}-e{epochs_text(epochs)}" + (f".s{repeat}" if repeat else "")


def is_repeat(trial: str) -> bool:
    """Whether a trial measures its configuration again, with another seed."""
    return ".s" in trial


def repeated(trial: str) -> str:
    """The id of the first try of the trial that a repeat measures again; of another trial its own."""
    return first_id(trial).partition(".s")[0]


def config_of(trial: str) -> str:
    """The configuration that a trial trains."""
    return trial.partition("-e")[0]


def is_trial(unit: str) -> bool:
    """Whether a unit is a trial, by its id."""
    return _TRIAL.fullmatch(unit) is not None


def verification_id(trial: str) -> str:
    """The id of the unit that verifies a trial's model."""
    return f"{_VERIFICATION}{trial}"


def trial_of(unit: str) -> str:
    """The trial that a training or a verifying unit is about."""
    return unit.removeprefix(_VERIFICATION)


def epochs_text(epochs: float) -> str:
    """Epochs as a decimal without trailing zeros: `0.1`, `1`, `10`."""
    text = format(Decimal(str(epochs)), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def retry_id(trial: str) -> str:
    """The id of the next retry of a failed trial: `….r1` after the first try, `….r2` after that."""
    base, _, number = trial.partition(".r")
    return f"{base}.r{int(number or 0) + 1}"


def last_try(trial: str, tried: Container[str]) -> str:
    """The id of the last retry of a trial among those that were tried; its own where it was never retried."""
    again = retry_id(trial)
    return last_try(again, tried) if again in tried else trial


def last_tries(trials: Iterable[str]) -> list[str]:
    """Of each trial its last try, in the order of the first ones."""
    return list({first_id(trial): trial for trial in trials}.values())


def first_id(trial: str) -> str:
    """The id of the first try of a trial, whichever retry this is."""
    return trial.partition(".r")[0]


def steps(epochs: float, steps_per_epoch: int) -> int:
    """How many optimiser steps a number of epochs is, the last one begun counted whole."""
    return math.ceil(Decimal(str(epochs)) * steps_per_epoch)


def full_stage(iterations: int, sessions: Iterable[Session], *, chosen: bool) -> Stage:
    """The stage that trains the present finalists fully.

    Args:
        iterations: that are done.
        sessions: of the run so far.
        chosen: whether a person chose the finalists from another run; each session that retries has its own stage then.
    """
    return Stage.full(sum(session.retry_failed for session in sessions) if chosen else iterations)


def safe_name(name: str) -> str:
    """A name for a path that is equal for equal names only: unsafe characters are replaced and a digest then added."""
    safe = _UNSAFE.sub("_", name).strip(".")
    if safe == name and len(name) <= 128:
        return name
    return f"{safe[:112]}-{hashlib.sha256(name.encode()).hexdigest()[:12]}"


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value
