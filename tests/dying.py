"""Processes that die between their writes: every store of this process is mortal in `with mortal(fate): …`.

A fate says of each write whether the process lives through it, dies before it, or dies after it. Death is `Killed`,
which nothing catches but the tests; a dead process writes nothing more, whatever its `finally` blocks try.
"""

import json
import os
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

from windtunnel.stores import Store

WRITES = ("create", "put", "upload")

# What a repetition may write otherwise: what depends on the hour, and how often something was tried.
_PASSING = {
    *("started", "ended", "seconds", "launched", "recorded", "at", "versions"),
    *("attempts", "batches_retried", "peak_memory", "gpus", "host", "number", "session"),
}
_TRY = re.compile(r"(.*/(?:launches|attempts))/(\d+)\.json")
_CLAIM = re.compile(r"(.*)/claims/(.*)\.(\d+)(\.released)?\.json")
_BEAT = re.compile(r"/beats/\d+\.json$")  # a session's heartbeat
_PICTURES = ("report.html", "pareto.png")


def step(usual: int) -> int:
    """One write of how many a process dies at, each in a run of its own: every one with $WINDTUNNEL_EVERY_WRITE."""
    return 1 if os.environ.get("WINDTUNNEL_EVERY_WRITE") else usual


class Killed(BaseException):
    """The process is killed."""


class Fate:
    """The fate of nobody: every write is counted and survived.

    Attributes:
        writes: paths of all writes so far.
        deaths: how many processes have died.
        dead: whether the process at work has died.
    """

    def __init__(self) -> None:
        self.writes: list[str] = []
        self.deaths = 0
        self.dead = False
        self.places: Counter[str] = Counter()
        self.process = ""

    def begin(self, process: str) -> None:
        """A process of that name begins; it may have died before."""
        self.process, self.dead = process, False
        self.places.clear()

    def write(self, path: str, perform: Callable[[], Any]) -> Any:
        if self.dead:
            raise Killed
        self.writes.append(path)
        place = _TRY.sub(r"\1", path)
        self.places[place] += 1
        when = self.strike(place)
        if when != "before":
            done = perform()
        if when:
            self.dead = True
            self.deaths += 1
            raise Killed(f"{when} write {len(self.writes)}, {path}")
        return done

    def strike(self, place: str) -> str:
        """Whether the process dies `before` this write or `after` it; empty where it lives.

        Args:
            place: the path that is written; of tries of the same thing, their folder.
        """
        return ""


class DiesOnce(Fate):
    """One process dies at the n-th write of all, counted from 1."""

    def __init__(self, n: int, when: str) -> None:
        super().__init__()
        self._n, self._when = n, when

    def strike(self, place: str) -> str:
        return self._when if len(self.writes) == self._n else ""


class DiesEverywhere(Fate):
    """Every process dies before each of its writes, and once more after it, and lives through it the third time."""

    def __init__(self) -> None:
        super().__init__()
        self._met: Counter[tuple[str, str, int]] = Counter()

    def strike(self, place: str) -> str:
        write = (self.process, place, self.places[place])
        self._met[write] += 1
        return {1: "before", 2: "after"}.get(self._met[write], "")


@contextmanager
def mortal(fate: Fate) -> Iterator[Fate]:
    """Every write of any store in this process goes by this fate."""

    def patched(name: str) -> Any:
        method = getattr(Store, name)
        return lambda self, path, *given, **named: fate.write(path, lambda: method(self, path, *given, **named))

    with ExitStack() as stack:
        for name in WRITES:
            stack.enter_context(mock.patch.object(Store, name, patched(name)))
        yield fate


def objects(store: Store) -> dict[str, Any]:
    """What a store holds, without what a repetition may write otherwise; its own URL is `STORE`.

    Launches and starts of units are told apart from all else by `tries`. Which lane claims a trial is nobody's promise.
    """
    found = {}
    for entry in store.list():
        if _TRY.fullmatch(entry.path) or _BEAT.search(entry.path) or "/claims/" in entry.path:
            continue
        metadata = {name: _lasting(json.loads(text), store.url) for name, text in entry.metadata.items()}
        content = store.get(entry.path)
        found[entry.path] = (_content(entry.path, content, store.url), {k: v for k, v in metadata.items() if _lasts(k)})
    return found


def tries(store: Store) -> dict[str, int]:
    """How often jobs were launched and units begun; the tries of each are numbered from 1 without a gap.

    Lanes are launched as often as there is work for them.
    """
    numbers: dict[str, list[int]] = {}
    for entry in store.list():
        if match := _TRY.fullmatch(entry.path):
            numbers.setdefault(match[1], []).append(int(match[2]))
    for path, found in numbers.items():
        assert sorted(found) == list(range(1, len(found) + 1)), f"{path} has {found}"
    return {path: len(found) for path, found in numbers.items() if "/jobs/lane-" not in path}


def assert_claimed(store: Store, late: Collection[str] = ()) -> None:
    """Every unit that was claimed has a result, but for these, and lanes held it one after another."""
    claims: dict[str, list[int]] = {}
    released = set[tuple[str, int]]()
    paths = {entry.path for entry in store.list()}
    for path in paths:
        if match := _CLAIM.fullmatch(path):
            unit = f"{match[1]}/results/{match[2]}.json"
            assert unit in paths or match[2] in late, f"{path} and no result"
            if match[4]:
                released.add((unit, int(match[3])))
            else:
                claims.setdefault(unit, []).append(int(match[3]))
    for unit, found in claims.items():
        assert sorted(found) == list(range(1, len(found) + 1)), f"{unit} was claimed by {found}"
        assert all((unit, number) in released for number in range(1, len(found))), f"{unit} was held twice"


def assert_same(store: Store, expected: dict[str, Any], other: str = "") -> None:
    """Hold what a store holds against what it would hold had nobody died, but for paths that match `other`."""
    found = objects(store)
    if other:
        found, expected = ({p: c for p, c in those.items() if not re.search(other, p)} for those in (found, expected))
    assert not expected.keys() - found.keys(), f"missing: {sorted(expected.keys() - found.keys())}"
    assert not found.keys() - expected.keys(), f"left over: {sorted(found.keys() - expected.keys())}"
    differ = [path for path in expected if found[path] != expected[path]]
    assert not differ, f"{differ[0]} is {found[differ[0]]}, not {expected[differ[0]]}; other than expected: {differ}"


def _content(path: str, content: bytes, url: str) -> Any:
    if path.endswith(_PICTURES):
        return "there"
    if path.endswith(".json"):
        return _lasting(json.loads(content), url)
    if path.endswith(".jsonl"):
        return [_lasting(json.loads(line), url) for line in content.splitlines()]
    return content


def _lasting(value: Any, url: str) -> Any:
    if isinstance(value, dict):
        return {name: _lasting(item, url) for name, item in value.items() if _lasts(name)}
    if isinstance(value, list):
        return [_lasting(item, url) for item in value]
    return value.replace(url, "STORE") if isinstance(value, str) else value


def _lasts(name: str) -> bool:
    return name not in _PASSING
