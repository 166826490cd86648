"""Writes requirements.lock from pip's own report of a resolution: `make lock`.

Reads the JSON that `pip install --dry-run --report` prints. The lock is a constraints file: it says which version of a
package is installed if the package is, so one file serves every supported Python and every set of extras. Packages that
depend on the machine rather than on the project (CUDA's libraries) stay out, and so do builds for one kind of machine
(`+cpu`).
"""

import json
import re
import sys

OWN = "windtunnel"
MACHINE = re.compile(r"nvidia-|cuda-|triton$")

HEADER = """\
# Versions of all that Windtunnel installs, resolved by pip under Python {python}. Made by `make lock`; do not edit.
# A constraints file: pip install -c requirements.lock ".[all]"
"""


def locked(report: dict) -> list[str]:
    """The lines `name==version`, by name, of a report of pip's."""
    found = {}
    for package in report["install"]:
        name = re.sub(r"[-_.]+", "-", package["metadata"]["name"]).lower()
        if name != OWN and not MACHINE.match(name):
            found[name] = package["metadata"]["version"].partition("+")[0]
    return [f"{name}=={version}" for name, version in sorted(found.items())]


if __name__ == "__main__":
    python = "{}.{}".format(*sys.version_info)
    print(HEADER.format(python=python) + "\n".join(locked(json.load(sys.stdin))))
