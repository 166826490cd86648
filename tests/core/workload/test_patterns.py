import pytest

from windtunnel.workload.patterns import found, pattern_of


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("accuracy=0.9", "0.9"),
        ("Epoch 3: loss 1, accuracy: 93.5%", "93.5"),
        ("{'accuracy': 1e-3}", "1e-3"),
        ("ACCURACY = nan", "nan"),
        ("accuracy=-inf", "-inf"),
        ("accuracy=1,234.5", "1,234.5"),
        ("accuracy=.5,loss=2", ".5"),
    ],
)
def test_a_word_finds_its_value(line, value):
    assert found(pattern_of("accuracy"), line)[0] == (None, value)


@pytest.mark.parametrize("line", ["val_accuracy=1", "accuracy_top5=1", "train.accuracy=1", "accuracy 1"])
def test_a_word_does_not_find_anothers(line):
    assert [value for _, value in found(pattern_of("accuracy"), line) if value] == []


def test_a_word_may_have_spaces_in_the_output():
    assert found(pattern_of("val_acc"), "Val Acc: 3") == [(None, "3")]
    assert found(pattern_of("eval/acc"), "eval/acc: 3") == [(None, "3")]


@pytest.mark.parametrize("text", ["acc (.*)", r"acc (?P<value>\d+) of \d+ in (\d+)"])
def test_a_pattern_gives_its_first_group(text):
    assert found(pattern_of(text), "acc 12 of 13 in 7")[0][1].startswith("12")


def test_a_pattern_may_name_the_epoch():
    assert found(pattern_of(r"epoch (?P<epoch>\d+) acc (\S+)"), "epoch 3 acc 0.5") == [("3", "0.5")]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("acc=[0-9.]+", "has no group"),
        ("acc=([0-9.]+", "is no pattern"),
        (r"(?P<epoch>\d+) acc", "has no group but that of the epoch"),
        ("(a+)+b", "may take for ever"),
        (r"((\d*)*)", "may take for ever"),
        (r"acc=(?:(?:x|\d+)*)(.)", "may take for ever"),
    ],
)
def test_a_bad_pattern_is_named(text, fault):
    with pytest.raises(ValueError, match=fault):
        pattern_of(text)


@pytest.mark.parametrize("text", [r"(\d+(?:\.\d+)?)", r"(?:\w+ )+acc=(.+)", "acc=([0-9.e+-]+)%?"])
def test_a_common_pattern_is_none_of_them(text):
    assert pattern_of(text).groups == 1
