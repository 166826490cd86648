"""What is said of an error and of a message, whatever they are."""

import pytest

from windtunnel.errors import SearchError
from windtunnel.text import counted, error_text, headline


class _MuteError(Exception):
    def __str__(self):
        raise RuntimeError("no text")


class _OddError(ValueError):
    __notes__ = 7


def _noted(error, *notes):
    for note in notes:
        error.add_note(note)
    return error


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError(), "ValueError"),
        (ValueError("\udce9 \x00 \x1b[31m \x1b"), r"ValueError: \udce9 \x00 \x1b[31m \x1b"),
        (_noted(ValueError("nan"), "try a smaller\nlr", "or none"), "ValueError: nan\ntry a smaller\nlr\nor none"),
        (_OddError("odd"), "_OddError: odd"),
        (
            ExceptionGroup("several", [ValueError("a"), ExceptionGroup("more", [_noted(TypeError("b"), "c")])]),
            "ExceptionGroup: several (2 sub-exceptions): ValueError: a; "
            "ExceptionGroup: more (1 sub-exception): TypeError: b",
        ),
        (SearchError("nothing to publish"), "nothing to publish"),
        (SystemExit("no data"), "the workload called sys.exit('no data')"),
    ],
)
def test_an_error_is_told_in_its_first_line_with_its_parts_and_its_notes_follow(error, text):
    assert error_text(error).removeprefix("tests.core.test_text.") == text


def test_an_error_that_cannot_tell_itself_is_named():
    assert "_MuteError" in error_text(_MuteError())


@pytest.mark.parametrize("error", [ValueError("x" * 3_000_000), ExceptionGroup("g", [ValueError("y" * 10**6)] * 500)])
def test_whatever_is_said_has_a_bounded_length(error):
    assert len(error_text(error)) < 2_100
    assert len(headline(error_text(error))) < 400


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 trials"), (1, "1 trial"), (2, "2 trials"), (1.0, "1 trial"), (1.5, "1.5 trials")]
)
def test_one_is_told_from_several(number, text):
    assert counted(number, "trial") == text
    assert counted(number, "trial", "several") == text.replace("trials", "several")
