"""Which functions a search can call."""

import signal
import sys
from types import ModuleType

import pytest

from windtunnel.errors import Stopped, WorkloadError
from windtunnel.workload.contract import load_workload, wants_reporter

TRIAL = "def train(trial): pass"


@pytest.fixture
def loaded(monkeypatch):
    """Loads a workload from its text."""

    def load(text):
        module = ModuleType("hostile")
        module.__file__ = "hostile.py"
        exec(text, module.__dict__)
        monkeypatch.setitem(sys.modules, "hostile", module)
        return load_workload("hostile")

    return load


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("async def train(trial): pass", r"train\(\) is a coroutine, .* asyncio\.run"),
        ("def train(trial): yield 1", r"train\(\) is a generator, .* in place of yield"),
        ("async def train(trial): yield 1", r"train\(\) is a generator"),
        (f"{TRIAL}\nasync def prepare(data): pass", r"prepare\(\) is a coroutine"),
        (f"{TRIAL}\ndef verify(model): yield", r"verify\(\) is a generator"),
        ("def train(): pass", r"train\(\) cannot be called: write train\(trial\), or train\(args, reporter\)"),
        ("def train(a, b, c): pass", r"train\(a, b, c\) cannot be called"),
        ("def train(*, trial): pass", r"train\(\*, trial\) cannot be called"),
    ],
)
def test_what_calling_would_come_to_nothing_is_refused_with_the_mend(loaded, text, message):
    with pytest.raises(WorkloadError, match=message):
        loaded(text)


@pytest.mark.parametrize(
    ("text", "reports"),
    [
        (TRIAL, False),
        ("def train(*args): pass", False),
        ("def train(trial, scale=2, **more): pass", False),
        ("def train(args, reporter): pass", True),
        ("def train(args, reporter, more=None): pass", True),
        ("from functools import partial\ntrain = partial(lambda trial, scale: None, scale=2)", False),
    ],
)
def test_a_function_takes_a_trial_or_arguments_and_a_reporter(loaded, text, reports):
    assert wants_reporter(loaded(text).train) is reports


def test_a_signal_that_asks_the_process_to_end_is_no_fault_of_what_is_imported_then(tmp_path, monkeypatch):
    def stop(number, frame):
        raise Stopped(number)

    (tmp_path / "slow_module.py").write_text(f"import signal\nsignal.raise_signal(signal.SIGUSR1)\n{TRIAL}\n")
    monkeypatch.syspath_prepend(tmp_path)
    before = signal.signal(signal.SIGUSR1, stop)
    try:
        with pytest.raises(Stopped):
            load_workload("slow_module")
    finally:
        signal.signal(signal.SIGUSR1, before)
