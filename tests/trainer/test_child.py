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


FORK = """
import os, sys, threading, types
os.environ |= {"OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2"}
exec(sys.argv[1])
from windtunnel_trainer import child
print(child.can_fork())
"""

CUDA = """
parent = os.getpid()
sys.modules["torch._C"] = types.SimpleNamespace(_cuda_isInBadFork=lambda: os.getpid() != parent)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="threads are counted as Linux tells them")
@pytest.mark.parametrize(
    ("before", "fit"),
    [
        ("", True),
        ("import numpy, scipy.linalg; scipy.linalg.inv(numpy.random.rand(500, 500))", True),
        ("threading.Thread(target=threading.Event().wait, daemon=True).start()", False),
        (CUDA, False),
        ("sys.modules['torch.cuda'] = types.SimpleNamespace(is_initialized=lambda: True)", False),
        pytest.param(
            "import torch; torch.set_num_threads(2); torch.rand(4_000_000).relu()", False, marks=pytest.mark.slow
        ),
        pytest.param("import torch, onnx, torch._dynamo, torch.onnx", True, marks=pytest.mark.slow),
    ],
    ids=["nothing", "blas", "thread", "cuda counted", "cuda used", "openmp", "torch"],
)
def test_a_process_with_threads_or_cuda_is_not_forked(before, fit):
    done = subprocess.run([sys.executable, "-c", FORK, before], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == str(fit)
