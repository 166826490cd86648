"""Lines from what a script writes, and the error that the last of them tell."""

import re
from collections.abc import Iterator

_LONGEST = 64 * 1024  # bytes of a line that are kept
_SHOWN = 300  # characters of a line that tell a person why a script failed
_COLOURS = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[@-Z\\-_]")
_TRACEBACK = re.compile(r"(?P<rank>\[[^]]*\]:? )?(?P<group>  \+ Exception Group )?Traceback \(most recent call last\):")
_GROUP, _IN_GROUP = "  | ", re.compile(r"\s+[|+]")  # lines of a group of errors
# Errors of what has started the script, such as torchrun and accelerate: they only say that it failed.
_OF_STARTER = re.compile(r"(\w+\.)*(ChildFailedError|CalledProcessError)\b")
_MOST_NOTES = 20  # lines after an error that are its notes; more of them, and the script went on after it


class Lines:
    """Lines from bytes as they come. A line ends at a line feed or, as those of progress bars, a carriage return."""

    def __init__(self) -> None:
        self.error = LastError()
        self._rest = b""

    def add(self, content: bytes) -> Iterator[str]:
        """The lines that are whole now; what is too long is cut."""
        *lines, rest = re.split(rb"[\r\n]", content)
        if lines:
            lines[0] = self._rest + lines[0]
            self._rest = b""
        self._rest = (self._rest + rest)[:_LONGEST]
        for line in lines:
            yield self._said(line[:_LONGEST])

    def end(self) -> Iterator[str]:
        """The last line, where nothing ends it."""
        rest, self._rest = self._rest, b""
        if rest:
            yield self._said(rest)

    def _said(self, line: bytes) -> str:
        text = line.decode(errors="replace")
        self.error.take(without_colours(text).rstrip())
        return text


class LastError:
    """What the last lines tell of why a script failed: the error of a traceback with its notes, or the last line."""

    def __init__(self) -> None:
        self._margin: str | None = None  # before the lines of a traceback that has not come to its error
        self._raised = False  # whether the headline is a traceback's
        self._listed = False  # whether torchrun lists, to the end, which of its processes have failed
        self._headline = ""
        self._notes: list[str] = []

    def take(self, line: str) -> None:
        """Take the next line, without its end."""
        begin = _TRACEBACK.fullmatch(line)
        if begin is not None:
            self._margin = begin["rank"] or (_GROUP if begin["group"] else "")
        elif self._margin is not None:
            inner = line.removeprefix(self._margin)
            if inner.strip() and not inner[0].isspace():
                self._margin = None
                starter = _OF_STARTER.match(inner)
                self._listed = starter is not None and "ChildFailedError" in starter[0]
                if self._raised and starter is not None:
                    self._note(inner)
                else:
                    self._raised, self._headline, self._notes = True, inner[:_SHOWN], []
        elif any(map(str.isalnum, line)) and not _IN_GROUP.match(line):
            if self._listed:
                if _OF_STARTER.match(self._headline):  # how its processes died is all that is known
                    self._note(line.strip())
            elif self._raised and len(self._notes) < _MOST_NOTES:
                self._note(line.strip())
            else:
                self._raised, self._headline, self._notes = False, line.strip()[:_SHOWN], []

    def _note(self, line: str) -> None:
        if len(self._notes) < _MOST_NOTES:
            self._notes.append(line[:_SHOWN])

    def text(self) -> str:
        """The headline, and in lines of their own what was said after it."""
        return "\n".join((self._headline, *self._notes))


def without_colours(text: str) -> str:
    """Text as it is read, without what tells a terminal how to show it."""
    return _COLOURS.sub("", text)
