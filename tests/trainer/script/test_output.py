"""Reports from what scripts write."""

import json
import math
import subprocess
import sys

import pytest

from windtunnel.definition.script import Script
from windtunnel.errors import WorkloadError
from windtunnel_trainer.script.lines import Lines
from windtunnel_trainer.script.output import Output, number_of


class Heard:
    def __init__(self, *compared, done=0.0, **script):
        self.reports = []
        note = lambda epoch, metrics: self.reports.append((epoch, metrics))  # noqa: E731
        self.output = Output(Script(**script), compared or ("accuracy",), note, done)

    def lines(self, *lines):
        for line in lines:
            self.output.line(line)
        self.output.end()
        return self.reports


def test_reports_are_counted_where_nothing_names_the_epoch():
    assert Heard().lines("start", "accuracy=0.1", "accuracy: 0.2") == [(1, {"accuracy": 0.1}), (2, {"accuracy": 0.2})]


def test_counting_goes_on_from_what_was_done():
    assert Heard(done=3).lines("accuracy=0.1") == [(4, {"accuracy": 0.1})]


def test_a_report_is_complete_when_every_metric_has_come_again():
    heard = Heard("loss", "accuracy")
    heard.lines("loss=3", "loss=2", "accuracy=0.1", "loss=1.5", "loss=1")
    assert heard.reports == [(1, {"loss": 2, "accuracy": 0.1}), (2, {"loss": 1})]


def test_an_epoch_may_be_named_on_a_line_of_its_own_or_in_the_metrics_pattern():
    lines = ["Epoch 5", "accuracy=0.1", "accuracy=0.2", "Epoch 6", "accuracy=0.3"]
    assert Heard(epoch=r"Epoch (\d+)").lines(*lines)[-1] == (6, {"accuracy": 0.3})
    heard = Heard(metrics={"accuracy": r"\[(?P<epoch>\d+)\] acc (\S+)"})
    assert heard.lines("[7] acc 0.5", "[8] acc 0.6") == [(7, {"accuracy": 0.5}), (8, {"accuracy": 0.6})]


def test_the_first_epoch_that_a_pattern_names_counts_by_its_name_too():
    """Else a trial that goes on would be renumbered, as one whose epochs are counted may be."""
    for lines in (
        ["epoch 3 accuracy=0.1", "epoch 4 accuracy=0.2"],
        ["epoch 3", "accuracy=0.1", "epoch 4", "accuracy=0.2"],
    ):
        heard = Heard(epoch=r"epoch (\d+)", done=2)
        assert heard.lines(*lines) == [(3, {"accuracy": 0.1}), (4, {"accuracy": 0.2})]
        assert heard.output.counted == 2


def test_json_lines_name_their_epoch_and_may_be_nested():
    heard = Heard("eval_acc", epoch="step")
    heard.lines('{"step": 2, "eval": {"acc": 0.5}, "loss": NaN, "text": "x", "on": true}', '{"other": 1}')
    ((epoch, metrics),) = heard.reports
    assert (epoch, metrics["eval_acc"], math.isnan(metrics["loss"]), metrics.keys()) == (
        2,
        0.5,
        True,
        {"eval_acc", "loss"},
    )
    assert Heard(metrics={"accuracy": "eval/acc"}).lines('{"eval/acc": "93%"}') == [(1, {"accuracy": 93})]


def test_what_is_said_in_two_ways_counts_once():
    lines = [
        line for epoch in (1, 2) for line in ("accuracy=0.5", json.dumps({"accuracy": 0.1 * epoch, "epoch": epoch}))
    ]
    heard = Heard()
    heard.lines(*lines)
    assert [epoch for epoch, _ in heard.reports] == [1, 1, 2]
    heard.output.told('{"accuracy": 0.3}')
    heard.lines("accuracy=0.9", '{"accuracy": 0.9}')
    assert heard.reports[3:] == [(1, {"accuracy": 0.3})]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.93", 0.93),
        ("93.5%", 93.5),
        ("1,234.5", 1234.5),
        ("1e-3", 1e-3),
        ("-2E+4", -2e4),
        ("inf", math.inf),
        ("-Infinity", -math.inf),
        ("1_000", 1000),
        ("0.5.", 0.5),
        ("'7'", 7),
        (3, 3.0),
        ("x", None),
        ("", None),
        (True, None),
        (None, None),
        ([1], None),
    ],
)
def test_numbers(text, value):
    assert number_of(text) == value


def test_nan_is_a_number_that_is_none():
    assert math.isnan(number_of("nan"))


def test_colours_are_no_part_of_a_line():
    assert Heard().lines("\x1b[1;32maccuracy\x1b[0m=\x1b[33m0.5\x1b[0m", "\x1b]0;title\x07accuracy=1") == [
        (1, {"accuracy": 0.5}),
        (2, {"accuracy": 1}),
    ]


def test_lines_come_in_pieces_end_with_either_character_and_may_be_anything():
    lines = Lines()
    assert list(lines.add(b"accu")) == []
    assert list(lines.add(b"racy=1\n 10%|#\r 20%|##\rb")) == ["accuracy=1", " 10%|#", " 20%|##"]
    assert list(lines.add(b"\xff\xfe=1\r\n")) == ["b��=1", ""]
    assert list(lines.add(b"x" * 10_000_000)) == []
    (long,) = lines.add(b"y\n")
    assert len(long) == 64 * 1024
    list(lines.add(b"accuracy=2"))
    assert list(lines.end()) == ["accuracy=2"]


