"""Text that came from elsewhere, made harmless for where it goes or is read: a terminal, a record, a spreadsheet."""

import csv
import re
import traceback
import unicodedata
from typing import Any

from windtunnel.errors import WindtunnelError

_NUMBER = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?")
_FORMULA = tuple("=+-@\t\r\n|%\uff1d\uff0b\uff0d\uff20")  # what spreadsheets take for the beginning of a formula
_MOST, _OF_ERROR = 10_000, 2_000  # characters of a message, and of what an error says; the log has it whole
_LINE = 300  # characters of what a line says of one
_PARTS = 5  # errors of a group that are named
_LONGEST_FIELD = 16 * 1024 * 1024  # characters of a table's cell


def error_text(error: BaseException) -> str:
    """An error's class and what it says, whatever it is: without a message, with a broken one, or a call of exit().

    The first line is the headline; what else the error says, its notes among it, follows. One of Windtunnel's own is
    written for a person, who needs no class.
    """
    if isinstance(error, SystemExit):
        code = _shown(error.code)
        mend = ": let it return instead" if code in ("None", "0") else ""
        return readable(f"the workload called sys.exit({code}){mend}", most=_OF_ERROR)
    try:
        return readable(error if isinstance(error, WindtunnelError) else _with_notes(error), most=_OF_ERROR)
    except BaseException:  # a class that is broken itself
        return f"an exception that cannot be shown, of a class made by {type(type(error)).__name__}"


def _with_notes(error: BaseException) -> str:
    """What Python says of an error, the errors of a group in its first line, and its notes in lines of their own."""
    shown = traceback.TracebackException(type(error), error, None, compact=True)
    notes, shown.__notes__ = getattr(error, "__notes__", None), []
    lines = "".join(shown.format_exception_only()).strip().splitlines()
    if isinstance(error, SyntaxError):  # without the piece of code that Python shows before, with its place
        lines = [f"{type(error).__name__}: {error}"]
    if isinstance(error, BaseExceptionGroup):
        parts = [headline(error_text(part)) for part in error.exceptions[:_PARTS]]
        lines[0] += f": {'; '.join(parts)}{'; …' if len(error.exceptions) > _PARTS else ''}"
    return "\n".join([*lines, *map(str, notes if isinstance(notes, list | tuple) else ())])


def headline(message: str) -> str:
    """The one line that says what a message is about: its first, as of `error_text`, shortened."""
    return shortened(message.strip().partition("\n")[0].strip())


def shortened(text: str) -> str:
    """The text, cut where it is too long for a line."""
    return text if len(text) <= _LINE else f"{text[:_LINE]}…"


def readable(value: object, *, most: int = _MOST) -> str:
    """The text as a record holds it: what no terminal or UTF-8 file takes written out, its middle left out if long."""
    text = str(value)
    if len(text) > most:
        left_out = f" … ({len(text) - most:,} characters left out) … "
        text = text[: most // 2] + left_out + text[-most // 2 :]
    return printable(text, keep="\n\t")


def printable(text: str, *, keep: str = "\n") -> str:
    r"""The text with its control characters written out, such as `\x1b`: a terminal would obey them.

    They are all that are not seen: escape sequences, marks that turn the direction of writing, and the like.

    Args:
        text: from a run, a definition or a store.
        keep: characters that stay as they are; a cell of a table keeps none.
    """
    if text.isprintable():
        return text
    return "".join(character if _is_seen(character) or character in keep else _written(character) for character in text)


def counted(number: float, one: str, several: str = "") -> str:
    """A number of things, such as `1 trial`, `2 trials` and `1.5 epochs`.

    Args:
        number: of them.
        one: the word for one of them.
        several: for several; by default with an `s`.
    """
    many = f"{number:g}" if isinstance(number, float) else number
    return f"{many} {one if number == 1 else several or f'{one}s'}"


def csv_cell(value: Any) -> Any:
    """A value for a CSV file that a spreadsheet opens: text that would be a formula gets an apostrophe before it.

    Numbers stay numbers, also where they are written as text.
    """
    if value is None or isinstance(value, (bool, int, float)):
        return value
    text = str(value)
    return f"'{printable(text)}" if is_formula(text) else printable(text)


def allow_long_fields() -> None:
    """Let this process read CSV files whose fields are longer than Python's 128 KiB: texts of people's tables are."""
    csv.field_size_limit(max(_LONGEST_FIELD, csv.field_size_limit()))


def is_formula(text: str) -> bool:
    """Whether a spreadsheet would take the text for a formula; a number is none."""
    return text.lstrip(" \xa0").startswith(_FORMULA) and not _NUMBER.fullmatch(text)


def quoted(text: str) -> str:
    """Text for a table that programs read and a spreadsheet may open: a formula gets an apostrophe before it.

    `unquoted` takes it off again; all else stays as it is.
    """
    return f"'{text}" if is_formula(text.lstrip("'")) else text


def unquoted(cell: str) -> str:
    """The text of a cell that `quoted` has made."""
    return cell[1:] if cell.startswith("'") and is_formula(cell.lstrip("'")) else cell


def _shown(value: Any) -> str:
    try:
        return repr(value)
    except Exception:
        return f"<a {type(value).__name__}>"


def _is_seen(character: str) -> bool:
    return character.isprintable() or unicodedata.category(character) == "Zs"


def _written(character: str) -> str:
    return character.encode("unicode_escape").decode()
