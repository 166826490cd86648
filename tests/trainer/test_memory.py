import os
import subprocess
import sys

import pytest

from windtunnel_trainer import memory

V1 = "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n"
V2 = "low 0\nhigh 0\nmax 41\noom 4\noom_kill 3\noom_group_kill 0\n"


@pytest.mark.parametrize("content", [V1, V2])
def test_the_kernels_kills_are_counted(content, tmp_path, monkeypatch):
    counter = tmp_path / "counter"
    monkeypatch.setattr(memory, "_COUNTERS", (tmp_path / "absent", counter))
    assert memory.kernel_kills() == 0
    counter.write_text(content)
    assert memory.kernel_kills() == 3


def test_a_peak_is_of_all_processes_of_a_unit_together(tmp_path):
    assert memory.peak_of(os.getpid()) > 0.9 * memory.beyond(os.getpid(), 0) > 0
    hold = "x = bytearray(50_000_000); print(flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", hold], stdin=-1, stdout=-1) as child:
        child.stdout.readline()
        assert memory.peak_of(child.pid) > 50_000_000
        assert memory.beyond(os.getpid(), 0) > memory.beyond(child.pid, 0) + 10_000_000
        child.communicate(b"\n")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells of shared memory")
def test_what_processes_share_counts_once():
    """As workers of a loader share their data; each has some 10 MB of its own."""
    hold = """
import os
data = bytearray(b"x") * 200_000_000
for _ in range(4):
    if os.fork() == 0:
        sum(data[::4096])
        os.write(1, b"r")
        os.read(0, 1)
        os._exit(0)
os.read(0, 1)
"""
    with subprocess.Popen([sys.executable, "-c", hold], stdin=-1, stdout=-1) as holder:
        assert holder.stdout.read(4) == b"rrrr"
        assert memory.beyond(holder.pid, 400_000_000) == 0
        assert 200_000_000 < memory.beyond(holder.pid, 150_000_000) < 400_000_000
        holder.communicate(b"xxxxx")


def test_what_the_supervisor_has_seen_counts(tmp_path):
    log = tmp_path / "unit-e0.5.log"
    own = memory.read_peak(log)
    memory.write_peak(log, 10**15)
    assert memory.read_peak(log) == 10**15
    memory.write_peak(log, 1)
    assert own <= memory.read_peak(log) < 10**15
    assert 0 < memory.read_peak(None) < 10**15


def test_of_a_process_that_is_gone_nothing_is_known():
    assert memory.peak_of(2**22 + 1) == memory.beyond(2**22 + 1, 0) == 0
