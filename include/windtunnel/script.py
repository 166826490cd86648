"""For scripts that Windtunnel runs: `report` tells it how good the model is.

It needs nothing but Python's own library. A script that is run by hand prints what it reports.
"""

import json
import os
import sys
from typing import Any

REPORTS = "WINDTUNNEL_REPORTS"  # the variable that names the file which reports go to


def report(*, epoch: float | None = None, **metrics: Any) -> None:
    """Say how good the model is now. Of processes that train together only the first, by `RANK`, is heard.

    Args:
        epoch: how many epochs are done; by default reports are counted.
        **metrics: numbers by name, or what `float` makes one of.
    """
    if os.environ.get("RANK", "0") != "0":
        return
    values = {name: float(value) for name, value in metrics.items()}
    if epoch is not None:
        values = {"epoch": float(epoch), **values}
    file = os.environ.get(REPORTS)
    if file is None:
        sys.stdout.write("  ".join(f"{name}={value:.6g}" for name, value in values.items()) + "\n")
        sys.stdout.flush()
        return
    with open(file, "a", encoding="utf-8") as reports:  # noqa: PTH123  (one line at once, whoever else writes)
        reports.write(json.dumps(values) + "\n")
