from datetime import timedelta

from tests.core.report import made_up
from windtunnel.ledger import Job, JobKind, Ledger, Plan, Request, Result, State
from windtunnel.report.timing import busy_spans, covered

CONFIG = "0123456789abcdef"


def test_what_overlaps_counts_once() -> None:
    assert covered([(0, 4), (2, 6), (8, 9)], (0, 10)) == 7
    assert covered([(0, 4), (1, 2)], (0, 10)) == 4


def test_only_what_is_within_counts() -> None:
    assert covered([(-5, 3), (9, 20)], (0, 10)) == 4
    assert covered([(-5, -1), (11, 20)], (0, 10)) == 0


def test_a_stage_is_busy_from_its_launch_to_its_last_result(ledger: Ledger) -> None:
    began = made_up.BEGAN.timestamp()
    _stage(ledger, launched=(10, 60), started=65, seconds=5)
    assert busy_spans(ledger, since=began) == [(began + 10, began + 70)]
    # The first launch was another session's: the time between the two is nobody's work.
    assert busy_spans(ledger, since=began + 30) == [(began + 60, began + 70)]
    assert busy_spans(ledger, since=began + 100) == []


def _stage(ledger: Ledger, launched: tuple[int, ...], started: int, seconds: float) -> None:
    def moment(second: float) -> str:
        return (made_up.BEGAN + timedelta(seconds=second)).isoformat()

    ledger.create_job(Job(job="prepare", kind=JobKind.PREPARE, stage="prepare", units=["prepare"]))
    trial = f"{CONFIG}-e1"
    job = Job(job="1-0", kind=JobKind.TRAIN, stage="1", units=[trial])
    ledger.create_plan(
        Plan(stage="1", requests=[Request(trial=trial, config=CONFIG, params={}, epochs=1, stage="1")], jobs=[job])
    )
    for second in launched:
        ledger.begin_launch("1-0", "here", moment(second))
    ledger.record(Result(trial=trial, state=State.COMPLETED, started=moment(started), seconds=seconds))
