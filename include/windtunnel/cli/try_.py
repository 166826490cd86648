"""Train one trial of a search in the foreground, for whoever writes a workload.

It prepares the data, trains a configuration that is drawn or given, prints the reports as they come, verifies the
exported model, and says how long each stage took. An error shows the workload's own traceback.
"""

import argparse
import os
import subprocess
import sys

from windtunnel.errors import INTERRUPTED, Stopped


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("file", metavar="FILE", help="a search's YAML file")
    parser.add_argument(
        "--params", metavar="JSON", help="the configuration, such as '{\"lr\": 0.1}'; else one is drawn"
    )
    parser.add_argument("--epochs", metavar="E", help="to train; else the definition's partial epochs")
    parser.add_argument("--data", metavar="FOLDER", help="of the raw data")
    parser.add_argument("--keep", metavar="DIR", help="keep the run's files in this folder")
    parser.add_argument("--seed", help="of the draw; else each try draws another")


def run(arguments: argparse.Namespace) -> int:
    """Hand over to the trainer, which knows torch; returns its exit code.

    Raises:
        KeyboardInterrupt: it was interrupted.
        Stopped: a signal has ended it.
    """
    command = [sys.executable, "-m", "windtunnel_trainer.tryout", arguments.file]
    for name in ("params", "epochs", "data", "keep", "seed"):
        value = getattr(arguments, name)
        command += [f"--{name}={value}"] if value is not None else []
    paths = [path for path in sys.path if path]  # the workload is found there as it was found here
    with subprocess.Popen(command, env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)}) as trainer:
        try:
            code = trainer.wait()
        except Stopped:
            trainer.terminate()  # it cleans up; a second signal to this process does not wait for that
            raise
    if code == INTERRUPTED:
        raise KeyboardInterrupt
    if code < 0:
        raise Stopped(-code)
    return code
