"""A run has one writer at a time, whoever sleeps, wakes, or is on another machine."""

import json

import pytest

from tests.core.stages.conftest import Bench
from windtunnel.errors import LedgerError
from windtunnel.launchers.monitor import StageMonitor
from windtunnel.ledger import Approval, Ledger
from windtunnel.ledger.writer import BEAT
from windtunnel.stages import choose_finalists, publish, select, suggest
from windtunnel.stages.publishing import write_front
from windtunnel.stages.search import Search
from windtunnel.stores import open_store

UNKNOWN = {"running": lambda session: None}  # to the engine that is asked
TAKEN_OVER = r"session 2 took over this run, s2: session 1 writes nothing more"


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


class Paused:
    """A store that lets something happen just before its n-th write after it was told to, as if its owner slept."""

    def __init__(self, store):
        self._store = store
        self._left = 0
        self._meanwhile = None

    def pause(self, write, meanwhile):
        self._left, self._meanwhile = write, meanwhile

    @property
    def was_reached(self):
        return self._meanwhile is None

    def __getattr__(self, name):
        method = getattr(self._store, name)
        if name not in ("create", "put", "upload", "delete"):
            return method

        def written(*arguments, **keywords):
            self._left -= 1
            if self._left == 0 and self._meanwhile is not None:
                meanwhile, self._meanwhile = self._meanwhile, None
                meanwhile()
            return method(*arguments, **keywords)

        return written


class Two:
    """A session with a store of its own, and another one that begins while the first sleeps."""

    def __init__(self, bench):
        self.store = Paused(bench.store)
        bench.begin(session="s1")
        self.bench = bench
        self.old = Search.open(self.of_old(bench.begin(session="s1").ledger), "s1")
        self.new = None

    def of_old(self, ledger):
        return Ledger(self.store, ledger.search, ledger.run, ledger.spec)

    def sleep(self, write):
        def begin():
            self.new = self.bench.begin(session="s2", limits={"parallel": 3})

        self.store.pause(write, begin)


@pytest.fixture
def two(bench):
    return Two(bench)


@pytest.mark.parametrize("write", range(1, 14))
def test_a_plan_of_a_session_that_slept_is_refused_wherever_it_slept(two, write):
    two.sleep(write)
    try:
        plan = suggest(two.old, 1)
    except LedgerError as error:
        assert "session 2 took over this run, s2" in str(error)
        plan = None
    if not two.store.was_reached:
        assert plan is not None
        return
    holds = suggest(two.new, 1)
    assert two.new.ledger.plan("1") == holds
    if plan is None:
        assert holds.stage in two.new.ledger.writer().planned, "what holds is the later session's own"
    else:  # it was fixed before the other session began, and no request is missing
        assert holds == plan
    for request in holds.requests:
        assert two.new.ledger.request(request.trial) == request


@pytest.mark.parametrize("write", range(1, 5))
def test_a_selection_of_a_session_that_slept_is_refused(two, write):
    two.bench.train(two.old, suggest(two.old, 1))
    two.sleep(write)
    try:
        known = select(two.old, 1)
    except LedgerError as error:
        assert "session 2 took over this run, s2" in str(error)
        assert two.new.ledger.iterations_done() == 0
    else:
        assert two.new is None or two.new.ledger.selection("1") == known
    assert two.store.was_reached == (write <= 2)


def test_what_a_sleeper_leaves_counts_for_nobody(two):
    two.bench.begin(session="s2", limits={"parallel": 3})
    ledger = two.old.ledger
    plan = suggest(two.bench.begin("elsewhere"), 1)
    with pytest.raises(LedgerError, match=TAKEN_OVER):
        ledger.create_plan(plan)
    assert ledger.store.stat(ledger.path("iterations/1/plan.json")).metadata == {"session": "1"}
    assert Ledger.open(ledger.url).stages() == []


