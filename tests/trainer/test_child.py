import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import os, sys
from pathlib import Path
from windtunnel_trainer import child
score = Path("/proc/self/oom_score_adj")
score.write_text(sys.argv[1])
log = Path(sys.argv[2])
pid = child.start(lambda: print(score.read_text().strip()), log, child.Lifeline(), {})
os.waitpid(pid, 0)
print(log.read_text().strip())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's score is Linux's")
@pytest.mark.parametrize("own", [0, 800])
def test_a_unit_is_to_go_before_its_job_and_never_later_than_its_pod(tmp_path, own):
    own = max(own, int(Path("/proc/self/oom_score_adj").read_text()))  # not everybody may go below
    command = [sys.executable, "-c", SCRIPT, str(own), str(tmp_path / "log")]
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip() == str(max(own, 500))
