"""Whatever dies between two writes, its repetition finishes: shown for every write that a search makes."""

from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.airflow.stepping import Stepping
from tests.definitions import definition_from
from tests.dying import DiesEverywhere, DiesOnce, Fate, assert_claimed, assert_same, mortal, objects, step, tries
from tests.stepped import SteppedLauncher
from windtunnel import launchers
from windtunnel.definition import checks
from windtunnel.errors import LaunchError, SearchError
from windtunnel.ledger import Ledger, State
from windtunnel.report import write
from windtunnel.stages import warm_start
from windtunnel.stores import open_store
from windtunnel_airflow import context
from windtunnel_airflow.dag import search_dag
from windtunnel_airflow.failures import failures
from windtunnel_airflow.tasks import training
from windtunnel_trainer import units

_containers = count()

SEARCH = {
    "name": "story",
    "workload": "sure",
    "objectives": {"score": "maximize", "cost": "minimize"},
    "constraints": {"cost": {"max": 12}},
    "settings": {"fail": [3, 5]},
    "strategy": {"name": "random"},
    "iterations": 2,
    "trials": {"initial": 4, "per_iteration": 3, "default_first": True},
    "epochs": {"partial": 2.0, "full": 4.0},
    "early_stopping": {"halving": {"rungs": [1], "factor": 2}},
    "finalists": {"max": 2},
    "limits": {"parallel": 2, "trial_retries": 1000},  # of processes that die at every write
    "launcher": "stepped",
    "seed": 3,
}


def first(stepping, url):
    """Iterations with a barrier and halving, a trial that fails, an approval, full training."""
    stepping.run("first", approval=True)


def extension(stepping, url):
    """More iterations of a finished run, in which failed trials are tried again."""
    stepping.run("extension", resume="first", retry_failed=True)


def refusal(stepping, url):
    """A run that takes over what the first one knows, and whose finalists are refused."""
    stepping.run("second", "Reject", approval=True, warm_start=[f"{url}/story/first"])


def retraining(stepping, url):
    """No search: trials of the first run, trained fully."""
    source = Ledger(open_store(url), "story", "first")
    trials = [request.trial for request in source.plan("1").requests if request.infeasible is None][:2]
    stepping.run("third", from_run=source.url, trials=trials, epochs_full=5.0)


def resumption(stepping, url):
    """A run whose Airflow is stopped after an iteration, and goes on in another DAG run."""
    stepping.run("fourth", cut_after="iteration_1.select")
    stepping.run("resumption", resume="fourth")


def continuous(stepping, url):
    """A search that suggests the next trials while some still wait for a lane."""
    stepping.run("fifth")


STORY = (first, extension, refusal, retraining, resumption)
ALL = (first, resumption)  # in which all of Airflow may die
CONTINUOUS = SEARCH | {
    "continuous": True,
    "early_stopping": {},
    "iterations": 3,
    "trials": {"initial": 5, "per_iteration": 3, "ahead": 2},
}


@pytest.fixture(autouse=True)
def cheap(monkeypatch):
    """Nothing here takes time that has nothing to do with writes."""
    monkeypatch.setitem(launchers._LAUNCHERS, "stepped", "tests.stepped:SteppedLauncher")
    monkeypatch.setattr(checks, "LAUNCHERS", ("stepped",))
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "workloads")
    monkeypatch.setattr(SteppedLauncher, "waiting", {})
    monkeypatch.setattr(context, "use_connection", lambda: None)
    monkeypatch.setattr(units, "read_peak", lambda log: 0)
    monkeypatch.setattr(write, "draw", lambda snapshot: b"")
    monkeypatch.setattr(write, "render", lambda snapshot, ledger: "")


def perform(parts, url, fate, **how):
    """These parts of the story, on the store at the URL."""
    dag = search_dag(definition_from((CONTINUOUS if continuous in parts else SEARCH) | {"store": url}))
    with mortal(fate):
        for part in parts:
            part(Stepping(dag, fate, **how), url)


