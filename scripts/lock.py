"""Resolves all that Windtunnel installs, for every supported Python and platform, into requirements.lock: `make lock`.

The lock names each package's version, the hashes of all files of that version, and the extras that need it:
`scripts/locked.py` picks what a set of extras needs. A package whose build depends on the machine is special: torch has
its version but no hashes, and what only its builds for GPUs need (CUDA's libraries) stays out.

Versions stay as they are where they still fit; `make lock ARGS="--upgrade"` takes the newest.
"""

import argparse
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from tempfile import NamedTemporaryFile

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"
MACHINE = re.compile(r"(nvidia|cuda)-|triton==")
NO_HASHES = re.compile(r"torch==")
HEADER = """\
# All that Windtunnel installs, with the extras that need it ("base": all of them). Made by `make lock`; do not edit.
# `scripts/locked.py EXTRAS <requirements.lock` prints what pip installs with `--no-deps --require-hashes`.
"""


def main() -> None:
    """Write the lock."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions of everything")
    upgrade = parser.parse_args().upgrade
    extras = list(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"])
    kept = "" if upgrade else LOCK.read_text()
    everything = _resolve("--all-extras", "--generate-hashes", versions=kept)
    needs = {"base": set(_entries(_resolve(versions=everything)))}
    for extra in extras:
        needs[extra] = set(_entries(_resolve("--extra", extra, versions=everything))) - needs["base"]
    lines = []
    for name, entry in _entries(everything).items():
        first, *hashes = entry
        users = ", ".join(extra for extra, packages in needs.items() if name in packages)
        if NO_HASHES.match(first):
            lines += [first.rstrip(" \\"), f"    # {users}; without hashes, since its build differs by machine"]
        elif not MACHINE.match(first):
            lines += [first, *hashes, f"    # {users}"]
    LOCK.write_text(HEADER + "\n".join(lines) + "\n")


def _resolve(*options: str, versions: str) -> str:
    """What uv resolves to: a requirements file. It keeps to the versions of another one."""
    command = [sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--universal", "--python-version", "3.11"]
    # One version of a package serves all Pythons.
    command += ["--fork-strategy", "fewest", "--no-header", "--no-annotate", *options, "pyproject.toml"]
    with NamedTemporaryFile("w", suffix=".txt") as constraints:
        constraints.write("".join(entry[0].rstrip(" \\") + "\n" for entry in _entries(versions).values()))
        constraints.flush()
        command += ["--constraint", constraints.name]
        return subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout


def _entries(text: str) -> dict[str, list[str]]:
    """The lines of each package by its name."""
    entries: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line[:1].isalnum():
            name = line.partition("==")[0]
            entries[name] = []
        if line and not line.lstrip().startswith("#"):
            entries[name].append(line)
    return entries


if __name__ == "__main__":
    main()
