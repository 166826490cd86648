"""Asking for units where the store refuses, under a clock of the test's own."""

from types import SimpleNamespace

import pytest

from windtunnel.errors import StoreError, UnavailableError
from windtunnel_trainer import source
from windtunnel_trainer.source import Patient


@pytest.fixture
def clock(monkeypatch):
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(source.time, "monotonic", lambda: clock.now)
    return clock


def test_a_claim_that_a_full_disk_refuses_is_told_once_and_asked_for_again(clock, capsys):
    answers = [UnavailableError("no space"), UnavailableError("no space"), UnavailableError("no space"), "unit"]

    def next_unit():
        answer = answers.pop(0) if answers else None
        if isinstance(answer, Exception):
            raise answer
        return answer

    patient = Patient(SimpleNamespace(next=next_unit), pytest.fail)
    asked = []
    for _ in range(5):
        asked.append(patient.next())
        asked.append(patient.next())  # too soon after a refusal
        clock.now += 60
    assert "unit" in asked and not answers
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(" ")[2] for line in lines] == ["asking again and again: no space", "the store answers again"]


def test_only_refusals_for_good_in_a_row_are_given_up(clock):
    full, forbidden = UnavailableError("no space left"), StoreError("Operation not permitted")
    answers = [full] * 50 + [forbidden] * 3 + [full] + [forbidden] * 3 + [None] + [forbidden] * 4

    def next_unit():
        answer = answers.pop(0)
        if answer is not None:
            raise answer

    given_up = []
    patient = Patient(SimpleNamespace(next=next_unit), given_up.append)
    while answers:
        assert not given_up
        patient.next()
        clock.now += 12
    assert given_up == [forbidden]
