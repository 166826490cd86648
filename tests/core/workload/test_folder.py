"""What of a script's folder travels with a run."""

import os

import pytest

from windtunnel.errors import WorkloadError
from windtunnel.workload import folder
from windtunnel.workload.folder import files_of_folder


def write(root, **files):
    for name, content in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)


def test_all_travels_but_what_is_private_or_made_by_running(tmp_path):
    write(
        tmp_path,
        **{
            "train.py": "1",
            "conf/model.yaml": "lr: 1",
            "data.bin": b"\0\xff",
            ".env": "SECRET=1",
            ".env.local": "SECRET=1",
            ".git/config": "x",
            "__pycache__/train.pyc": "x",
            "venv/pyvenv.cfg": "home = /",
            "venv/lib/site.py": "x",
            "runs/search/run/search.json": "{}",
            "search.yaml": "script: train.py\nobjectives: {a: maximize}\n",
            "ü b.txt": "x",
        },
    )
    assert list(files_of_folder(tmp_path)) == ["conf/model.yaml", "data.bin", "train.py", "ü b.txt"]


def test_what_gitignore_names_stays_by_the_deepest_rule(tmp_path):
    write(
        tmp_path,
        **{
            ".git/HEAD": "x",
            ".gitignore": "*.log\n/data/\nweights/*\n!weights/keep.pt\n",
            "lab/.gitignore": "!important.log\n/own\n",
            "lab/train.py": "1",
            "lab/important.log": "1",
            "lab/other.log": "1",
            "lab/own/x": "1",
            "lab/deep/own": "1",
            "lab/weights/keep.pt": "1",
            "data/big": "1",
            "weights/keep.pt": "1",
            "weights/other.pt": "1",
        },
    )
    own = ["deep/own", "important.log", "train.py", "weights/keep.pt"]
    assert list(files_of_folder(tmp_path / "lab")) == own
    assert list(files_of_folder(tmp_path)) == [*(f"lab/{name}" for name in own), "weights/keep.pt"]


def test_links_lead_nowhere_out(tmp_path):
    write(tmp_path, **{"secret": "1", "lab/a.py": "1"})
    (tmp_path / "lab" / "out").symlink_to(tmp_path / "secret")
    (tmp_path / "lab" / "in.py").symlink_to(tmp_path / "lab" / "a.py")
    (tmp_path / "lab" / "loop").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "lab" / "pipe")
    assert list(files_of_folder(tmp_path / "lab")) == ["a.py", "in.py"]


def test_a_folder_that_is_too_large_is_refused_by_its_largest_file(tmp_path, monkeypatch):
    monkeypatch.setattr(folder, "LARGEST", 1000)
    write(tmp_path, **{"train.py": "1", "data.csv": "0" * 2000})
    with pytest.raises(WorkloadError, match=r"the largest is data\.csv, 2,000 bytes. Name in \.gitignore"):
        files_of_folder(tmp_path)


def test_what_is_left_out_does_not_count(tmp_path, monkeypatch):
    monkeypatch.setattr(folder, "LARGEST", 1000)
    write(tmp_path, **{"train.py": "1", "data/a.csv": "0" * 2000})
    assert list(files_of_folder(tmp_path, lambda file: file == tmp_path / "data" / "a.csv")) == ["train.py"]
