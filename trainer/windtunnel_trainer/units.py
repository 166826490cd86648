"""One unit of a job, from its request to its one result: prepare the data, train a trial, verify a model."""

import importlib
import os
import sys
import time
import traceback
from collections.abc import Callable, Collection, Mapping
from contextlib import nullcontext, suppress
from pathlib import Path

from windtunnel.definition import Definition, definition_of
from windtunnel.definition.program import workload_of
from windtunnel.errors import NotFoundError, StoreError
from windtunnel.host.machine import now
from windtunnel.ledger import Attempt, Job, Ledger, Request, Result, State
from windtunnel.ledger.failures import LOG_TAIL, failed
from windtunnel.ledger.ids import trial_of, verification_id
from windtunnel.ledger.stage import StageKind
from windtunnel.text import error_text
from windtunnel.validation import shown
from windtunnel.workload.contract import Workload, load_workload
from windtunnel_trainer import child, latency
from windtunnel_trainer.admission import check_request
from windtunnel_trainer.checkpoints import Report
from windtunnel_trainer.data import Preparation, examples, is_whole
from windtunnel_trainer.entry import caller
from windtunnel_trainer.export import exported_model
from windtunnel_trainer.failure import NoMetricsError, ScriptError, why_failed
from windtunnel_trainer.left import folder_of
from windtunnel_trainer.memory import read_peak
from windtunnel_trainer.process_group import ProcessGroup
from windtunnel_trainer.ranks import pause
from windtunnel_trainer.rehearsal import rehearsed
from windtunnel_trainer.stopping import Rules, Stopper, TrialStopped
from windtunnel_trainer.trial import Trial
from windtunnel_trainer.verification import Verification, VerificationError


def run(
    ledger: Ledger,
    job: Job,
    unit: str,
    attempt: Attempt,
    log: Path | None = None,
    definition: Definition | None = None,
    *,
    adopts: bool = False,
) -> None:
    """Do the unit and record its result, whatever comes; a unit that has one is left alone.

    Args:
        ledger: of the run.
        job: that the unit is of.
        unit: its id.
        attempt: this start of it.
        log: the file that this process's output goes to; its end goes into a failed result.
        definition: of the search, where the caller has read it already.
        adopts: whether a trial may have a checkpoint of an earlier run before its first start.

    Raises:
        StoreError: a file of the run cannot be read or written; the unit may do better at its next start.
    """
    if attempt.number > 1 and ledger.result(unit) is not None:  # the job looked just before a first start
        return
    began = time.monotonic()
    definition = definition or definition_of(ledger)
    request: Request | None = None
    try:
        if job.kind is not StageKind.PREPARE:
            checked = ledger.request(trial_of(unit))
            check_request(checked, definition, ledger.spec.sources)
            request = checked
        if request is None:
            result = prepare(ledger, definition, unit)
        elif job.kind.trains:
            stop = rules_of(ledger, definition, request)
            first_start = attempt.number == 1 and not adopts
            workload = preload(definition, StageKind.SEARCH)
            goes_on = attempt.number > 1 or request.continue_from
            with nullcontext() if goes_on or not log else rehearsed(workload, ledger, definition, request, log):
                folder = log and folder_of(log, attempt.number)
                result = train(ledger, definition, request, stop, first_start=first_start, folder=folder)
        else:
            result = verify(ledger, definition, request)
    except BaseException as error:  # a workload may raise anything
        if isinstance(error, StoreError) and not isinstance(error, NotFoundError):
            raise
        pause()
        with suppress(OSError, ValueError, AttributeError):  # a workload may have closed it
            if not isinstance(error, ScriptError):  # whose cause is in what the script wrote
                traceback.print_exc()
        kind, message = why_failed(error)
        result = failed(ledger, unit, kind, message, _log_tail(log))
    if result.state is State.FAILED or ProcessGroup().leads:
        facts = {
            "started": attempt.started,
            "ended": now(),
            "seconds": round(time.monotonic() - began, 3),
            "gpus": gpus_held(),
            "peak_memory": read_peak(log),
            "attempts": attempt.number,
        }
        ledger.record(result.model_copy(update=facts))


