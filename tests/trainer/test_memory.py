import pytest

from trainer import memory

V1 = "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n"
V2 = "low 0\nhigh 0\nmax 41\noom 4\noom_kill 3\noom_group_kill 0\n"


@pytest.mark.parametrize("content", [V1, V2])
def test_the_kernels_kills_are_counted(content, tmp_path, monkeypatch):
    counter = tmp_path / "counter"
    monkeypatch.setattr(memory, "_COUNTERS", (tmp_path / "absent", counter))
    assert memory.kernel_kills() == 0
    counter.write_text(content)
    assert memory.kernel_kills() == 3
