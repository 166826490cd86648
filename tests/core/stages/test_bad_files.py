"""One bad file anywhere in a run: each door works on, or says in one line which file it is and what mends it."""

import json
import os
import shutil

import pytest

from tests.core.stages import conftest
from tests.core.stages.conftest import Bench
from windtunnel.cli import main
from windtunnel.errors import StoreError, UnreadableError, WindtunnelError
from windtunnel.launchers.base import JobFailure, Launcher
from windtunnel.launchers.monitor import StageMonitor
from windtunnel.ledger import Approval, Job, Ledger, Result, Selection, State
from windtunnel.ledger.curves import read_curves
from windtunnel.ledger.find import find_run
from windtunnel.report import collect, payloads
from windtunnel.report.html import render
from windtunnel.stages import History, begin, choose_finalists, plan_verification, publish, select, start, suggest
from windtunnel.stages.search import Search
from windtunnel.stages.warm_start import _results
from windtunnel.stores.base import MOST_AT_ONCE
from windtunnel.stores.local import LocalStore

BAD = {
    "empty": b"",
    "torn": None,  # its first half
    "no JSON": b"nothing of the kind\n",
    "a list": b"[1, 2]\n",
    "not UTF-8": b'{"state": "\xff\xfe\x00"}',
    "of another version": b'{"version": 7, "content": {"objectives": {}}}\n',
}
ALL = (*BAD, "too big", "a folder")
QUICK = ("torn", "a list", "a folder")  # no JSON, no record, no file: what is read goes three ways
SMALL = {"strategy": {"name": "random"}, "iterations": 2, "trials": {"initial": 3, "per_iteration": 2}}
STRANGERS = ("Thumbs.db", ".DS_Store", "desktop.ini", "{}~", "{}.bak", "#{}#", ".{}.swp", "copy of {}", "copy-of-{}")


class Idle(Launcher):
    """Runs nothing, and never will."""

    def launch(self, ledger, job):
        pass

    def live(self, ledger):
        return set()

    def may_relaunch(self, ledger, job):
        return False

    def failure_reason(self, ledger, job):
        return JobFailure("gone", f"job {job.job} is gone")

    def cancel(self, ledger, jobs=None):
        pass


def definition(**more):
    return conftest.definition(**SMALL | more)


def watched(ledger):
    monitor = StageMonitor(ledger, Idle(), "2")
    return [monitor.poll().message for _ in range(3)]


def prepared(run, **more):
    """A new run in the same store that takes up what the first has."""
    ledger = Ledger(run.store, "toy", "retrained" if "origin" in more else "warm")
    search = begin(definition(**{key: value for key, value in more.items() if key != "origin"}), ledger, "o1",
                   origin=more.get("origin"))  # fmt: skip
    ledger.write_json("data/manifest.json", {"digest": "d", "files": {}, "splits": {}})
    return search


def pages(run):
    snapshot = collect(run)
    curves = payloads.Curves(run)
    shown = [payloads.overview(snapshot), payloads.trials(snapshot), payloads.lanes(snapshot)]
    shown += [payloads.curves(snapshot, curves), payloads.compare(snapshot, snapshot)]
    return [*shown, *(payloads.trial(snapshot, run, trial) for trial in snapshot.trials[:3])]


def trial(run):
    return run.plan("1").requests[0].trial