def rules_of(ledger: Ledger, definition: Definition, request: Request) -> Stopper | None:
    """What may stop a trial; None without rules, and for finalists, which are trained to the end."""
    searching = request.stage.is_iteration
    return Rules(ledger, definition, request) if searching and definition.early_stopping.rules else None


def preload(definition: Definition, kind: StageKind) -> Workload:
    """Import the workload and what its units need, so that processes forked from this one need not.

    Raises:
        WorkloadError: the workload cannot be loaded.
    """
    workload = workload_of(definition)
    import_libraries(kind, torch=workload.uses_torch)
    return workload


def import_libraries(kind: StageKind, *, torch: bool) -> None:
    """Import what units of the kind need beside the workload, torch among it where that is wanted or loaded."""
    # onnxruntime is left out: it starts a thread, and loads in no time.
    if kind is not StageKind.PREPARE and torch:
        importlib.import_module("torch")
    if kind.trains and "torch" in sys.modules:
        for name in ("onnx", "torch._dynamo", "torch.onnx"):  # the first optimiser imports dynamo, which takes a second
            importlib.import_module(name)


def prepare(ledger: Ledger, definition: Definition, unit: str = "prepare") -> Result:
    """Prepare the run's data, unless it is there whole.

    Args:
        ledger: of the run.
        definition: of the search.
        unit: the preparation's id.

    Raises:
        Exception: whatever the workload raises.
    """
    manifest = ledger.manifest()
    if manifest is None or not is_whole(ledger, manifest):
        data = Preparation(ledger, definition.data)
        workload = preload(definition, StageKind.PREPARE)
        if workload.prepare is not None:
            child.alone(workload.prepare, data)
        manifest = data.finish(needed=workload.prepare is not None)
    return Result(trial=unit, state=State.COMPLETED, metrics=dict(examples(manifest)))


def train(
    ledger: Ledger,
    definition: Definition,
    request: Request,
    stop: Stopper | None = None,
    listener: Callable[[Report], None] | None = None,
    *,
    first_start: bool = False,
    folder: Path | None = None,
) -> Result:
    """Train a trial, and say what came of it; the arguments are those of `Trial`.

    Raises:
        NoMetricsError: an objective or a constrained value was never reported.
        Exception: whatever the workload raises.
    """
    workload = preload(definition, StageKind.SEARCH)  # before the trial, which seeds what is loaded
    trial = Trial(ledger, definition, request, stop=stop, first_start=first_start, listener=listener, folder=folder)
    returned = None
    try:
        with suppress(TrialStopped):
            returned = child.alone(caller(workload.train), trial)
    finally:
        trial.write_metrics(now=True)
        trial.keep_folder()
    state, kind, message, exported = State.COMPLETED, "", "", trial.exported
    if trial.stopped is not None:
        no_model = "" if exported else export_stopped(ledger, definition, request, trial)
        state, kind, exported = State.STOPPED, trial.stopped.rule, not no_model
        message = trial.stopped.reason + (f"; no model: {no_model}" if no_model else "")
    if not ProcessGroup().leads:
        return Result(trial=request.trial, state=state)  # the first process says what came of it
    chosen = trial.chosen()
    metrics: dict[str, float | None] = dict(request.known)
    metrics |= chosen.metrics if chosen else {}
    compared = {*definition.objectives, *definition.constraints}
    if "latency_ms" in compared and (exported or state is State.COMPLETED):
        if not exported:
            raise NoMetricsError("latency_ms is asked for, but train() exported no model: call trial.export_onnx(…)")
        measured = latency.measure(exported_model(ledger, request.trial))
        metrics |= {"latency_ms": measured.median, "latency_ms_spread": measured.spread}
    missing = [name for name in compared if metrics.get(name) is None]
    if missing and state is State.COMPLETED:
        raise NoMetricsError(_never_came(definition, missing, metrics, returned))
    if stop is not None and not any(definition.watched in report.metrics for report in trial.reports):
        raise NoMetricsError(
            f"{definition.watched} never came, which the rules of early_stopping watch: train() must give it to "
            "trial.report(), or early_stopping.metric name another objective"
        )
    values = {name: value for name, value in metrics.items() if value is not None}
    return Result(
        trial=request.trial,
        metrics=metrics,
        objectives={name: values[name] for name in definition.objectives if name in values},
        epoch=chosen.epoch if chosen else 0.0,
        violation=violation(definition, values),
        state=state,
        kind=kind,
        message=message,
    )


