"""Environments of their own for the peers that benchmarks measure, below `build/peers` or `$PEERS`."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

FOLDER = Path(os.environ.get("PEERS", "build/peers"))


def python_of(environment: str) -> Path:
    """The environment's interpreter, whether it is there or not."""
    return FOLDER / environment / "bin" / "python"


def make(environments: Mapping[str, Sequence[Sequence[str]]]) -> None:
    """Make environments, and bring those that are there up to date.

    Args:
        environments: by name, the packages of each, in the steps in which they are installed.
    """
    for name, steps in environments.items():
        home = FOLDER / name
        if not home.exists():
            subprocess.run([sys.executable, "-m", "venv", home], check=True)
        for packages in steps:
            done = subprocess.run([home / "bin" / "pip", "install", "--quiet", *packages], check=False)
            if done.returncode:
                print(f"{name}: {packages} cannot be installed; its peers are left out")
                break
