"""`windtunnel.search`: a search of a Python function, without YAML and without Airflow."""

import math
import os
import sys
from collections.abc import Callable, Mapping
from types import BuiltinFunctionType, FunctionType
from typing import Any

from windtunnel.definition import Definition, recorded_definition, resolve
from windtunnel.definition.load import read_fields
from windtunnel.engine.session import begin, moment, perform_shown
from windtunnel.errors import DefinitionError, WindtunnelError
from windtunnel.functions.capture import is_importable, make_module
from windtunnel.functions.run import Run
from windtunnel.ledger import Ledger
from windtunnel.ledger.find import find_run
from windtunnel.stores import open_store
from windtunnel.text import printable
from windtunnel.validation import Fault

_BATCHES = 5  # that so many trials are suggested in, at least

Train = Callable[..., Any]


def search(
    train: Train,
    space: Mapping[str, Any],
    objectives: Mapping[str, str],
    *,
    trials: int | Mapping[str, Any] = 20,
    parallel: int | None = None,
    store: str | None = None,
    progress: bool = True,
    approve: Callable[[Run], bool] = lambda run: True,
    **fields: Any,
) -> Run:
    """Search for the best parameters of a function.

        def train(trial):
            trial.report(accuracy=1 - (trial.params["x"] - 0.3) ** 2)

        run = windtunnel.search(train, {"x": {"type": "float", "low": 0, "high": 1}}, {"accuracy": "maximize"})
        print(run.best.params)

    Args:
        train: `train(trial)`, which calls `trial.report(…)`; or `train(args, reporter)`, as AutoGluon has it. It may
            stand in a module, a script or a notebook's cell.
        space: the searched parameters, as in a definition.
        objectives: `maximize` or `minimize`, by metric.
        trials: how many; or as in a definition.
        parallel: trials at once; by default as many as there are cores.
        store: folder or URL that keeps the run; by default `$WINDTUNNEL_STORE`, else `runs`.
        progress: whether to show how far it is.
        approve: asked before the finalists are trained fully, where the field `approval` is true.
        **fields: any other field of a definition, such as `epochs={"partial": 3, "full": 10}`; without `epochs` trials
            are trained once, and none again. `name` is by default the function's.

    Returns:
        The finished run.

    Raises:
        DefinitionError: a field is wrong, named with its mend.
        WorkloadError: the function cannot travel to another process.
        SearchError: no trial came to a result.
        KeyboardInterrupt: nothing runs any more; `resume` goes on.
    """
    given = {"space": dict(space), "objectives": dict(objectives)} | fields
    definition = _definition(given | _amounts(trials, parallel, fields), train)
    place = store or definition.store or os.environ.get("WINDTUNNEL_STORE") or "runs"
    return _perform(definition, Ledger(open_store(place), definition.name, moment()), progress, approve)


def resume(
    run: Run | str,
    train: Train,
    *,
    progress: bool = True,
    approve: Callable[[Run], bool] = lambda run: True,
    **fields: Any,
) -> Run:
    """Go on with a run: one that was cut short is finished, a finished one extended.

    Args:
        run: or its URL.
        train: the very same function; what a run's folder holds is never run.
        progress: as for `search`.
        approve: as for `search`.
        **fields: what is to change, such as `limits={"trials": 50}`.

    Returns:
        The finished run.

    Raises:
        LedgerError: it is no run, it began with another function or space, or somebody works on it.
        SearchError: no trial came to a result.
    """
    ledger = find_run(run if isinstance(run, str) else run.url)
    recorded = recorded_definition(ledger).model_dump(mode="json")
    return _perform(_definition(recorded | fields, train), ledger, progress, approve)


def _perform(definition: Definition, ledger: Ledger, progress: bool, approve: Callable[[Run], bool]) -> Run:
    engine = begin(resolve(definition), ledger, _say)
    if progress:
        heading = f"{definition.name}: {ledger.url}"
        perform_shown(engine, heading, lambda display, plan: approve(Run(ledger)))
    else:
        engine.approve = lambda plan: approve(Run(ledger))
        engine.perform()
    return Run(ledger)


def _say(line: str) -> None:
    print(printable(line), file=sys.stderr, flush=True)  # noqa: T201


def _definition(fields: Mapping[str, Any], train: Train) -> Definition:
    workload = _workload(train)
    definition, faults = read_fields({"name": train.__name__, **fields, "workload": workload})
    if definition is None or faults:
        raise DefinitionError.of(faults)
    return definition


def _amounts(trials: int | Mapping[str, Any], parallel: int | None, fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that say how much is done, where they are not given as they are."""
    limits = dict(fields.get("limits", {})) | ({"parallel": parallel} if parallel is not None else {})
    amounts: dict[str, Any] = {"limits": limits}
    if "epochs" not in fields:
        amounts["epochs"] = {"partial": 1, "full": 1}
    if isinstance(trials, Mapping):
        return amounts | {"trials": dict(trials)}
    if isinstance(trials, bool) or trials < 1:
        raise DefinitionError.of([Fault(("trials",), f"found {trials!r}; allowed: a whole number above 0")])
    batch = max(parallel or 1, math.ceil(trials / _BATCHES))
    limits["trials"] = trials
    return amounts | {"trials": {"initial": batch, "per_iteration": batch}}


def _workload(train: Train) -> str:
    """The name by which jobs find the function: its own, or that of a module made of its source."""
    importable = hasattr(train, "__qualname__") and is_importable(train)
    if isinstance(train, BuiltinFunctionType) or not (importable or isinstance(train, FunctionType | type)):
        mend = ": write def train(trial), which makes what it needs and calls it" if callable(train) else ""
        raise WindtunnelError(f"train: found {type(train).__name__}; allowed: a function{mend}")
    if importable:
        return f"{train.__module__}:{train.__qualname__}"
    file = make_module(train)
    if str(file.parent) not in sys.path:
        sys.path.append(str(file.parent))
    return f"{file.stem}:{train.__name__}"
