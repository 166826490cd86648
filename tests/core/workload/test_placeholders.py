import pytest

from windtunnel.workload.placeholders import filled, filled_words, flags_of, placeholders, spelled, words_of

VALUES = {"lr": 0.1, "name": "a b'c\"ü", "on": True, "nothing": None, "layers": [1, 2], "opt": {"kind": "adam", "b": 1}}


def test_a_text_is_split_as_a_shell_does_and_a_list_is_not():
    assert words_of("--a 'b c' \"{d}\" e\\ f") == ["--a", "b c", "{d}", "e f"]
    assert words_of(["a b", "c"]) == ["a b", "c"]
    assert words_of(None) == []


@pytest.mark.parametrize("text", ["{", "}", "{lr", "{lr:.2f}", "{lr!r}", "{}", "{a b}", '{"a": 1}', "{0}"])
def test_a_brace_that_holds_no_name_is_an_error(text):
    with pytest.raises(ValueError, match=r"found a brace .*; allowed: \{name\}, and \{\{ and \}\}"):
        placeholders(text)


def test_values_are_put_in_after_words_are_split():
    assert filled_words(["--n={name}", "{{literal}}"], VALUES) == ["--n=a b'c\"ü", "{literal}"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("lr", "0.1"),
        ("on", "true"),
        ("nothing", "null"),
        ("layers", "[1, 2]"),
        ("opt", '{"kind": "adam", "b": 1}'),
        ("opt.kind", "adam"),
    ],
)
def test_what_is_no_text_is_spelled_as_json(name, text):
    assert filled(f"{{{name}}}", VALUES) == text


def test_a_number_is_written_so_that_it_is_read_as_the_same():
    assert [spelled(value) for value in (1e-05, 0.1 + 0.2, 3, 3.0)] == ["1e-05", "0.30000000000000004", "3", "3.0"]


def test_what_does_not_apply_is_left_out_with_its_option():
    words = ["--lr", "{lr}", "--momentum", "{momentum}", "--x={momentum}", "-v", "end"]
    assert filled_words(words, VALUES) == ["--lr", "0.1", "-v", "end"]


def test_flags_stand_where_they_are_asked_for():
    assert filled_words(["a", "{flags}", "b"], {}, ["--x=1", "--y=2"]) == ["a", "--x=1", "--y=2", "b"]


@pytest.mark.parametrize(
    ("style", "words"),
    [
        ("--name=value", ["--lr=0.1", '--opt={"kind": "adam", "b": 1}']),
        ("--name value", ["--lr", "0.1", "--opt", '{"kind": "adam", "b": 1}']),
        ("name=value", ["lr=0.1", "opt.kind=adam", "opt.b=1"]),
        ("environment", []),
    ],
)
def test_styles_of_flags(style, words):
    assert flags_of({"lr": VALUES["lr"], "opt": VALUES["opt"]}, style) == words
