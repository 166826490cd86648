"""Texts with `{placeholders}`, and values as command lines and environments spell them."""

import json
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from string import Formatter
from typing import Any

FLAGS = "flags"  # the placeholder that stands for a flag for each parameter

_NAME = re.compile(r"[^\W\d][\w.-]*")

Words = str | Sequence[str]


def words_of(words: Words | None) -> list[str]:
    """The words of a command line, which is split as a shell does where it is one text.

    Raises:
        ValueError: a quote is not closed.
    """
    if words is None:
        return []
    return shlex.split(words) if isinstance(words, str) else list(words)


def placeholders(text: str) -> list[str]:
    """The names in braces; a brace that is meant as such is written twice.

    Raises:
        ValueError: a brace stands alone, or holds more than a name.
    """
    return [name for _, name in _parts(text) if name is not None]


def filled(text: str, values: Mapping[str, Any]) -> str | None:
    """The text with its placeholders' values; None where one has no value, as a parameter that does not apply."""
    written = ""
    for literal, name in _parts(text):
        written += literal
        if name is not None:
            try:
                written += spelled(_found(values, name))
            except KeyError:
                return None
    return written


def filled_words(words: Iterable[str], values: Mapping[str, Any], flags: Sequence[str] = ()) -> list[str]:
    """A command line's words with their values; `{flags}` as a word of its own becomes the flags.

    A word whose placeholder has no value is left out, and with it an option before it that it was the value of.
    """
    done: list[str] = []
    plain = False  # whether the last word had no placeholder
    for word in words:
        if word == f"{{{FLAGS}}}":
            done += flags
            plain = False
            continue
        names, text = placeholders(word), filled(word, values)
        if text is not None:
            done.append(text)
        elif plain and done[-1].startswith("-") and "=" not in done[-1] and word == f"{{{names[0]}}}":
            done.pop()
        plain = not names
    return done


def flags_of(values: Mapping[str, Any], style: str) -> list[str]:
    """Values as words of a command line; in the style of Hydra, `name=value`, nested ones have names with dots."""
    if style == "--name=value":
        return [f"--{name}={spelled(value)}" for name, value in values.items()]
    if style == "--name value":
        return [word for name, value in values.items() for word in (f"--{name}", spelled(value))]
    if style == "name=value":
        return [f"{name}={spelled(value)}" for name, value in _flat(values)]
    return []


def spelled(value: Any) -> str:
    """Text as it is; everything else as JSON: `0.1`, `true`, `null`, `[1, 2]`, `{"a": 1}`."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _parts(text: str) -> Iterator[tuple[str, str | None]]:
    try:
        for literal, name, form, conversion in Formatter().parse(text):
            if name is not None and (form or conversion or not _NAME.fullmatch(name)):
                raise ValueError
            yield literal, name
    except ValueError:
        raise ValueError(
            "found a brace that holds no name; allowed: {name}, and {{ and }} for braces that are meant as such"
        ) from None


def _found(values: Mapping[str, Any], name: str) -> Any:
    """The value of a name, which may lead into a nested one by dots.

    Raises:
        KeyError: there is none.
    """
    if name in values:
        return values[name]
    first, _, rest = name.partition(".")
    inner = values[first]
    if not rest or not isinstance(inner, Mapping):
        raise KeyError(name)
    return _found(inner, rest)


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
