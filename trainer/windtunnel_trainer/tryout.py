"""Train one trial in the foreground, for whoever writes a workload: `python -m windtunnel_trainer.tryout FILE`."""

import argparse
import json
import math
import os
import random
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from windtunnel.definition import Definition, load_definition, resolve
from windtunnel.definition.program import program_of, warnings_of
from windtunnel.definition.threads import threads_of
from windtunnel.errors import INTERRUPTED, DefinitionError, Stopped, WindtunnelError
from windtunnel.host.machine import now
from windtunnel.host.signals import heed_one_signal
from windtunnel.ledger import Ledger, Spec
from windtunnel.ledger.session import Session
from windtunnel.ledger.stage import Stage, StageKind
from windtunnel.space import Params
from windtunnel.stages import Search
from windtunnel.strategies import get_strategy
from windtunnel.text import counted, printable
from windtunnel.workload.contract import Workload
from windtunnel.workload.files import code_digest
from windtunnel.workload.source import upload_source
from windtunnel_trainer import child, units
from windtunnel_trainer.data import FOLDER_VARIABLE
from windtunnel_trainer.job import THREAD_VARIABLES
from windtunnel_trainer.processes import children
from windtunnel_trainer.rehearsal import rehearse


def main(argv: list[str] | None = None) -> int:
    """Prepare the data, train one trial and verify its model; returns the exit code."""
    arguments = _arguments(argv)
    if arguments.data is not None:
        os.environ[FOLDER_VARIABLE] = str(arguments.data)
    if argv is None:
        heed_one_signal()
    child.adopt()
    others = children(os.getpid())
    try:
        definition = resolve(load_definition(arguments.file))
        arguments.epochs = definition.epochs.partial if arguments.epochs is None else arguments.epochs
        if not 0 < arguments.epochs < math.inf:
            raise DefinitionError(f"--epochs: found {arguments.epochs:g}; allowed: a number above 0")
        with _ledger(definition.name, arguments.keep) as ledger:
            search = _search(ledger, definition)
            attempt(search, _params(search, arguments.params, arguments.seed), arguments.epochs)
            if arguments.keep is not None:
                _say(f"\nkept in {ledger.url}")
    except WindtunnelError as error:
        sys.stderr.write(f"{type(error).__name__}: {error}{_where(error)}\n")
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED  # whoever started this says so
    except Stopped as stopped:
        sys.stderr.write(f"{printable(stopped.told)}\n")
        return stopped.exit_code
    except Exception:
        traceback.print_exc()
        return 1
    finally:
        child.end_orphans(others)  # a daemon that the workload leaves would hold whoever reads what is said here
    return 0


def attempt(search: Search, params: Params, epochs: float) -> None:
    """Do to one configuration all that a search would, and say what comes of it and how long each stage takes.

    Args:
        search: on a new run.
        params: the configuration.
        epochs: to train.

    Raises:
        Exception: whatever the workload raises.
    """
    ledger, definition = search.ledger, search.definition
    seconds: dict[str, float] = {}  # by stage
    with _timed(seconds, "import"):
        workload = units.preload(definition, StageKind.SEARCH)
        _use_threads(definition, workload)
    ledger.begin({"definition": definition.model_dump(mode="json"), "code": search.code})
    with _timed(seconds, "prepare"):
        prepared = units.prepare(ledger, definition)
    if prepared.metrics:
        _say(f"data: {_listed(prepared.metrics)}")
    search.known(params)  # an error of cost() is told, where a search would pass the configuration over
    request = search.request(params, epochs, Stage.iteration(1))
    ledger.begin_trial(request)
    _say(
        f"trial: {json.dumps(params)}, {counted(epochs, 'epoch')}, "
        f"{_listed(request.known) or 'nothing known before training'}"
    )
    with _timed(seconds, "rehearsal"):
        rehearse(workload, ledger, definition, request)
    with _timed(seconds, "train"):
        trained = units.train(ledger, definition, request)
    _say(f"objectives: {_listed(trained.objectives)}")
    _say(f"metrics: {_listed(trained.metrics)}")
    if trained.violation:
        _say(f"breaks a constraint: violation {trained.violation:g}")
    if workload.verify is not None:
        with _timed(seconds, "verify"):
            verified = units.verify(ledger, definition, request)
        _say(f"verified: {_listed(verified.metrics)}")
    else:
        why = "there is no script.verify" if definition.script is not None else f"{definition.program} has no verify()"
        _say(f"not verified: {why}")
    _say("seconds: " + ", ".join(f"{name} {took:.2f}" for name, took in seconds.items()))


def _use_threads(definition: Definition, workload: Workload) -> None:
    """Give torch, or a script, as many threads as a trial gets in a local search, so that times and values tell."""
    threads = threads_of(definition)
    if definition.script is not None:
        os.environ |= dict.fromkeys(THREAD_VARIABLES, str(threads))
    if workload.uses_torch:
        import torch

        torch.set_num_threads(threads)


@contextmanager
def _timed(seconds: dict[str, float], name: str) -> Iterator[None]:
    """Note how long a stage takes, under its name."""
    began = time.monotonic()
    yield
    seconds[name] = time.monotonic() - began


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m windtunnel_trainer.tryout", description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--params")
    parser.add_argument("--epochs", type=float)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--seed", type=int)
    return parser.parse_args(argv)


@contextmanager
def _ledger(name: str, keep: Path | None) -> Iterator[Ledger]:
    if keep is not None:
        yield Ledger.open(f"{keep.absolute()}/{name}/try-{time.strftime('%Y%m%dT%H%M%S')}-{os.getpid()}")
        return
    with tempfile.TemporaryDirectory(prefix="windtunnel-try-") as folder:
        yield Ledger.open(f"{folder}/{name}/try")


def _search(ledger: Ledger, definition: Definition) -> Search:
    """A search of one iteration on a new run."""
    session = Session(
        session="try", offset=0, iterations=1, definition=definition.model_dump(mode="json"), started=now()
    )
    source = program_of(definition)
    for warning in warnings_of(definition, source):
        _say(f"warning: {warning}")
    spec = Spec(
        definition=session.definition,
        code=code_digest(source),
        archive=upload_source(ledger, definition.workload, source),
    )
    return Search(ledger.write_spec(spec), session, definition, spec.code, origin=None)


def _params(search: Search, given: str | None, seed: int | None) -> Params:
    if given is None:
        drawn = random.SystemRandom().getrandbits(32) if seed is None else seed
        return get_strategy("random", {}).suggest(search.problem, [], 1, drawn, 1).suggestions[0].params
    try:
        params = json.loads(given)
    except ValueError as error:
        raise DefinitionError(f"--params: {given!r} is no JSON: {error}") from error
    if not isinstance(params, dict):
        raise DefinitionError(f'--params: give an object, such as {{"lr": 0.1}}, not {given}')
    return search.space.canonical(params)


def _where(error: WindtunnelError) -> str:
    """The workload's line that the error came from, if it was at work: its message says the rest."""
    frames = traceback.extract_tb(error.__traceback__)
    entries = [index for index, frame in enumerate(frames) if frame.name in ("prepare", "train", "verify")]
    if not entries:
        return ""
    workload = frames[entries[-1]].filename
    frame = [frame for frame in frames if frame.filename == workload][-1]
    return f"\n  at {frame.filename}:{frame.lineno}, in {frame.name}: {frame.line}"


def _listed(values: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{name} {value:.6g}" if value is not None else f"{name} not finite" for name, value in values.items()
    )


def _say(text: str) -> None:
    print(printable(text), flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
