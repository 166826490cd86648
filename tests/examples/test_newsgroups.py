"""HyperDrive's lab, on posts that are made up."""

import json
import re
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest

from tests.examples.performed import EXAMPLES, imported, lines, perform, trials
from tests.installed import clean_environment, run
from windtunnel.definition import load_definition

FILE = "newsgroups/newsgroups.yaml"
SCRIPT = EXAMPLES / "newsgroups" / "train.py"


@pytest.fixture
def script(monkeypatch):
    monkeypatch.delenv("WINDTUNNEL_DATA", raising=False)
    return imported("newsgroups/train.py", monkeypatch)


def curve(printed):
    return [tuple(map(float, re.findall(r"=([\d.]+)", line))) for line in printed if "loss=" in line]


def test_the_script_obeys_each_of_its_arguments(script, tmp_path, capsys):
    def trained(**arguments):
        given = {"num_epochs": 2, "batch_size": 50, "hidden_size": 20, "learning_rate": 0.05, "output": tmp_path}
        return curve(lines(script, [f"--{name}={value}" for name, value in (given | arguments).items()], capsys))

    first = trained()
    assert len(first) == 2
    assert trained() == first
    assert trained(num_epochs=3)[:2] == first
    changed = [
        trained(**{name: value})
        for name, value in (("learning_rate", 0.06), ("batch_size", 40), ("hidden_size", 21), ("seed", 1))
    ]
    assert first not in changed
    assert {file.name for file in tmp_path.iterdir()} == {"loss.png", "accuracy.png"}


def test_it_knows_the_words_of_what_it_learns_from_only_and_is_tested_once(script, tmp_path, capsys):
    printed = lines(script, ["--num_epochs=4", f"--output={tmp_path}", "--final"], capsys)
    assert int(re.fullmatch(r"(\d+) of 240 test posts are right", printed[-1])[1]) > 200
    known = set(json.loads((tmp_path / "words.json").read_text()))
    assert "trainauthor0" in known
    assert "testauthor0" not in known
    assert "testauthor0" in script.read_posts(None, "test")[0][0]
    import onnxruntime

    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    (logits,) = session.run(None, {"counts": np.zeros((3, len(known)), np.float32)})
    assert logits.shape == (3, 4)


def test_what_it_is_judged_by_is_held_back_from_its_words_too(script, tmp_path, capsys, monkeypatch):
    learnt = []
    fit = script.CountVectorizer.fit
    monkeypatch.setattr(script.CountVectorizer, "fit", lambda self, texts: fit(self, learnt.extend(texts) or texts))
    lines(script, ["--num_epochs=1", f"--output={tmp_path}"], capsys)
    assert len(learnt) == 192
    assert set(learnt) < set(script.read_posts(None, "train")[0])


def test_real_posts_are_read_from_the_archive_or_its_folders(script, tmp_path):
    folder = tmp_path / "20news-bydate-train"
    for group in (*script.GROUPS, "rec.autos"):
        (folder / group).mkdir(parents=True)
        (folder / group / "1").write_bytes(f"caf\xe9 {group}".encode("latin-1"))
    found = script.read_posts(tmp_path, "train")
    assert found[0] == [f"caf\xe9 {group}" for group in script.GROUPS]
    assert found[1].tolist() == [0, 1, 2, 3]
    with tarfile.open(tmp_path / "20news-bydate-4cats.tar.gz", "w:gz") as archive:
        archive.add(folder, folder.name)
    assert script.read_posts(tmp_path, "train")[0] == found[0]
    with pytest.raises(SystemExit, match="no posts of 20news-bydate-test"):
        script.read_posts(tmp_path, "test")


@pytest.mark.slow
def test_two_ranks_train_the_same_network_and_say_so_once(tmp_path):
    command = [SCRIPT, "--num_epochs=2", f"--output={tmp_path}"]
    environment = clean_environment(OMP_NUM_THREADS="1")
    alone = curve(run(sys.executable, *command, env=environment).splitlines())
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2"]
    together = curve(run(*torchrun, *command, env=environment).splitlines())
    assert len(together) == 2
    assert np.array(together) == pytest.approx(np.array(alone), abs=0.05)


@pytest.mark.slow
def test_it_is_searched_as_the_lab_does_and_the_best_is_trained_again(tmp_path, monkeypatch):
    monkeypatch.delenv("WINDTUNNEL_DATA", raising=False)
    fields = {"iterations": 1, "trials": {"initial": 2}, "early_stopping": {}, "resources": {"gpus": 2}}  # two ranks
    space = load_definition(EXAMPLES / FILE).space | {"num_epochs": [2, 3]}
    search = perform(FILE, tmp_path, limits={"parallel": 1, "threads": 1}, space=space, **fields)
    for trial in trials(search):
        folder = Path(search.url) / "trials" / trial["trial"]
        log = (folder / "log.txt").read_text()
        command = re.search(r"^running: .* train.py (.*)$", log, re.MULTILINE)[1]
        for name in ("learning_rate", "num_epochs", "batch_size", "hidden_size"):
            assert f"--{name}={trial[f'params.{name}']} " in command
        printed = curve(log.splitlines())
        assert len(printed) == trial["params.num_epochs"]
        points = search.curves()[trial["trial"]]
        assert [(point["loss"], point["accuracy"]) for point in points] == printed
        assert {file.name for file in folder.rglob("*.png")} == {"loss.png", "accuracy.png"}
    printed = run(sys.executable, SCRIPT.with_name("retrain.py"), search.url, "--output", tmp_path).splitlines()
    assert printed[0].startswith(f"{search.best.objectives['accuracy']:.4f} with --learning_rate=")
    assert printed[-1].endswith("of 240 test posts are right")
