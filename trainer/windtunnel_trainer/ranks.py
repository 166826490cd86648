"""Trials of several processes: started side by side by torchrun's agent, as forks of the unit's own process."""

import logging
import os
import sys
import time
from pathlib import Path

from windtunnel.errors import StoreError
from windtunnel.ledger import Attempt, Job, Ledger, State
from windtunnel_trainer import child
from windtunnel_trainer.child import NO_STORE
from windtunnel_trainer.preemption import die_of
from windtunnel_trainer.process_group import ProcessGroup
from windtunnel_trainer.supervisor import RunUnit

_LOOK = 0.1  # seconds between two looks of the agent at its processes
_PAUSE = 1.0  # seconds that a failing process waits before it says so


def in_processes(run: RunUnit, processes: int) -> RunUnit:
    """A function that runs a unit in several processes of this host, as `torchrun --standalone` would.

    They are forks of the unit's own process and stay in its group, so that whoever ends it ends them all. Each finds
    torch's process group ready, and torchrun's variables set. Where one is killed, the unit's process dies of the same
    signal: to the job's supervisor a killed process is a killed trial.

    Args:
        run: runs the unit in one of them; the first records the result, and whichever fails a failure.
        processes: how many.
    """
    import torch.nn.parallel  # noqa: F401  (imported once, before the job forks)
    from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    def run_together(ledger: Ledger, job: Job, unit: str, attempt: Attempt, log: Path) -> None:
        logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)  # what failed has said so itself
        logging.getLogger("torch.multiprocessing").setLevel(logging.CRITICAL)
        config = LaunchConfig(
            min_nodes=1,
            max_nodes=1,
            nproc_per_node=processes,
            run_id=unit,
            rdzv_backend="c10d",
            rdzv_endpoint="127.0.0.1:0",
            local_addr="127.0.0.1",
            max_restarts=0,  # the supervisor counts the starts
            monitor_interval=_LOOK,
            start_method="fork",
            logs_specs=DefaultLogsSpecs(log_dir=str(log.parent)),
            signals_to_handle="SIGHUP",  # SIGTERM comes to the whole group, and is to end it
        )

        def work() -> None:
            _work(run, Ledger.open(ledger.url).with_spec(ledger.spec), job, unit, attempt, log)

        child.share_lock(True)
        try:
            elastic_launch(config, work)()
        except ChildFailedError as error:
            _, first = error.get_first_failure()
            if first.exitcode < 0:
                die_of(-first.exitcode)
            if first.exitcode == NO_STORE:
                os._exit(NO_STORE)  # the log ends with what was refused
            if ledger.result(unit) is None:
                raise

    return run_together


def pause() -> None:
    """Wait a moment before a failure is told, where there are peers.

    A process whose peer has died fails too, of a broken connection. In this moment the agent sees the peer gone and
    ends this process: so it is the cause that is told.
    """
    group = ProcessGroup()
    if group.size > 1:
        time.sleep(_PAUSE * (1 + group.rank / 2))  # where all fail alike, the first alone tells it


def _work(run: RunUnit, ledger: Ledger, job: Job, unit: str, attempt: Attempt, log: Path) -> None:
    import torch

    child.share_lock(False)
    backend = "gloo"
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        backend = "nccl"
    torch.distributed.init_process_group(backend)
    try:
        run(ledger, job, unit, attempt, log)
    except StoreError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)  # noqa: T201
        sys.exit(NO_STORE)
    result = ledger.result(unit)
    if result is not None and result.state is State.FAILED:
        sys.exit(1)  # the agent ends the others, which wait for this one
    torch.distributed.destroy_process_group()