def test_nothing_is_published_by_a_session_that_slept(two):
    two.bench.iterate(two.old, 3)
    plan = choose_finalists(two.old)
    two.bench.train(two.old, plan)
    write_front(two.old)
    two.bench.begin(session="s2")
    before = two.old.ledger.read_json("pareto.json")
    for write in (write_front, publish):
        with pytest.raises(LedgerError, match=TAKEN_OVER):
            write(two.old)
    with pytest.raises(LedgerError, match=TAKEN_OVER):
        two.old.ledger.answer(Approval(approved=True))
    with pytest.raises(LedgerError, match=TAKEN_OVER):
        Search.open(two.old.ledger, "s1")
    assert two.old.ledger.read_json("pareto.json") == before
    assert two.old.ledger.read_json("models.json") is None


def test_what_a_later_session_published_stays(two, bench):
    """The first one sleeps after it was found to be the writer, just before it replaces the file."""
    two.old.ledger.write_json("pareto.json", {"by": 0})

    def publish_by_another():
        bench.begin(session="s2").ledger.write_json("pareto.json", {"by": 2})

    two.store.pause(2, publish_by_another)
    with pytest.raises(LedgerError, match=TAKEN_OVER):
        two.old.ledger.write_json("pareto.json", {"by": 1})
    assert two.old.ledger.read_json("pareto.json") == {"by": 2}


def test_a_session_that_was_taken_over_does_not_begin_again(bench):
    bench.begin(session="s1")
    bench.begin(session="s2")
    with pytest.raises(LedgerError, match=r"session 2 took over this run, s2: s1 is over; resume the run"):
        bench.begin(session="s1")


def test_a_watch_of_a_session_that_was_taken_over_ends_and_touches_nothing(bench):
    search = bench.begin(session="s1")
    suggest(search, 1)
    now = [0.0]
    monitor = StageMonitor(search.ledger, Idle(), "1", lambda: now[0])
    monitor.poll()
    bench.begin(session="s2")
    now[0] += BEAT
    with pytest.raises(LedgerError, match=TAKEN_OVER):
        monitor.poll()
    assert search.ledger.outcomes() == {}


class Idle:
    """A launcher of which nothing runs."""

    def live(self, ledger):
        return set()

    def may_relaunch(self, ledger, job):
        return False

    def cancel(self, ledger, jobs=None):
        pass


# Heartbeats


def test_a_writer_that_no_engine_knows_is_dead_when_its_heart_does_not_beat(bench):
    bench.begin(session="s1").ledger.turn.beat()
    slept = []
    again = bench.begin(session="s2", sleep=slept.append, **UNKNOWN)
    assert again.session.number == 2
    assert sum(slept) >= 3 * BEAT


def test_a_writer_whose_heart_beats_between_two_looks_is_at_work(bench):
    turn = bench.begin(session="s1").ledger.turn
    slept = []

    def sleep(seconds):
        slept.append(seconds)
        if sum(slept) >= BEAT:
            turn.beat()

    with pytest.raises(LedgerError, match="s1 still works on"):
        bench.begin(session="s2", sleep=sleep, **UNKNOWN)
    assert sum(slept) == BEAT, "one change is enough"


def test_a_beat_is_a_change_whatever_the_clocks_say(bench, monkeypatch):
    """Another host's clock may be years away."""
    turn = bench.begin(session="s1").ledger.turn
    turn.beat()
    monkeypatch.setattr("time.time", lambda: 0.0)
    monkeypatch.setattr("time.time_ns", lambda: 0)
    with pytest.raises(LedgerError, match="still works"):
        bench.begin(session="s2", sleep=lambda seconds: turn.beat(), **UNKNOWN)


def test_nobody_waits_for_the_heart_of_a_session_that_is_closed(bench):
    bench.begin(session="s1").ledger.close("s1")
    bench.begin(session="s2", sleep=lambda seconds: pytest.fail("it waited"), **UNKNOWN)