def test_a_pattern_that_takes_for_ever_is_ended_and_named():
    heard = Heard(metrics={"accuracy": r"(?:a|a?)+(b)"}, epoch="epoch")
    with pytest.raises(WorkloadError, match="the pattern of accuracy takes more than 1 s"):
        heard.lines("a" * 4000 + "c")


@pytest.mark.parametrize(
    ("content", "reports"),
    [
        ('{"accuracy": 0.5, "epoch": 2}', [(2, {"accuracy": 0.5})]),
        ('{"accuracy": 0.5}', [(6, {"accuracy": 0.5})]),
        ('[{"accuracy": 0.1}, {"accuracy": 0.2}]', [(1, {"accuracy": 0.1}), (2, {"accuracy": 0.2})]),
        ('{"accuracy": 0.1}\n{"accuracy": 0.2}\n', [(1, {"accuracy": 0.1}), (2, {"accuracy": 0.2})]),
    ],
)
def test_a_file_at_the_end(content, reports):
    heard = Heard()
    heard.output.results(content, None, 6)
    assert heard.reports == reports


def test_a_file_that_is_none_is_an_error():
    with pytest.raises(WorkloadError, match=r"script\.results"):
        Heard().output.results("accuracy 3", None, 6)


NOTED = """
try:
    raise ValueError("no such layer")
except ValueError as error:
    error.add_note("in block 3")
    raise
"""
GROUP = "raise ExceptionGroup('two', [ValueError('a'), TypeError('b')])"
AGAIN = "try: 1 / 0\nexcept ZeroDivisionError: raise KeyError('lr')"


@pytest.mark.parametrize(
    ("script", "error"),
    [
        (NOTED, "ValueError: no such layer\nin block 3"),
        (GROUP, "ExceptionGroup: two (2 sub-exceptions)"),
        (AGAIN, "KeyError: 'lr'"),
        ("raise ValueError('one\\ntwo')", "ValueError: one\ntwo"),
        ("import atexit\natexit.register(print, 'bye\\n=====')\nraise OSError('no')", "OSError: no\nbye"),
        ("print('one')\nraise SystemExit('no data')", "no data"),
        ("if 1:\nx", "IndentationError: expected an indented block after 'if' statement on line 1"),
        ("def f(): f()\nf()", "RecursionError: maximum recursion depth exceeded"),
        ("try: 1 / 0\nexcept Exception: __import__('traceback').print_exc()\nfor n in range(30): print(n)", "29"),
        ("", ""),
    ],
)
def test_why_a_script_failed_is_its_last_error_with_notes_or_its_last_line(script, error):
    ended = subprocess.run(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    lines = Lines()
    assert [*lines.add(ended.stdout), *lines.end()] == ended.stdout.decode().splitlines()
    assert lines.error.text() == error


def test_errors_that_torch_marks_with_their_rank_are_read():
    lines = Lines()
    text = '[rank0]: Traceback (most recent call last):\n[rank0]:   File "a.py"\n[rank0]: ValueError: x\nbye\n'
    assert len([*lines.add(text.encode())]) == 4
    assert lines.error.text() == "ValueError: x\nbye"


TORCHRUN = """
Traceback (most recent call last):
  File "train.py", line 2, in <module>
    raise ValueError("the learning rate is too high")
ValueError: the learning rate is too high
E1130 05:23:27.360000 25389 torch/distributed/elastic/multiprocessing/api.py:1002] failed (exitcode: 1) local_rank: 0
Traceback (most recent call last):
  File "torch/distributed/launcher/api.py", line 383, in launch_agent
    raise ChildFailedError(
torch.distributed.elastic.multiprocessing.errors.ChildFailedError:
============================================================
train.py FAILED
------------------------------------------------------------
Failures:
""" + "[1]:\n  rank      : 1 (local_rank: 1)\n  exitcode  : 1 (pid: 25779)\n" * 9  # fmt: skip


def error_of(text):
    lines = Lines()
    assert [*lines.add(text.encode()), *lines.end()]
    return lines.error.text().splitlines()


def test_a_scripts_own_error_comes_before_that_of_what_has_started_it():
    own, *_, starters = error_of(TORCHRUN)
    assert own == "ValueError: the learning rate is too high"
    assert starters.startswith("torch.distributed.elastic.multiprocessing.errors.ChildFailedError")
    begun = TORCHRUN.index("Traceback", 2)
    without, *how = error_of(TORCHRUN[begun:])
    assert without.startswith("torch.distributed"), "the script died without a traceback"
    assert any("exitcode  :" in line for line in how)
    assert not any("exitcode  :" in line for line in error_of(TORCHRUN)), "the script has told it"
    long_ago = TORCHRUN[:begun] + "epoch\n" * 30 + TORCHRUN[begun:]
    assert error_of(long_ago)[0].startswith("torch.distributed"), "the script had gone on after that error"
    assert error_of(f"{TORCHRUN}Traceback (most recent call last):\nKeyError: 1\n") == ["KeyError: 1"]


def test_so_it_does_where_a_script_starts_another():
    inner = "subprocess.run([sys.executable, '-c', 'raise ValueError(1)'], check=True)"
    ended = subprocess.run(
        [sys.executable, "-c", f"import subprocess, sys\n{inner}"], stderr=subprocess.PIPE, text=True
    )
    own, starter = error_of(ended.stderr)
    assert own == "ValueError: 1" and starter.startswith("subprocess.CalledProcessError")
