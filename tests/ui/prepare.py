"""Fills an Airflow's database, in its environment: `python -m tests.ui.prepare HOME STORE [RUN …]`."""

import sys
from pathlib import Path

from airflow.utils.db import initdb

from tests.airflow import pages

DAG_FILE = 'from windtunnel_airflow import load_searches  # airflow dag\nload_searches("../searches", globals())\n'


def main() -> None:
    home, azure = Path(sys.argv[1]), sys.argv[2]
    initdb()
    (home / "dags" / "searches.py").write_text(DAG_FILE)
    kinds = {"digits_cnn": {"iterations": 4}, "guarded": {}}
    pages.add_searches(home, **kinds, **({"in_azure": {"store": azure}} if azure else {}))
    pages.add_run("digits_cnn", "finished", "success", epochs_full=12, approval=False)
    pages.add_run("digits_cnn", "other", "success")
    pages.add_run("digits_cnn", "running", "running", {"finalists": "deferred"})
    pages.add_run("digits_cnn", "failing", "failed", {"iteration_1.select": "failed", "clean_up": "failed"})
    pages.say_why("digits_cnn", "failing", "iteration_1.select", "The search ends: 10 trials failed <b>each</b>")
    pages.add_run("digits_cnn", "empty", "queued")
    pages.add_run("digits_cnn", "manual__2026-11-21T09:00:00+00:00", "success", resume="finished")
    pages.add_run("guarded", "hidden", "success")
    for run in sys.argv[3:]:
        pages.add_run("digits_cnn", run)
    if azure:
        pages.add_run("in_azure", "finished", "success")


if __name__ == "__main__":
    main()
