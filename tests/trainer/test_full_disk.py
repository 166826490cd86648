"""A job whose disk is full for a while: it waits, says so once, and its trials lose nothing."""

import subprocess
import sys

import pytest

from tests.runs import make_run, wait_until
from windtunnel.ledger import State

# The store's disk is full for as long as a file is there: every write of an object is refused.
_FULL = """
import errno, os, sys
from pathlib import Path
from windtunnel.stores.local import store
from windtunnel_trainer import deferred
from windtunnel_trainer.__main__ import main

full, work = Path(sys.argv.pop(1)), store.finish
store._PAUSES, deferred._PAUSE = (0.05, 0.05), 0.05


def finish(place, temporary, metadata):
    if full.exists() and place.name.endswith(full.read_text()):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return work(place, temporary, metadata)


store.finish = finish
sys.exit(main())
"""


@pytest.mark.slow
@pytest.mark.parametrize("refused", [".json", "metrics.jsonl"])
def test_a_job_waits_for_a_full_disk(tmp_path, refused):
    run = make_run(str(tmp_path / "store"), tmp_path / "trace", ["nothing", "sleep 0.1", "sleep 0.2"])
    full = tmp_path / "full"
    full.write_text(refused)
    arguments = [str(full), run.ledger.url, "1-0", "--digest", run.ledger.digest]
    log = tmp_path / "log"
    with log.open("w") as output:
        job = subprocess.Popen([sys.executable, "-c", _FULL, *arguments], stdout=output, stderr=output)
    try:
        trial = run.trial("nothing")

        def told():  # by the job, or by the trial
            return log.read_text() + run.ledger.log(trial)

        wait_until(lambda: "waiting: cannot" in told())
        assert job.poll() is None
        full.unlink()
        assert job.wait(300) == 0
    finally:
        job.kill()
    assert told().count("waiting: cannot") == 1
    results = run.ledger.outcomes()
    assert {result.state for result in results.values()} == {State.COMPLETED}
    assert {result.attempts for result in results.values()} == {1}
