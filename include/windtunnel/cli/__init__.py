"""The command line: `python -m windtunnel COMMAND`. Each module of this package is a command.

A command's module has a docstring whose first line is its help, `add_arguments(parser)`, and `run(arguments)`, which
returns the exit code. A trailing underscore of the module's name is not part of the command's (`try_`).
"""

import argparse
import importlib
import os
import pkgutil
import sys
import threading
from collections.abc import Sequence

from windtunnel import __version__
from windtunnel.errors import INTERRUPTED, Stopped, WindtunnelError
from windtunnel.host.signals import heed_one_signal
from windtunnel.text import printable


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        argv: its name and arguments; by default the process's own.

    Returns:
        The exit code: 0, or 1 after an error, which is told on stderr; 128 and the signal's number after one that
        ended it. Wrong usage exits with 2.
    """
    if argv is None:
        heed_one_signal()
    code = _perform(argv)
    if argv is None and _threads_left():
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)  # Python would wait for threads that a workload's import has left, and that never end
    return code


def _threads_left() -> bool:
    """Whether threads run for which Python waits at its end."""
    return any(not thread.daemon for thread in threading.enumerate() if thread is not threading.main_thread())


def _perform(argv: Sequence[str] | None) -> int:
    arguments = _parser().parse_args(argv)
    if os.getcwd() not in sys.path and "" not in sys.path:  # noqa: PTH109
        sys.path.append(os.getcwd())  # noqa: PTH109  (as python -m does: the user's own workload may lie here)
    try:
        code = int(arguments.run(arguments))
        sys.stdout.flush()
        return code
    except WindtunnelError as error:
        print(printable(str(error)), file=sys.stderr)
        return 1
    except BrokenPipeError:  # whoever read it has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python would complain as it ends
        return 0
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except Stopped as stopped:
        print(printable(stopped.told), file=sys.stderr)
        return stopped.exit_code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="windtunnel", description="Model search on Apache Airflow.")
    parser.add_argument("--version", action="version", version=f"windtunnel {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for module in pkgutil.iter_modules(__path__):
        command = importlib.import_module(f"{__name__}.{module.name}")
        summary = (command.__doc__ or "").strip().splitlines()[0]
        sub = commands.add_parser(module.name.rstrip("_"), help=summary, description=command.__doc__)
        command.add_arguments(sub)
        sub.set_defaults(run=command.run)
    return parser
