"""The script that takes the arguments of PyTorch's MNIST example."""

import re
import sys

import pytest

from tests.examples.performed import EXAMPLES, imported, lines, perform, trials
from tests.installed import clean_environment, run


@pytest.fixture
def script(monkeypatch):
    monkeypatch.delenv("WINDTUNNEL_DATA", raising=False)
    return imported("mnist/train.py", monkeypatch)


def accuracies(printed):
    return [int(right) for right in re.findall(r"accuracy (\d+)/25", "\n".join(printed))]


def test_the_script_obeys_its_arguments(script, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    printed = lines(script, ["--epochs=2", "--test", "--save-model", "--log-interval=5", "--batch-size=32"], capsys)
    assert len(accuracies(printed)) == 2
    assert any(line.startswith("epoch 2, step 5: ") for line in printed)
    assert printed[-1].endswith(" of 100 test images are right")
    assert (tmp_path / "mnist_cnn.pt").stat().st_size > 0
    losses = {
        re.sub(r".*?(loss=[\d.]+).*", r"\1", lines(script, ["--epochs=1", *more], capsys)[0])
        for more in ([], ["--lr=0.3"], ["--batch-size=48"], ["--seed=2"], ["--dry-run"])
    }
    assert len(losses) == 5
    assert lines(script, ["--epochs=2"], capsys) != lines(script, ["--epochs=2", "--gamma=0.1"], capsys)


@pytest.mark.slow
def test_by_hand_and_by_windtunnel_it_comes_to_the_same_accuracy(tmp_path, monkeypatch):
    monkeypatch.delenv("WINDTUNNEL_DATA", raising=False)
    amounts = {
        "iterations": 1,
        "trials": {"initial": 2},
        "epochs": {"partial": 1, "full": 2},
        "finalists": {"max": 1},
        "limits": {"threads": 1, "parallel": 2},
    }
    search = perform("mnist/mnist.yaml", tmp_path, **amounts)
    assert len(search.curves()) == 3
    environment = clean_environment(OMP_NUM_THREADS="1")
    for trial in trials(search):
        points = search.curves()[trial["trial"]]
        command = [
            EXAMPLES / "mnist" / "train.py",
            f"--epochs={int(points[-1]['epoch'])}",
            f"--lr={trial['params.lr']}",
        ]
        command += [f"--gamma={trial['params.gamma']}", f"--batch-size={trial['params.batch_size']}", "--seed=1"]
        printed = run(sys.executable, *command, env=environment).splitlines()
        assert [4 * right for right in accuracies(printed)] == [point["accuracy"] for point in points]