DOORS = {
    "status": lambda run: main(["status", run.url]),
    "results": lambda run: main(["results", run.url, "--csv"]),
    "fetch": lambda run: main(["fetch", run.url, "--to", str(run.store.folder.parent / "fetched")]),
    "latest of all": lambda run: find_run(f"{run.store.url}/latest").url,
    "pages": pages,
    "report": lambda run: render(collect(run), run),
    "suggest": lambda run: suggest(Search.open(run, "s1"), 2),
    "select": lambda run: select(Search.open(run, "s1"), 2),
    "finalists": lambda run: choose_finalists(Search.open(run, "s1")),
    "verification": lambda run: plan_verification(Search.open(run, "s1")),
    "publish": lambda run: publish(Search.open(run, "s1")),
    "wait": watched,
    "job": lambda run: (run.job("1-0"), run.launches("1-0"), run.attempts(trial(run)), run.request(trial(run))),
    "approval": lambda run: run.approval(),
    "curves": lambda run: read_curves(run, "score"),
    "warm start": lambda run: start(prepared(run, warm_start=[run.url])),
    "retrain": lambda run: choose_finalists(
        prepared(run, origin={"from_run": run.url, "trials": [trial(run)]})
    ),
    "resume": lambda run: suggest(begin(definition(), run, "s2"), 3),
}  # fmt: skip
PUBLISHING = ("publish", "fetch")  # say that nothing is published, which is so


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A store with a run of two iterations that has every kind of object."""
    bench = Bench(tmp_path_factory.mktemp("whole"))
    search = bench.begin(**SMALL)
    ledger = search.ledger
    ledger.write_json("data/manifest.json", {"digest": "d", "files": {}, "splits": {}})
    bench.iterate(search, 2)
    bench.train(search, choose_finalists(search))
    plan_verification(search)
    ledger.begin_trial(ledger.plan("1").requests[0])
    ledger.create_job(Job(job="1-0", stage="verify-1", units=["verify-" + trial(ledger)]))
    ledger.begin_first_attempt(trial(ledger), "1-0", "here", "2026-11-28T00:00:00+00:00")
    ledger.begin_launch("1-0", "here", "2026-11-28T00:00:00+00:00")
    ledger.cancel_launch("1-0")
    ledger.record(Result(trial="prepare", state=State.COMPLETED))
    ledger.answer(Approval(approved=True, session="s1", stage="full-2"))
    ledger.finish("s1")
    ledger.close("s1")
    for name in ("pareto.json", "models.json", f"trials/{trial(ledger)}/decisions.json"):
        ledger.write_json(name, {})
    for name in ("metrics.jsonl", "log.txt"):
        ledger.store.put(ledger.trial_path(trial(ledger), name), b'{"epoch": 1, "score": 2}\n')
    ledger.store.put("toy/current.json", json.dumps({"run": "run"}).encode())
    return ledger


@pytest.fixture
def run(whole, tmp_path):
    """A copy of it to be spoilt."""
    _results.cache_clear()
    store = LocalStore(tmp_path / "store")
    shutil.copytree(whole.store.folder, store.folder)
    return Ledger(store, "toy", "run", whole.digest)


def objects(whole):
    """One object of each kind, by its path with what varies left out."""
    kinds = {}
    for entry in whole.store.list("toy/run/"):
        name = entry.path.removeprefix("toy/run/")
        if not name.endswith(".zip"):
            kinds.setdefault(kind_of(name), name)
    return kinds


def kind_of(name):
    folder, *inner = name.split("/")
    if folder in ("trials", "iterations", "jobs") and len(inner) > 1:
        return f"{folder}/*/{'/'.join(inner[1:])}"
    return f"{folder}/*" if inner and folder != "data" else name


KINDS = [
    "search.json", "writer.json", "plans.json", "pareto.json", "models.json", "approval.json", "data/manifest.json",
    "sessions/*", "specs/*", "finished/*", "closed/*", "results/*", "steps/*", "jobs/*", "jobs/*/launches/1.json",
    "jobs/*/cancelled/1.json", "iterations/*/plan.json", "iterations/*/known.json", "trials/*/request.json",
    "trials/*/attempts/1.json", "trials/*/metrics.jsonl", "trials/*/decisions.json", "trials/*/log.txt",
]  # fmt: skip


def spoil(file, badness):
    """Let a bad file, or a folder, stand in the place of a good one."""
    if badness == "a folder":
        file.unlink()
        file.mkdir()
    elif badness == "too big":
        os.truncate(file, MOST_AT_ONCE + 1)
    else:
        content, bad = file.read_bytes(), BAD[badness]
        file.write_bytes(content[: len(content) // 2] if bad is None else bad)


def entered(run, door, enter):
    """What a door says: empty where it opens."""
    try:
        enter(run)
    except WindtunnelError as error:
        assert "\n" not in str(error), f"{door} says more than a line: {error}"
        return error
    return None


def named_by_cli(door, capsys):
    """What the command line said."""
    return capsys.readouterr().err if door in ("status", "results", "fetch") else ""


def test_every_kind_of_object_is_tried(whole):
    assert set(objects(whole)) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("badness", [one if one in QUICK else pytest.param(one, marks=pytest.mark.slow) for one in ALL])
def test_a_bad_file_hurts_no_door_or_is_named_by_it(whole, run, capsys, kind, badness):
    file = run.store.folder / "toy/run" / objects(whole)[kind]
    spoil(file, badness)
    for door, enter in DOORS.items():
        if door == "report" and badness != "torn":  # it reads what the pages read, and takes longest
            continue
        error = entered(run, door, enter)
        said = str(error or "") + named_by_cli(door, capsys)
        assert said.count("\n") <= 1, said
        if said and door not in PUBLISHING:
            hidden = kind == "search.json" and badness == "a folder" and door == "latest of all"
            assert hidden or file.name in said or (kind == "search.json" and run.url in said), (
                f"{door} does not name {file.name}: {said}"
            )
            assert kind in ("search.json", "specs/*", "writer.json") or isinstance(
                error, UnreadableError | StoreError | None
            )
            if hidden:
                continue
            mends = (
                "delete it",
                "move it away",
                "resume the run",
                "stands in its place",
                "begin a new run",
                "writes nothing more",
            )
            assert any(mend in said.lower() for mend in mends), said


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_newer_version_adds_is_passed_over(whole, run, capsys, kind):
    file = run.store.folder / "toy/run" / objects(whole)[kind]
    if file.suffix != ".json" or kind == "specs/*":  # a specification is known by its digest
        return
    content = json.loads(file.read_text())
    content["of_tomorrow"] = {"any": [1]}
    if "definition" in content:
        content["definition"]["of_tomorrow"] = content["definition"]["limits"]["of_tomorrow"] = 3
    file.write_text(json.dumps(content))
    assert {door: entered(run, door, enter) for door, enter in DOORS.items() if door not in PUBLISHING} == {
        door: None for door in DOORS if door not in PUBLISHING
    }
    assert capsys.readouterr().err == ""


def test_strangers_files_are_passed_over(whole, run, capsys):
    before = pages(run)
    for file in [*(run.store.folder / "toy").rglob("*")]:
        if ".meta" in file.parts or not file.is_file() or file.suffix == ".zip":
            continue
        for stranger in STRANGERS[: -1 if file.parent.name == "steps" else None]:  # any name may be a step's
            content = file.read_bytes() if "copy" in stranger else b"\x00\xff whatever"
            (file.parent / stranger.format(file.name)).write_bytes(content)
    (run.store.folder / "Thumbs.db").write_bytes(b"\x00")
    after = pages(run)
    for page in (*before, *after):
        page.pop("read", None), page.pop("files", None)
    assert after == before
    for door, enter in DOORS.items():
        if door not in PUBLISHING:
            assert entered(run, door, enter) is None, door


@pytest.mark.parametrize("badness", ALL)
def test_a_broken_result_counts_as_failed_with_the_reason(whole, run, badness):
    name = trial(run)
    file = run.store.folder / f"toy/run/results/{name}.json"
    spoil(file, badness)
    for result in (run.result(name), run.outcome(name), run.outcomes()[name]):
        assert (result.trial, result.state, result.kind) == (name, State.FAILED, "unreadable")
        assert f"results/{name}.json" in result.message
        assert ("move it away" if badness == "a folder" else "delete it and resume") in result.message


def test_a_start_whose_record_is_torn_counts(run):
    folder = run.store.folder / "toy/run"
    (folder / f"trials/{trial(run)}/attempts/1.json").write_bytes(b"{")
    (folder / "jobs/1-0/launches/1.json").write_bytes(b"")
    assert [attempt.number for attempt in run.attempts(trial(run))] == [1]
    assert [launch.number for launch in run.launches("1-0")] == [1]
    assert run.begin_attempt(trial(run), "1-0", "here", "2026-11-28T00:00:00+00:00").number == 2


def test_a_selection_that_fits_no_plan_is_named(run):
    path = run.path("iterations/1/known.json")
    run.store.put(path, Selection(stage="1", results=["0" * 16 + "-e1"], front=[], hypervolume=None).to_bytes())
    with pytest.raises(UnreadableError, match=r"iterations/1/known\.json"):
        History(run).trials(1)
