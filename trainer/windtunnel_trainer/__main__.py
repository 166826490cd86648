"""Run one job, wherever this is: `python -m windtunnel_trainer LEDGER JOB --digest …`; or `serve`, see there."""

import argparse
import os
import signal
import sys
from pathlib import Path

from windtunnel.errors import WindtunnelError
from windtunnel_trainer import serve
from windtunnel_trainer.job import UnfitToForkError, run_job
from windtunnel_trainer.logs import say
from windtunnel_trainer.wakeup import PREEMPTED

_SERVE = (
    "`python -m windtunnel_trainer serve` starts the jobs that launchers leave in the folder $WINDTUNNEL_SPOOL, "
    "until it is ended."
)
_UNITS_IMPORT = "--units-import"


def main() -> int:
    """Run the job that the command line names; returns the process's exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m windtunnel_trainer", description="Run one job of a run.", epilog=_SERVE
    )
    parser.add_argument("ledger", help="URL of the run's ledger: <store>/<search>/<run>")
    parser.add_argument("job", help="id of the job")
    parser.add_argument("--digest", required=True, help="of what the run was begun with; nothing else is run")
    parser.add_argument("--launch", type=int, default=1, help="number of this launch of the job")
    parser.add_argument("--lock-fd", type=int, help="an open file whose lock proves that the job lives")
    parser.add_argument("--cancel-file", type=Path, help="end as soon as this file is there")
    parser.add_argument(_UNITS_IMPORT, action="store_true", help="let each trial's process import the workload")
    try:
        if sys.argv[1:] == ["serve"]:
            return serve.main()
        arguments = parser.parse_args()
        # Until the supervisor listens there is nothing to save. The first process of a container, unlike others,
        # would not even notice the signal without a handler.
        signal.signal(signal.SIGTERM, lambda *_: os._exit(PREEMPTED))
        return run_job(
            arguments.ledger,
            arguments.job,
            arguments.digest,
            arguments.lock_fd,
            arguments.cancel_file,
            units_import=arguments.units_import,
            launch=arguments.launch,
        )
    except UnfitToForkError:
        say("importing the workload starts threads or CUDA: each trial's own process imports it, which takes longer")
        if arguments.lock_fd is not None:
            os.set_inheritable(arguments.lock_fd, True)
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:], _UNITS_IMPORT])  # noqa: S606  (itself once more)
    except WindtunnelError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)  # noqa: T201
        return 1


if __name__ == "__main__":
    sys.exit(main())
