"""A workload that only Airflow's host has reaches the jobs through the ledger."""

import io
import subprocess
import sys
import zipfile

import pytest

from tests.installed import clean_environment
from windtunnel.definition.model import Definition
from windtunnel.ledger import Ledger, State
from windtunnel.stages import begin, prepare_job

WORKLOAD = """
TORCH = False

def prepare(data):
    data.save("train", x=[{x}])

def train(trial):
    trial.report(score=1.0)

def verify(model):
    pass
"""


def job(ledger):
    """Run the preparation as a pod would: no module of this process's, but Windtunnel, can be imported."""
    environment = clean_environment()
    command = [sys.executable, "-P", "-m", "windtunnel_trainer", ledger.url, "prepare", "--digest", ledger.digest]
    done = subprocess.run(command, cwd="/", env=environment, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


@pytest.fixture
def begun(tmp_path, monkeypatch):
    """Begins a run of a workload made of these files."""
    monkeypatch.syspath_prepend(str(tmp_path / "modules"))
    monkeypatch.setattr(sys, "modules", sys.modules.copy())

    def make(workload, files):
        for name, text in files.items():
            file = tmp_path / "modules" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        fields = {"name": "own", "workload": workload, "space": {"a": [1, 2]}, "objectives": {"score": "maximize"}}
        ledger = Ledger.open(f"{tmp_path}/store/own/run")
        search = begin(Definition.model_validate(fields), ledger, "session")
        prepare_job(search)
        return search.ledger

    return make


@pytest.mark.parametrize(
    ("workload", "files"),
    [
        ("team_module", {"team_module.py": WORKLOAD.format(x=1.0)}),
        (
            "team_package.models.mlp",
            {
                "team_package/__init__.py": "",
                "team_package/shared.py": "ONE = 1.0\n",
                "team_package/models/__init__.py": "",
                "team_package/models/mlp.py": "from team_package.shared import ONE\n" + WORKLOAD.format(x="ONE"),
            },
        ),
        (
            "team_module",
            {
                "team_module.py": "from team_helper import ONE\n" + WORKLOAD.format(x="ONE"),
                "team_helper.py": "from team_parts.one import ONE\n",
                "team_parts/one.py": "ONE = 1.0\n",
            },
        ),
        (
            "team_folder.mlp",
            {
                "team_folder/one.py": "ONE = 1.0\n",
                "team_folder/mlp.py": "from .one import *\n" + WORKLOAD.format(x="ONE"),
            },
        ),
    ],
)
def test_a_job_finds_it_in_the_ledger(begun, workload, files):
    ledger = begun(workload, files)
    output = job(ledger)
    assert ledger.result("prepare").state is State.COMPLETED, output


def test_of_a_file_in_two_folders_the_one_that_is_imported_is_packed_once(begun, tmp_path, monkeypatch, recwarn):
    other = tmp_path / "others" / "team_folder"
    other.mkdir(parents=True)
    (other / "mlp.py").write_text("raise AssertionError('the other one')")
    (other / "one.py").write_text("ONE = 1.0\n")
    monkeypatch.syspath_prepend(str(other.parent))
    monkeypatch.syspath_prepend(str(tmp_path / "modules"))
    ledger = begun("team_folder.mlp", {"team_folder/mlp.py": "from .one import *\n" + WORKLOAD.format(x="ONE")})
    (archive,) = ledger.store.list(ledger.path("code/"))
    names = zipfile.ZipFile(io.BytesIO(ledger.store.get(archive.path))).namelist()
    assert sorted(names) == ["team_folder/mlp.py", "team_folder/one.py"]
    assert not [warning for warning in recwarn if "Duplicate name" in str(warning.message)]
    output = job(ledger)
    assert ledger.result("prepare").state is State.COMPLETED, output


def test_a_job_runs_what_the_run_began_with(begun, tmp_path):
    ledger = begun("team_module", {"team_module.py": WORKLOAD.format(x=1.0)})
    (tmp_path / "modules" / "team_module.py").write_text("raise AssertionError('another version')")
    environment = clean_environment(PYTHONPATH=tmp_path / "modules")
    command = [sys.executable, "-P", "-m", "windtunnel_trainer", ledger.url, "prepare", "--digest", ledger.digest]
    subprocess.run(command, cwd="/", env=environment, check=True)
    assert ledger.result("prepare").state is State.COMPLETED


def test_a_job_runs_a_helper_as_it_was_when_the_run_began(begun, tmp_path):
    ledger = begun(
        "team_module",
        {"team_module.py": "from team_helper import ONE\n" + WORKLOAD.format(x="ONE"), "team_helper.py": "ONE = 1.0\n"},
    )
    (tmp_path / "modules" / "team_helper.py").write_text("raise AssertionError('another version')")
    environment = clean_environment(PYTHONPATH=tmp_path / "modules")
    command = [sys.executable, "-P", "-m", "windtunnel_trainer", ledger.url, "prepare", "--digest", ledger.digest]
    subprocess.run(command, cwd="/", env=environment, check=True)
    assert ledger.result("prepare").state is State.COMPLETED


def test_what_was_not_uploaded_is_not_run(begun):
    ledger = begun("team_module", {"team_module.py": WORKLOAD.format(x=1.0)})
    (archive,) = ledger.store.list(ledger.path("code/"))
    ledger.store.put(archive.path, b"something else")
    job(ledger)
    assert "is not the source of team_module that was uploaded" in ledger.result("prepare").message


def test_without_the_source_the_failure_says_so(begun):
    ledger = begun("team_module", {"team_module.py": WORKLOAD.format(x=1.0)})
    (archive,) = ledger.store.list(ledger.path("code/"))
    ledger.store.delete(archive.path)
    job(ledger)
    assert "lacks the source of team_module" in ledger.result("prepare").message


def test_the_trainers_own_workloads_stay_where_they_are(begun):
    ledger = begun("windtunnel_trainer.workloads.cnn", {})
    assert not list(ledger.store.list(ledger.path("code/")))