def undisturbed(url, part, fate=None):
    """What the store holds after a part of the story in which nobody died; it is left as it was before the part."""
    store = open_store(url)
    for entry in [*store.list()]:
        store.delete(entry.path)
    if part not in (first, resumption):
        perform([first], url, Fate())
    before = contents(store)
    perform([part], url, fate or Fate())
    expected = objects(store), tries(store)
    restore(store, before)
    return expected


def contents(store):
    """All that a store holds."""
    return [(entry.path, store.get(entry.path), entry.metadata) for entry in store.list()]


def restore(store, before):
    """Let a store hold that and nothing else; it is written anew, for copied files would lack their metadata."""
    for entry in [*store.list()]:
        store.delete(entry.path)
    for path, content, metadata in before:
        store.put(path, content, metadata)
    SteppedLauncher.waiting.clear()
    warm_start._results.cache_clear()


def assert_as(url, expected, other=""):
    """Hold what the store holds against what it would hold had nobody died, but for paths that have `other` in them."""
    assert_same(open_store(url), expected[0], other)
    assert_claimed(open_store(url))
    found = tries(open_store(url))
    assert found.keys() == expected[1].keys()
    assert all(found[path] >= expected[1][path] for path in found)


def test_the_story_has_all_that_a_search_can_meet(tmp_path):
    perform(STORY, str(tmp_path), Fate())
    store = open_store(str(tmp_path))
    runs = {run: Ledger(store, "story", run) for run in ("first", "second", "third", "fourth")}
    results = [result for ledger in runs.values() for result in ledger.outcomes().values()]
    assert {result.state for result in results} == {State.COMPLETED, State.FAILED, State.INFEASIBLE}
    assert any(".r1" in result.trial and result.state is State.COMPLETED for result in results)
    assert any(result.source for result in results)
    assert runs["first"].iterations_done() == 4
    assert runs["first"].approval().approved and not runs["second"].approval().approved
    assert [run for run, ledger in runs.items() if ledger.read_json("models.json")] == ["first", "third", "fourth"]
    assert runs["third"].search_record()["origin"]
    assert len(runs["fourth"].sessions()) == 2
    assert set(tries(store).values()) == {1}


@pytest.mark.parametrize("part", STORY, ids=lambda part: part.__name__)
def test_every_process_may_die_before_and_after_each_of_its_writes(tmp_path, part):
    all_die_everywhere(str(tmp_path / "store"), part)


@pytest.mark.azure
@pytest.mark.slow
@pytest.mark.parametrize(
    "part", [first, *(pytest.param(part, marks=pytest.mark.long) for part in STORY if part is not first)]
)
def test_so_may_every_process_on_azure(azurite_server, monkeypatch, part):
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", azurite_server.connection_string)
    all_die_everywhere(f"azure://dying-{next(_containers)}/runs", part)


def all_die_everywhere(url, part):
    """Perform a part of the story while every process dies before and after each of its writes."""
    calm, fate = Fate(), DiesEverywhere()
    expected = undisturbed(url, part, calm)
    perform([part], url, fate)
    assert fate.deaths >= 2 * len(calm.writes)
    assert_as(url, expected)


def test_a_trial_may_die_alone_before_and_after_each_of_its_writes(tmp_path):
    url, calm, fate = str(tmp_path / "store"), Fate(), DiesEverywhere()
    expected = undisturbed(url, first, calm)
    perform([first], url, fate, alone=True)
    assert fate.deaths >= 2 * len(calm.writes)
    assert_as(url, expected)


