"""Reports from what a script writes: lines that patterns find, JSON lines, the helper's records, a file at the end."""

import json
import re
import signal
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any

from windtunnel.definition.script import Script
from windtunnel.errors import WorkloadError
from windtunnel.ledger.curves import EPOCH, SECONDS
from windtunnel.workload.patterns import found, is_word, pattern_of
from windtunnel_trainer.script.lines import without_colours

_SEARCHED = 4096  # characters of a line that patterns are tried on
_PATIENCE = 1.0  # seconds that a pattern may take for a line
_MOST_EXTRA = 50  # metrics of a record that nobody asked for
_THOUSANDS = re.compile(r"[-+]?\d{1,3}(,\d{3})+(\.\d*)?")
_WRITTEN, _STRUCTURED, _TOLD = range(3)  # ways to say something; once a later one is used, earlier ones count no more

Emit = Callable[[float, dict[str, float]], None]


class Output:
    """Makes reports of values as they come.

    A report is complete when every metric of the definition has come again, or another epoch begins.
    """

    def __init__(self, script: Script, compared: Collection[str], emit: Emit, done: float = 0.0) -> None:
        """Nothing has come yet.

        Args:
            script: of the definition.
            compared: metrics that the search needs.
            emit: takes each report: its epoch and its metrics.
            done: epochs that were done before.
        """
        self._emit = emit
        self._names = {name: script.metrics.get(name, name) for name in (*script.metrics, *compared)}
        self._patterns = {name: pattern_of(text) for name, text in self._names.items()}
        self._epoch_field = _key(script.epoch) if is_word(script.epoch) else EPOCH
        self._epoch_pattern = None if is_word(script.epoch) and script.epoch == EPOCH else pattern_of(script.epoch)
        explicit = [text for text in (*script.metrics.values(), script.epoch) if not is_word(text)]
        self._line_way = _STRUCTURED if explicit else _WRITTEN
        self._way = _WRITTEN
        self._done = self._counted = done
        self._epoch: float | None = None
        self._pending: dict[str, float] = {}

    @property
    def counted(self) -> float:
        """The last epoch that was counted, rather than named; what was done before where none was."""
        return self._counted

    def line(self, line: str) -> None:
        """Take a line of output.

        Raises:
            WorkloadError: a pattern takes too long.
        """
        plain = without_colours(line).strip()
        record = _record(plain)
        if record is not None and self._take(record, _STRUCTURED):
            return
        if self._line_way < self._way:
            return
        text = plain[:_SEARCHED]
        if self._epoch_pattern is not None:
            for _, value in self._matches("epoch", self._epoch_pattern, text):
                self._use(self._line_way)  # before the epoch, which it would forget
                self._begin(number_of(value))
        for name, pattern in self._patterns.items():
            for epoch, value in self._matches(name, pattern, text):
                if (number := number_of(value)) is not None:
                    self._use(self._line_way)
                    self._begin(number_of(epoch) if epoch else None)
                    self._add({name: number})

    def told(self, line: str) -> None:
        """Take a record that `windtunnel.script.report` has left: a report by itself."""
        record = _record(line)
        if record is None:
            return
        self._use(_TOLD)
        self._finish(record)

    def results(self, text: str, last: float | None, target: float) -> None:
        """Take the file that a script has left: an object, a list of them, or one a line.

        Args:
            text: of the file.
            last: the epoch of the last report so far; None without any.
            target: the epochs that the trial has, which an object that names none is of.

        Raises:
            WorkloadError: it is none of these.
        """
        self.end()
        try:
            content = json.loads(text)
        except ValueError:
            content = [_record(line) for line in text.splitlines() if line.strip()]
        if isinstance(content, list) and content and all(isinstance(each, dict) for each in content):
            self._counted, self._epoch = self._done, None
            for each in content:
                self._finish(_flat(each))
        elif isinstance(content, dict):
            record = _flat(content)
            record.setdefault(self._epoch_field, target if last is None else last)
            self._finish(record)
        else:
            raise WorkloadError("script.results: the file holds no JSON object, nor a list of them, nor one a line")

    def end(self) -> None:
        """Report what has come of a report that is not complete."""
        if self._pending:
            self._flush()

    def _take(self, record: Mapping[str, Any], way: int) -> bool:
        """Whether a JSON line has any of the metrics."""
        values = self._wanted(record)
        if not values:
            return False
        if way < self._way:
            return True
        self._use(way)
        self._begin(number_of(record.get(self._epoch_field)))
        self._add(values | self._extra(record))
        return True

    def _finish(self, record: Mapping[str, Any]) -> None:
        """A record that is a report by itself."""
        self._begin(number_of(record.get(self._epoch_field)))
        self._pending |= self._extra(record) | self._wanted(record)
        self.end()

    def _wanted(self, record: Mapping[str, Any]) -> dict[str, float]:
        values = {name: number_of(record.get(_key(word))) for name, word in self._names.items() if is_word(word)}
        return {name: value for name, value in values.items() if value is not None}

    def _extra(self, record: Mapping[str, Any]) -> dict[str, float]:
        known = {_key(word) for word in self._names.values()} | {self._epoch_field, EPOCH, SECONDS}
        values = [(name, number_of(value)) for name, value in record.items() if name not in known]
        return {name: value for name, value in values[:_MOST_EXTRA] if value is not None and name.isidentifier()}

    def _use(self, way: int) -> None:
        """What comes a second time by another way is not counted twice: the report begins anew."""
        if way > self._way:
            self._way = way
            self._pending, self._epoch, self._counted = {}, None, self._done

    def _begin(self, epoch: float | None) -> None:
        if epoch is not None and epoch != self._epoch:
            self.end()
            self._epoch = epoch

    def _add(self, values: Mapping[str, float]) -> None:
        self._pending |= values
        if self._names.keys() <= self._pending.keys():
            self._flush()

    def _flush(self) -> None:
        pending, self._pending = self._pending, {}
        if self._epoch is None:
            self._counted += 1
        self._emit(self._counted if self._epoch is None else self._epoch, pending)

    def _matches(self, name: str, pattern: re.Pattern[str], text: str) -> list[tuple[str | None, str]]:
        try:
            with _limited(_PATIENCE):
                return found(pattern, text)
        except TimeoutError:
            raise WorkloadError(
                f"script.metrics: the pattern of {name} takes more than {_PATIENCE:g} s for a line of {len(text)} "
                f"characters: write one that is simpler than {pattern.pattern!r}"
            ) from None


