import io

from tests.core.report import made_up
from windtunnel.ledger import Ledger, Plan
from windtunnel.report import RunReader
from windtunnel.report.display import Display


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_without_a_terminal_a_line_is_printed_where_something_begins_or_ends(ledger: Ledger) -> None:
    made_up.fill(ledger, iterations=1, finalists=0)
    ledger.store.delete(ledger.path("iterations/full-1/plan.json"))
    file, clock = io.StringIO(), Clock()
    with Display(RunReader(ledger), "digits_cnn: run first", file, clock) as display:
        for _ in range(5):
            clock.now += 2
            display.update()
    lines = file.getvalue().splitlines()
    assert lines[0] == "digits_cnn: run first"
    assert len(lines) == 2
    assert "iteration 1: 10 of 10 done, 1 failed · best val_acc" in lines[1]
    assert "\x1b" not in file.getvalue()


def test_caps_are_counted(ledger: Ledger) -> None:
    caps = {"trials": 20, "parallel": 2, "failed_trials": 4}
    made_up.fill(ledger, limits=caps, iterations=1, finalists=0)
    file = io.StringIO()
    with Display(RunReader(ledger), "digits_cnn: run first", file) as display:
        display.update(now=True)
    assert " · 10 of 20 trials, 0 of 2 at once, 1 of 4 failed · " in file.getvalue()


def test_what_a_warm_start_took_is_said_once(ledger: Ledger, monkeypatch) -> None:
    made_up.fill(ledger, iterations=1, finalists=0)
    ledger.create_plan(Plan(stage="0", requests=[], jobs=[], note="0 of 7 trials taken from runs/a/b; 7 failed"))
    file, clock = io.StringIO(), Clock()
    with Display(RunReader(ledger), "digits_cnn: run first", file, clock) as display:
        for _ in range(3):
            clock.now += 2
            display.update()
    lines = file.getvalue().splitlines()
    assert lines[:2] == ["digits_cnn: run first", "warm start: 0 of 7 trials taken from runs/a/b; 7 failed"]
    assert sum("warm start: 0 of 7" in line for line in lines) == 1
    monkeypatch.setenv("TERM", "xterm-256color")
    terminal = Terminal()
    with Display(RunReader(ledger), "digits_cnn: run first", terminal) as display:
        display.update(now=True)
    assert "warm start: 0 of 7 trials taken" in terminal.getvalue()


def test_of_a_run_that_has_not_begun_the_first_stage_is_to_come(ledger: Ledger, monkeypatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    file = Terminal()
    with Display(RunReader(ledger), "digits_cnn: run first", file) as display:
        display.update(now=True)
    assert "data" in file.getvalue() and "the run is starting" in file.getvalue()


def test_on_a_terminal_it_draws_every_stage(ledger: Ledger, monkeypatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "140")
    made_up.fill(ledger, iterations=2, finalists=2)
    file = Terminal()
    with Display(RunReader(ledger), "digits_cnn: run first", file) as display:
        display.update(now=True)
    drawn = file.getvalue()
    for text in ("iteration 1", "10/10", "iteration 2", "12/12", "full training", "verification", "elapsed", "front "):
        assert text in drawn


def test_the_ledger_is_not_asked_more_often_than_is_cheap(ledger: Ledger) -> None:
    clock = Clock()
    readings = []

    class Slow(RunReader):
        def read(self):
            readings.append(clock.now)
            clock.now += 3
            return super().read()

    with Display(Slow(ledger), "", io.StringIO(), clock) as display:
        for _ in range(60):
            display.update()
            clock.now += 1
    assert 2 <= len(readings) <= 3


def test_a_store_that_fails_or_is_full_is_told_once_and_so_is_its_end(ledger: Ledger, monkeypatch, tmp_path) -> None:
    made_up.fill(ledger, iterations=1, finalists=0)
    file, clock = io.StringIO(), Clock()
    folder = ledger.store.folder / ledger.root
    with Display(RunReader(ledger), "digits_cnn: run first", file, clock) as display:
        display.update(now=True)
        folder.rename(tmp_path / "elsewhere")
        for _ in range(3):
            display.update(now=True)
        (tmp_path / "elsewhere").rename(folder)
        display.update(now=True)
        monkeypatch.setattr(ledger.store, "refusal", lambda: "the disk is full")
        for _ in range(3):
            display.update(now=True)
    told = file.getvalue().splitlines()[2:]
    assert [line.partition(";")[0] for line in told] == [f"{ledger.url} is gone", "the run goes on", "the disk is full"]


def test_a_bad_file_is_told(ledger: Ledger, monkeypatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "300")
    made_up.fill(ledger, iterations=1, finalists=0)
    ledger.store.put(ledger.path("search.json"), b"")
    file = Terminal()
    with Display(RunReader(ledger), "digits_cnn: run first", file) as display:
        display.update(now=True)
    assert "search.json is empty; bring it back from a copy" in file.getvalue()


def test_of_a_run_that_has_failed_no_stage_turns(ledger: Ledger, monkeypatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "140")
    made_up.fill_failing(ledger)
    plan = ledger.plan("1")
    assert plan is not None
    ledger.store.delete(ledger.path(f"results/{plan.requests[0].trial}.json"))
    file = Terminal()
    with Display(RunReader(ledger), "digits_cnn: run first", file) as display:
        display.update(now=True)
    last = file.getvalue().rpartition("iteration 1")[0].rpartition("\n")[2]
    assert "\u2013" in last
    assert "full training" not in file.getvalue()


def test_a_stage_without_units_has_nothing_to_do(ledger: Ledger) -> None:
    made_up.fill(ledger, iterations=1, finalists=0)
    ledger.create_plan(Plan(stage="verify-1", requests=[], jobs=[]))
    file = io.StringIO()
    with Display(RunReader(ledger), "digits_cnn: run first", file) as display:
        display.update(now=True)
    assert " verification: nothing to do · best val_acc" in file.getvalue()