def test_waiting_for_results_beats_now_and_then(bench):
    search = bench.begin(session="s1")
    suggest(search, 1)
    now, beats = [0.0], []
    search.ledger.turn.beat = lambda: beats.append(now[0])
    monitor = StageMonitor(search.ledger, Idle(), "1", lambda: now[0])
    while now[0] < 5 * BEAT:
        monitor.poll()
        now[0] += BEAT / 4
    assert beats == [k * BEAT for k in range(5)]


# Numbers


def test_sessions_are_in_the_order_in_which_they_began_whatever_the_clock_says(bench, monkeypatch):
    for session, moment in (("s1", "2026-01-03"), ("s2", "2026-01-02"), ("s3", "2026-01-01")):
        monkeypatch.setattr("windtunnel.stages.session.now", lambda moment=moment: f"{moment}T00:00:00+00:00")
        search = bench.begin(session=session, limits={"parallel": int(session[1])})
    assert [one.session for one in search.ledger.sessions()] == ["s1", "s2", "s3"]
    assert [one.number for one in search.ledger.sessions()] == [1, 2, 3]
    assert search.ledger.search_record()["definition"]["limits"]["parallel"] == 3


def test_a_run_of_a_version_without_numbers_goes_on(bench):
    search = bench.begin(session="s1")
    bench.iterate(search, 1)
    ledger = Ledger.open(search.ledger.url)
    record = json.loads(ledger.store.get(ledger.path("sessions/s1.json")))
    del record["number"]
    for session, started in (("s1", "2026-01-01"), ("s0", "2026-01-02")):  # as they were: in order of their beginnings
        older = record | {"session": session, "started": f"{started}T00:00:00+00:00"}
        ledger.write_json(f"sessions/{session}.json", older)
    ledger.write_json("writer.json", {"session": "s0"})
    assert [one.session for one in ledger.sessions()] == ["s1", "s0"]
    assert ledger.iterations_done() == 1
    again = bench.begin(session="s2")
    assert again.session.number == 1
    assert [one.session for one in ledger.sessions()] == ["s1", "s0", "s2"]
    assert (again.session.offset, again.session.iterations) == (1, 2)
    bench.iterate(again, 2)
    assert again.ledger.iterations_done() == 3


def test_of_two_that_begin_at_once_one_is_told(bench, monkeypatch):
    bench.begin(session="s1")
    put, raced = type(bench.store).put, []

    def race(store, path, *arguments, **keywords):
        if path.endswith("writer.json") and not raced:
            raced.append(True)
            bench.begin(session="s3", running=lambda session: False)
        return put(store, path, *arguments, **keywords)

    monkeypatch.setattr(type(bench.store), "put", race)
    with pytest.raises(LedgerError, match="s3 still works"):
        bench.begin(session="s2", running=lambda session: session == "s3")


@pytest.mark.azure
@pytest.mark.slow
class TestInAzure:
    """The same of the other store, where what closes the race is the server's own conditions."""

    @pytest.fixture
    def bench(self, tmp_path, azurite_server):
        bench = Bench(tmp_path)
        account = {"AZURE_STORAGE_CONNECTION_STRING": azurite_server.connection_string}
        bench.store = open_store(f"azure://writers/{tmp_path.name}", account)
        return bench

    @pytest.mark.parametrize("write", [6, 7, 8, 9])
    def test_a_plan(self, two, write):
        test_a_plan_of_a_session_that_slept_is_refused_wherever_it_slept(two, write)

    @pytest.mark.parametrize("write", [1, 2, 3])
    def test_a_selection(self, two, write):
        test_a_selection_of_a_session_that_slept_is_refused(two, write)

    def test_publishing(self, two, bench):
        test_what_a_later_session_published_stays(two, bench)

    def test_a_heartbeat(self, bench):
        test_a_writer_whose_heart_beats_between_two_looks_is_at_work(bench)