def test_a_continuous_search_that_dies_everywhere_loses_nothing_but_stragglers_that_it_names(tmp_path):
    """What each selection knows depends on who died when, unlike with a barrier."""
    url, fate = str(tmp_path), DiesEverywhere()
    perform([continuous], url, fate, most=1)
    store = open_store(url)
    ledger = Ledger(store, "story", "fifth")
    asked = {
        request.trial for stage in ledger.stages() for request in ledger.plan(stage).requests if not request.infeasible
    }
    last = ledger.selection(str(ledger.iterations_done()))
    named = {decision.trial for decision in last.decisions if decision.what == "late"}
    assert fate.deaths > 200
    assert asked - ledger.outcomes().keys() <= named
    assert_claimed(store, named)
    tries(store)
    models = ledger.read_json("models.json")["models"]
    assert models and all(ledger.result(model["trial"]).state is State.COMPLETED for model in models)


def test_the_whole_of_airflow_may_die_at_some_writes_and_a_new_run_goes_on(tmp_path):
    dies_at(str(tmp_path / "store"), first, every=60)


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("part", ALL, ids=lambda part: part.__name__)
def test_the_whole_of_airflow_may_die_at_any_write_and_a_new_run_goes_on(tmp_path, part):
    dies_at(str(tmp_path / "store"), part)


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("part", STORY, ids=lambda part: part.__name__)
def test_one_process_may_die_at_any_write(tmp_path, part):
    dies_at(str(tmp_path / "store"), part, resumes=False)


@pytest.mark.azure
@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize(
    ("part", "resumes"),
    [*((part, False) for part in STORY), *((part, True) for part in ALL)],
    ids=lambda given: given.__name__ if callable(given) else "all of Airflow" if given else "one process",
)
def test_so_may_either_on_azure(azurite_server, monkeypatch, part, resumes):
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", azurite_server.connection_string)
    dies_at(f"azure://dying-{next(_containers)}/runs", part, step(60), resumes)


def dies_at(url, part, every=1, resumes=True):
    """Perform a part of the story once for each write, which one process, or all of Airflow, does not survive."""
    calm = Fate()
    expected = undisturbed(url, part, calm)
    store = open_store(url)
    before = contents(store)
    for n in range(1, len(calm.writes) + 1, every):
        for when in ("before", "after"):
            restore(store, before)
            perform([part], url, DiesOnce(n, when), resumes=resumes)
            assert_as(url, expected, "/(sessions|finished|closed)/" if resumes else "")


@pytest.mark.parametrize("told", [True, False], ids=["the task says so", "the task died each time"])
def test_a_job_that_cannot_be_launched_has_failed_at_once(tmp_path, monkeypatch, told):
    """The sensor looks a few times and no more, or the stepped run fails; `limits.pending` is an hour."""
    launch = SteppedLauncher.launch

    def refuse(launcher, ledger, job):
        if job.session is not None:
            raise LaunchError("the cluster refuses it")
        launch(launcher, ledger, job)

    monkeypatch.setattr(SteppedLauncher, "launch", refuse)
    if not told:
        monkeypatch.setattr(training, "record_unlaunched", lambda *_: None)
    url = str(tmp_path)
    with pytest.raises(SearchError, match="no trial is on the front"):
        perform([first], url, Fate())
    ledger = Ledger(open_store(url), "story", "first")
    lost = [ledger.result(request.trial) for request in ledger.plan("1").requests if not request.infeasible]
    assert {(result.kind, result.message) for result in lost} == {("launch_failed", "the cluster refuses it")}


def test_failures_of_mapped_tasks_are_told_too():
    told = {"a.launch": ["cannot start job 1-0", None, "cannot start job 1-2"], "b": "there is no such run", "c": None}
    tasks = [SimpleNamespace(task_id=task, is_teardown=False) for task in told]
    states = {"run": {"a.launch_0": "failed", "a.launch_1": "success", "a.launch_2": "failed", "b": "failed"}}
    ti = SimpleNamespace(get_task_states=lambda **_: states, xcom_pull=lambda task_ids, key: told[task_ids])
    assert failures({"dag": SimpleNamespace(dag_id="dag", tasks=tasks), "run_id": "run", "ti": ti}) == [
        "a.launch: cannot start job 1-0 (and 1 more)",
        "b: there is no such run",
    ]