def number_of(value: Any) -> float | None:
    """The number that a script writes, such as `1e-3`, `93.5%`, which is 93.5, `1,234.5`, `nan`; None if it is none."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, str):
        value = value.strip().strip("\"'").removesuffix("%").strip()
        if _THOUSANDS.fullmatch(value):
            value = value.replace(",", "")
        value = value.rstrip(".,;")
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return None


def _record(line: str) -> dict[str, Any] | None:
    """The fields of a line that is a JSON object; None of any other."""
    line = line.strip()
    if not (line.startswith("{") and line.endswith("}")):
        return None
    try:
        return _flat(json.loads(line))
    except (ValueError, RecursionError):
        return None


def _flat(record: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested fields by joined names: `{"eval": {"acc": 1}}` and `{"eval/acc": 1}` are both `eval_acc`."""
    flat: dict[str, Any] = {}
    for name, value in record.items():
        path = f"{prefix}{_key(str(name))}"
        flat |= _flat(value, f"{path}_") if isinstance(value, Mapping) else {path: value}
    return flat


def _key(name: str) -> str:
    return re.sub(r"\W", "_", name)


@contextmanager
def _limited(seconds: float) -> Iterator[None]:
    """End what takes longer by `TimeoutError`; only a process's main thread can be ended so."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, frame: FrameType | None) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
