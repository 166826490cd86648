import pytest

from windtunnel.definition.model import Definition
from windtunnel.definition.threads import local_lanes, share, threads_of


@pytest.mark.parametrize(
    ("launcher", "limits", "cpu", "threads"),
    [
        ("local", {}, None, 1),
        ("local", {"parallel": 2}, None, 4),
        ("local", {"parallel": 2, "slots": 2}, None, 2),
        ("local", {"parallel": 64}, None, 1),
        ("local", {"parallel": 2, "threads": 3}, None, 3),
        ("local", {}, 2, 2),
        ("local", {"parallel": 2, "slots": 2}, 4, 2),
        ("kubernetes", {"parallel": 2, "slots": 2}, 6, 3),
        ("kubernetes", {}, None, 1),
        ("elsewhere", {}, None, 8),
    ],
)
def test_cores_are_shared_out_among_what_runs_at_once(monkeypatch, launcher, limits, cpu, threads):
    monkeypatch.setattr("windtunnel.definition.threads.cores", lambda: 8)
    fields = {"workload": "a", "objectives": {"x": "maximize"}, "launcher": launcher, "limits": limits}
    definition = Definition.model_validate({"name": "toy", **fields, "resources": {"cpu": cpu} if cpu else {}})
    assert threads_of(definition) == threads


@pytest.mark.parametrize(
    ("limits", "cpu", "lanes"),
    [({}, None, 8), ({}, 2, 4), ({}, 3, 2), ({}, 0.5, 8), ({}, 99, 1), ({"parallel": 3}, 2, 3)],
)
def test_there_are_as_many_local_lanes_as_cores_for_them(monkeypatch, limits, cpu, lanes):
    monkeypatch.setattr("windtunnel.definition.threads.cores", lambda: 8)
    fields = {
        "name": "toy",
        "workload": "a",
        "objectives": {"x": "maximize"},
        "limits": limits,
        "resources": {"cpu": cpu},
    }
    assert local_lanes(Definition.model_validate(fields)) == lanes


def test_everyone_has_one_at_least():
    assert (share(8, 3), share(1, 4), share(8, 2, 2)) == (2, 1, 2)
