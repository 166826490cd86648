"""Windtunnel's wheel, and an environment like a team's own: it has all that Windtunnel needs, and not Windtunnel."""

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# `make`, with this Python's programs and without installing anything.
MAKE = ["make", f"BIN={Path(sys.executable).parent}", "-o", ".venv/.ready", "-o", ".venv/.ready-dev"]


def build_wheel(folder):
    """Build the wheel from the source tree, without a network."""
    run(sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, ROOT)
    (wheel,) = Path(folder).glob("*.whl")
    return wheel


def team_environment(folder):
    """A virtual environment that has every package of this one but Windtunnel; its Python."""
    venv.create(folder / "venv", with_pip=False)
    python = folder / "venv" / "bin" / "python"
    packages = folder / "packages"
    packages.mkdir()
    for entry in Path(sysconfig.get_path("purelib")).iterdir():
        if "windtunnel" not in entry.name:
            (packages / entry.name).symlink_to(entry)
    site = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
    (Path(site) / "packages.pth").write_text(f"{packages}\n")
    return python


def clean_environment(**settings):
    """This process's environment without what points to the source tree or to another Airflow."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "WINDTUNNEL", "MAKE"))}
    kept.pop("PYTHONPATH", None)
    return kept | {name: str(value) for name, value in settings.items()}


def run(*command, **options):
    """Run a command and return what it printed; it must succeed."""
    options.setdefault("env", clean_environment())
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, f"{command} gave {done.returncode}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done.stdout
