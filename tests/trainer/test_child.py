import subprocess
import sys

import pytest

SCRIPT = """
import os, sys
from pathlib import Path
from trainer import child
score = Path("/proc/self/oom_score_adj")
score.write_text(sys.argv[1])
log = Path(sys.argv[2])
pid = child.start(lambda: print(score.read_text().strip()), log, child.Lifeline(), {})
os.waitpid(pid, 0)
print(log.read_text().strip())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's score is Linux's")
@pytest.mark.parametrize(("own", "units"), [(0, "500"), (800, "800")])
def test_a_unit_is_to_go_before_its_job_and_never_later_than_its_pod(tmp_path, own, units):
    command = [sys.executable, "-c", SCRIPT, str(own), str(tmp_path / "log")]
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip() == units
