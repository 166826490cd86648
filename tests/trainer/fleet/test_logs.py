"""The log in which all processes of a lane stand line by line."""

import pytest

from windtunnel.errors import StoreError
from windtunnel.ledger import Ledger
from windtunnel.stores import open_store
from windtunnel_trainer.fleet import logs
from windtunnel_trainer.fleet.logs import LaneLog


@pytest.fixture
def lane(tmp_path):
    """A lane's log, of which a process has written much more than is taken over at one look, and half a line."""
    ledger = Ledger(open_store(str(tmp_path / "runs")), "toy", "run")
    found = LaneLog(ledger, "lane-1-0", 1, tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(logs, "_AT_ONCE", 64)
        found.file("lane-1-0-0").write_text("".join(f"line {n}\n" for n in range(100)) + "x" * 200 + "\nthe last words")
        found.store = ledger.store
        found.read = lambda: ledger.store.get(ledger.path("logs/lane-1-0.1.log")).decode().splitlines()
        yield found


def test_all_that_was_written_is_there_at_the_end(lane):
    lane.sync()
    lane.sync(at_once=True)
    said = [line.split(" ", 2) for line in lane.read()]
    assert {name for _, name, _ in said} == {"lane-1-0-0"}
    assert [text for _, _, text in said][:100] == [f"line {n}" for n in range(100)]
    assert "".join(text for _, _, text in said[100:]) == "x" * 200 + "the last words"


def test_a_look_takes_over_whole_lines_and_not_too_many(lane):
    lane.sync()
    assert len(lane.file("lane-1-0").read_text().splitlines()) == 64 // len("line 0\n")


def test_a_log_that_the_store_refuses_is_told_once_though_it_takes_another(lane, monkeypatch, capsys):
    upload, answers = lane.store.upload, [False, True, False, False, False]

    def refusing(path, file):
        if path.endswith("lane-1-0-0.1.log") and not answers.pop():
            raise StoreError(f"cannot write {path}")
        upload(path, file)

    monkeypatch.setattr(lane.store, "upload", refusing)
    while answers:
        lane.say("lane-1-0-0", "another line")
        lane.sync(at_once=True)
    assert capsys.readouterr().out.count("the log stays here for now: cannot write") == 2
