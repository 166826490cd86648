"""Patterns that find a metric's value in a line of output."""

import re
from collections.abc import Iterator
from re import _constants, _parser  # type: ignore[attr-defined]
from typing import Any

EPOCH_GROUP, VALUE_GROUP = "epoch", "value"
_WORD = re.compile(r"[\w./ -]+")
_NUMBER = r"[-+]?(?:nan|inf(?:inity)?|(?:\d{1,3}(?:,\d{3})+(?!\d)|\d[\d_]*)?(?:\.\d*)?(?:e[-+]?\d+)?)"
_UNBOUNDED = (_constants.MAX_REPEAT, _constants.MIN_REPEAT)


def is_word(text: str) -> bool:
    """Whether a text is what the script calls a metric, rather than a pattern."""
    return _WORD.fullmatch(text) is not None


def pattern_of(text: str) -> re.Pattern[str]:
    """The pattern: the text itself, or for a word one that finds `word=0.9`, `word: 0.9` and `"word": 0.9`.

    Raises:
        ValueError: it is no pattern, has no group, or may take for ever.
    """
    if is_word(text):
        word = "[ _-]".join(map(re.escape, re.split("[ _-]", text)))
        return re.compile(rf"(?<![\w./-]){word}[\"']?\s*[:=]\s*[\"']?(?P<value>{_NUMBER})", re.IGNORECASE)
    try:
        pattern = re.compile(text)
        parsed = _parser.parse(text)
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(f"is no pattern: {error}") from None
    if not pattern.groups:
        raise ValueError("has no group: put the number in parentheses, as in 'accuracy: ([0-9.]+)'")
    if pattern.groupindex.keys() == {EPOCH_GROUP} and pattern.groups == 1:
        raise ValueError("has no group but that of the epoch: put the number in parentheses too")
    if any(_nests(item) for item in parsed):
        raise ValueError("repeats what is repeated already, such as (a+)+, which may take for ever: repeat it once")
    return pattern


def found(pattern: re.Pattern[str], line: str) -> list[tuple[str | None, str]]:
    """Each match's epoch, where the pattern has a group of that name, and value: the group `value`, else the first."""
    names = pattern.groupindex
    group: int | str = VALUE_GROUP
    if VALUE_GROUP not in names:
        group = next(index for index in range(1, pattern.groups + 1) if index != names.get(EPOCH_GROUP))
    return [
        (match[EPOCH_GROUP] if EPOCH_GROUP in names else None, match[group] or "") for match in pattern.finditer(line)
    ]


def _nests(item: Any, inside: bool = False) -> bool:
    """Whether an unbounded repetition consists of another one: each character doubles the ways to match then."""
    kind, value = item
    repeats = kind in _UNBOUNDED and value[1] is _constants.MAXREPEAT
    if repeats and inside:
        return True
    inner = list(_inner(kind, value))
    return any(
        _nests(part, repeats or inside) if len(branch) == 1 else _nests(part, False)
        for branch in inner
        for part in branch
    )


def _inner(kind: Any, value: Any) -> Iterator[Any]:
    """The sequences of items that an item holds."""
    if kind in _UNBOUNDED or kind is getattr(_constants, "POSSESSIVE_REPEAT", None):
        yield value[2]
    elif kind is _constants.SUBPATTERN:
        yield value[3]
    elif kind is _constants.BRANCH:
        yield from value[1]
    elif kind in (_constants.ASSERT, _constants.ASSERT_NOT):
        yield value[1]
