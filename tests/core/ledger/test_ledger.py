import json

import pytest

from windtunnel.errors import LedgerError
from windtunnel.ledger import Job, Ledger, Plan, Result, Selection, State
from windtunnel.ledger.format import FORMAT
from windtunnel.ledger.session import Session
from windtunnel.stores.local import LocalStore

TRIAL = "0123456789abcdef-e0.1"


@pytest.fixture
def ledger(tmp_path):
    return Ledger(LocalStore(tmp_path), "search", "run")


def result(unit=TRIAL, **more):
    return Result(trial=unit, **{"state": State.COMPLETED, "objectives": {"acc": 0.9}} | more)


def test_a_ledger_is_found_again_by_its_url(ledger):
    ledger.begin({"definition": {}})
    assert Ledger.open(ledger.url).search_record() == {"format": FORMAT, "definition": {}}


@pytest.mark.parametrize("url", ["run", "search/run", "/search/run", "azure://container/run", "file:///search/run"])
def test_a_url_that_is_no_run_is_refused(url):
    with pytest.raises(LedgerError, match="<store>/<search>/<run>"):
        Ledger.open(url)


def test_search_json_is_written_once(ledger):
    first = ledger.begin({"definition": {"seed": 1}})
    assert ledger.begin({"definition": {"seed": 2}}) == first == {"format": FORMAT, "definition": {"seed": 1}}


def test_the_latest_session_says_what_the_definition_is(ledger):
    ledger.begin({"definition": {"iterations": 1}, "code": "c"})
    for number in (1, 2):
        started = f"2026-01-0{number}T00:00:00+00:00"
        definition = {"iterations": number + 1}
        ledger.open_session(
            Session(session=f"s{number}", offset=0, iterations=1, definition=definition, started=started)
        )
    assert ledger.search_record() == {"format": FORMAT, "definition": {"iterations": 3}, "code": "c"}


def test_the_first_result_holds_and_the_late_one_is_kept(ledger):
    assert ledger.record(result(state=State.FAILED, kind="gone"))
    assert not ledger.record(result())
    assert ledger.result(TRIAL).kind == "gone"
    late = json.loads(ledger.store.get(ledger.trial_path(TRIAL, "late.json")))
    assert late["state"] == "completed"


def test_outcomes_come_from_one_listing_without_reading_results(ledger, monkeypatch):
    ledger.record(result(metrics={"loss": 0.5, "nothing": None}, violation=0.25, kind="", seconds=3.5))
    ledger.record(result("verify-" + TRIAL))
    monkeypatch.setattr(LocalStore, "get_tagged", lambda self, path: pytest.fail(f"read {path}"))
    outcome = ledger.outcomes()[TRIAL]
    assert set(ledger.outcomes()) == {TRIAL}
    assert (outcome.objectives, outcome.metrics) == ({"acc": 0.9}, {"loss": 0.5, "nothing": None})
    assert (outcome.violation, outcome.seconds, outcome.feasible) == (0.25, 3.5, False)
    assert set(ledger.step_outcomes()) == {"verify-" + TRIAL}


def test_a_result_too_large_for_metadata_is_read_from_its_body(ledger):
    many = {f"metric_{number}": float(number) for number in range(1000)}
    ledger.record(result(metrics=many))
    assert ledger.outcomes()[TRIAL].metrics == many


def test_a_metric_that_is_not_finite_is_none_wherever_it_is_read(ledger):
    ledger.record(result(metrics={"odd": float("nan"), "loss": 0.5}))
    assert ledger.outcomes()[TRIAL].metrics == ledger.result(TRIAL).metrics == {"odd": None, "loss": 0.5}


def test_a_copied_folder_is_a_ledger_too(ledger, tmp_path):
    import shutil

    ledger.record(result())
    shutil.copytree(tmp_path / "search", tmp_path / "copy")
    assert Ledger(LocalStore(tmp_path), "copy", "run").outcomes() == ledger.outcomes()


