"""The benchmark of a lane's memory runs."""

from benchmarks import lane_memory


def test_a_lane_is_measured_after_each_batch(tmp_path, monkeypatch):
    monkeypatch.setattr(lane_memory, "BATCH", 3)
    sizes = list(lane_memory.held(lane_memory.begun(tmp_path, trials=6, slots=2)))
    assert len(sizes) == 2 and all(size.own > 2**20 and size.files > 2**20 for size in sizes)
