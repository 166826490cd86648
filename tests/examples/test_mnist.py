"""The script that takes the arguments of PyTorch's MNIST example."""

import re

import pytest

from tests.examples.performed import imported, lines


@pytest.fixture
def script(monkeypatch):
    monkeypatch.delenv("WINDTUNNEL_DATA", raising=False)
    return imported("mnist/train.py", monkeypatch)


def accuracies(printed):
    return [int(right) for right in re.findall(r"accuracy=(\d+)/50", "\n".join(printed))]


def test_the_script_obeys_its_arguments(script, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    printed = lines(script, ["--epochs=2", "--test", "--save-model", "--log-interval=5", "--test-batch-size=7"], capsys)
    assert len(accuracies(printed)) == 2
    assert "epoch 2, step 5: " in printed[-4]
    assert printed[-1].endswith(" of 100 test images are right")
    assert (tmp_path / "mnist_cnn.pt").stat().st_size > 0
    losses = {
        re.sub(r".*?(loss=[\d.]+).*", r"\1", lines(script, ["--epochs=1", *more], capsys)[0])
        for more in ([], ["--lr=0.3"], ["--batch-size=32"], ["--seed=2"], ["--dry-run"])
    }
    assert len(losses) == 5
    assert lines(script, ["--epochs=2"], capsys) != lines(script, ["--epochs=2", "--gamma=0.1"], capsys)