def export_stopped(ledger: Ledger, definition: Definition, request: Request, stopped: Trial) -> str:
    """Export a stopped trial's model: `train` is called once more where no epochs are left, so that it comes to that.

    Returns:
        Why there is no model; empty where there is one.
    """
    if definition.script is not None:
        return "the script left no model.onnx"
    if not stopped.resumable:
        return "train() gives trial.restore() nothing to keep"
    there = request.model_copy(update={"epochs": stopped.reports[-1].epoch})
    again = Trial(ledger, definition, there)
    try:
        child.alone(caller(load_workload(definition.workload).train), again)
        again.keep_folder()
    except BaseException as error:
        traceback.print_exc()
        return error_text(error)
    return "" if again.exported else "train() exports none"


def verify(ledger: Ledger, definition: Definition, request: Request) -> Result:
    """Check a trial's exported model on the test data.

    Raises:
        VerificationError: the model does not pass, nothing was compared, or there is no `verify`.
        Exception: whatever the workload raises.
    """
    verification = Verification(ledger, definition, request)
    check = preload(definition, StageKind.VERIFY).verify
    if check is None:
        raise VerificationError(f"{definition.program} has no verify()")
    child.alone(check, verification)
    if not verification.checked:
        raise VerificationError(
            "verify() compared nothing: call model.classification(…) or regression(…), model.compare() with what the "
            "model and ONNX give, or model.open() with the name of what trial.save_model() kept"
        )
    return Result(trial=verification_id(request.trial), state=State.COMPLETED, metrics=dict(verification.metrics))


def violation(definition: Definition, values: Mapping[str, float]) -> float:
    """By how much constraints are broken, each relative to its bound, summed; 0 where none is."""
    bounds = definition.constraints
    return sum(bound.violation(values[name]) for name, bound in bounds.items() if name in values)


def _never_came(definition: Definition, missing: Collection[str], metrics: Collection[str], returned: object) -> str:
    names = ", ".join(map(repr, sorted(missing)))
    what = "objective" if definition.objectives.keys() & set(missing) else "constrained value"
    if definition.script is not None:
        reported = ", ".join(sorted(metrics)) or "nothing"
        return (
            f"{', '.join(sorted(missing))} never came: the script's output tells {reported}; it must "
            f"write a line such as {min(missing)}=0.9, or script.metrics have the pattern of its own"
        )
    unread = "" if returned is None else f" (that train() returned {shown(returned)} tells nothing)"
    return (
        f"{', '.join(sorted(missing))} never came: trials report {', '.join(sorted(metrics)) or 'nothing'}{unread}; "
        f"the {what} is {names}: train() must give it to trial.report(), or cost() know it, "
        "or the definition call it as they do"
    )


def gpus_held() -> int:
    """How many GPUs this process has been given by the supervisor."""
    return len([device for device in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if device])


def _log_tail(log: Path | None) -> str:
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):  # closed, or taken away
            stream.flush()
    if log is None:
        return traceback.format_exc()[-LOG_TAIL:] if sys.exc_info()[0] else ""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - LOG_TAIL))
            return file.read().decode(errors="replace")
    except OSError:
        return ""
