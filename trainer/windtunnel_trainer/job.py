"""A job from its start: what its units need is imported once, then they run."""

import gc
import os
import traceback
from contextlib import suppress
from functools import partial
from pathlib import Path

from windtunnel.definition import Definition, definition_of
from windtunnel.definition.fleet import is_fleet
from windtunnel.definition.threads import share, threads_of
from windtunnel.errors import StoreError, WindtunnelError, WorkloadError
from windtunnel.ledger import Job, Ledger
from windtunnel.ledger.failures import LOG_TAIL, record_failure
from windtunnel.text import counted, error_text
from windtunnel.workload.source import fetch_source
from windtunnel_trainer import child
from windtunnel_trainer.gpus import devices
from windtunnel_trainer.lane import Lane
from windtunnel_trainer.logs import say
from windtunnel_trainer.source import Listed, Source
from windtunnel_trainer.supervisor import RunUnit, Supervisor

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


class UnfitToForkError(WindtunnelError):
    """The workload's import has left threads or CUDA behind: a process that has not imported it must start the units.

    It is the job's own process that goes on, as another program image: see `windtunnel_trainer.__main__`.
    """


def run_job(
    url: str,
    name: str,
    digest: str,
    lock: int | None = None,
    cancel_file: Path | None = None,
    *,
    units_import: bool = False,
    launch: int = 1,
) -> int:
    """Run a job's units, those with a result excepted, or as a lane what it claims.

    Args:
        url: of the run's ledger.
        name: of the job.
        digest: of what the run was begun with: definition and source that the ledger holds must be the very same.
        lock: descriptor of an open file whose lock proves that the job lives; the units' processes inherit it.
        cancel_file: the job ends as soon as this file is there.
        units_import: whether each unit's process imports the workload by itself, rather than this one for all.
        launch: number of this launch of the job.

    Returns:
        The exit code: 0 when every unit has a result, or a lane has nothing left to do, 143 when the job was told to go
        before, 1 when it cannot start.

    Raises:
        WindtunnelError: the ledger or the job cannot be read, or the ledger holds something else under the digest.
        UnfitToForkError: the units must import the workload.
    """
    if lock is not None:
        child.hold_lock(lock)
    ledger = Ledger.open(url).with_spec(digest)
    if is_fleet(ledger.spec.definition):
        from windtunnel_trainer.fleet.job import run_fleet_job

        return run_fleet_job(ledger, ledger.job(name), cancel_file, launch)
    definition = definition_of(ledger)
    job = ledger.job(name)
    source: Source
    if job.session is not None:
        job = job.model_copy(update={"slots": definition.limits.slots})
        source = Lane(ledger, job, launch, definition)
        say(f"lane {name}: process {os.getpid()}, launch {launch}")
    else:
        job = job.model_copy(update={"slots": min(job.slots, definition.limits.slots)})
        units = ledger.owed(job)
        say(f"job {name}: process {os.getpid()}, {len(units)} of {counted(len(job.units), 'unit')} to do")
        source = Listed(units, definition.trial_time(job.stage) if job.stage else None)
    if source.done():
        return 0
    try:
        fetch_source(ledger)
        run_unit = load(definition, job, adopts=bool(ledger.spec.sources), units_import=units_import)
    except (StoreError, UnfitToForkError):
        raise  # the job may do better at its next start
    except BaseException as error:
        trace = traceback.format_exc()
        say(trace)
        message = f"job {name} cannot start: {error_text(error)}"
        while (unit := source.next()) is not None:
            record_failure(ledger, unit, "error", message, log_tail=trace[-LOG_TAIL:])
        return 1
    gc.collect()
    gc.freeze()  # the collector would write to what the children share with this process, and so copy it
    processes = processes_of(definition, job)
    return Supervisor(ledger, job, definition.limits, run_unit, source, cancel_file, processes).run()


def load(definition: Definition, job: Job, *, adopts: bool, units_import: bool = False) -> RunUnit:
    """Import everything that the job's units need, torch among it, and return the function that runs one.

    Args:
        definition: of the search.
        job: whose units are to run.
        adopts: whether trials may have checkpoints of an earlier run before their first start.
        units_import: whether the workload is left to the units' own processes.

    Raises:
        UnfitToForkError: the workload's import has left threads or CUDA behind.
        Exception: whatever importing the workload raises.
    """
    processes = processes_of(definition, job)
    threads = share(threads_of(definition), processes)
    os.environ |= dict.fromkeys(THREAD_VARIABLES, str(threads))  # read when the libraries are loaded
    from windtunnel_trainer import units

    if units_import:
        with suppress(ImportError):  # the workload may do without torch
            units.import_libraries(job.kind, torch=True)
    else:
        units.preload(definition, job.kind)
        if not child.can_fork():
            raise UnfitToForkError
    run_unit = partial(units.run, definition=definition, adopts=adopts)
    if 0 < len(devices()) < processes:
        raise WorkloadError(f"each trial is to have {processes} GPUs (resources.gpus), and here are {len(devices())}")
    if processes == 1 or definition.script is not None:  # a script's processes are started side by side by its trial
        return run_unit
    from windtunnel_trainer.ranks import in_processes

    return in_processes(run_unit, processes)


def processes_of(definition: Definition, job: Job) -> int:
    """How many processes train each of the job's trials: one for each GPU that the trial has."""
    return share(definition.resources.gpus or 1, job.slots) if job.kind.trains else 1