def test_a_plan_is_fixed_by_the_first_writer_and_its_jobs_are_written(ledger):
    job = Job(job="1-0", stage="1", units=[TRIAL])
    first = ledger.create_plan(Plan(stage="1", requests=[], jobs=[job]))
    second = ledger.create_plan(Plan(stage="1", requests=[], jobs=[], note="other"))
    assert second == first == ledger.plan("1")
    assert ledger.job("1-0") == job
    with pytest.raises(LedgerError, match="no job"):
        ledger.job("1-1")


@pytest.mark.parametrize(
    ("stage", "kind"),
    [("3", "train"), ("full-3", "train"), ("verify-3", "verify"), ("prepare", "prepare"), ("fleet", "fleet")],
)
def test_a_jobs_record_tells_what_its_units_are(ledger, stage, kind):
    job = ledger.create_job(Job(job="a-job", stage=stage, units=[TRIAL]))
    record = ledger.read_json("jobs/a-job.json")
    assert record["kind"] == kind
    assert Job.model_validate(record) == job == ledger.job("a-job")


def test_stages_are_in_order_and_iterations_are_done_once_selected(ledger):
    for stage in ("10", "2", "full-2", "1"):
        ledger.create_plan(Plan(stage=stage, requests=[], jobs=[]))
    assert ledger.stages() == ["1", "2", "full-2", "10"]
    assert ledger.iterations_done() == 0
    for stage in ("1", "2"):
        ledger.create_selection(Selection(stage=stage, results=[], front=[], hypervolume=None))
    assert ledger.iterations_done() == 2


def test_the_last_preparation_is_found_among_the_jobs_logs_and_launches(ledger):
    assert ledger.preparation() is None
    for name in ("prepare", "prepare-r1", "prepare-r10", "prepare-r9"):
        ledger.create_job(Job(job=name, stage=name, units=[name]))
        ledger.begin_launch(name, "host", "now")
        for end in ("log", "lock"):
            ledger.store.put(ledger.path(f"jobs/{name}.{end}"), b"")
    assert ledger.preparation().job == "prepare-r10"


def test_attempts_are_counted_and_preemptions_marked(ledger):
    first = ledger.begin_attempt(TRIAL, "1-0", "host", "now")
    second = ledger.begin_attempt(TRIAL, "1-0", "host", "now")
    ledger.mark_preempted(TRIAL, second)
    assert (first.number, second.number) == (1, 2)
    assert [attempt.preempted for attempt in ledger.attempts(TRIAL)] == [False, True]


def test_a_first_attempt_is_recorded_once(ledger):
    assert ledger.begin_first_attempt(TRIAL, "1-0", "host", "now") == ledger.attempts(TRIAL)[0]
    assert ledger.begin_first_attempt(TRIAL, "1-0", "elsewhere", "later") is None
    assert [attempt.host for attempt in ledger.attempts(TRIAL)] == ["host"]


def test_launches_are_counted(ledger):
    launches = [ledger.begin_launch("1-0", host, "now") for host in ("a", "b", "c")]
    assert [launch.number for launch in launches] == [1, 2, 3]
    assert ledger.launches("1-0") == launches


def test_fields_of_another_version_are_passed_over(ledger):
    assert ledger.record(result())
    written = json.loads(ledger.store.get(ledger.path(f"results/{TRIAL}.json")))
    ledger.write_json(f"results/{TRIAL}.json", written | {"colour": "red"})
    assert ledger.result(TRIAL) == result()


def test_a_session_is_finished_and_closed_once_it_says_so(ledger):
    session = "manual__2026-01-01T00:00:00+00:00"
    assert not ledger.finished(session)
    ledger.finish(session)
    assert ledger.finished(session) and not ledger.closed(session)
    ledger.close(session)
    assert ledger.closed(session)


def test_the_last_preparation_is_the_one_that_counts(ledger):
    assert ledger.preparation() is None
    for name in ("prepare", "prepare-r2", "prepare-r10"):
        ledger.create_job(Job(job=name, stage=name, units=[name]))
    ledger.begin_launch("prepare", "host", "now")
    ledger.store.put(ledger.path("jobs/prepare.log"), b"what the job printed")
    assert ledger.preparation().job == "prepare-r10"
