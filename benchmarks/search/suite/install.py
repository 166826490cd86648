"""Make the environments that the suite's peers run in: `python -m benchmarks.search.suite.install`."""

import subprocess
import sys

from benchmarks.search.suite.peer import FOLDER

ENVIRONMENTS = {  # packages, in the order in which they are installed
    "botorch": (["torch==2.13.0"], ["torch==2.13.0", "botorch", "gpytorch", "optuna", "pymoo"]),
    "smac": (["smac"],),
    "hebo": (["torch==2.13.0"], ["torch==2.13.0", "HEBO"]),
}


def main() -> None:
    for name, steps in ENVIRONMENTS.items():
        home = FOLDER / name
        if not home.exists():
            subprocess.run([sys.executable, "-m", "venv", home], check=True)
        for packages in steps:
            done = subprocess.run([home / "bin" / "pip", "install", "--quiet", *packages], check=False)
            if done.returncode:
                print(f"{name}: {packages} cannot be installed; its peers are left out")
                break


if __name__ == "__main__":
    main()
