import re
import subprocess
import sys
from pathlib import Path

import pytest

from windtunnel.cli import main
from windtunnel.definition.schema import schema_text

ROOT = Path(__file__).parents[3]
GOOD = """\
workload: tests.workloads.formula
space: {x: {type: int, low: 1, high: 4}, y: [1, 2, 3]}
objectives: {quality: maximize, cost: minimize}
constraints: {cost: {max: 6}}
"""


@pytest.fixture
def write(tmp_path):
    def write(text, name="search.yaml"):
        (tmp_path / name).write_text(text)
        return str(tmp_path / name)

    return write


def test_validate_says_what_is_searched(write, capsys):
    assert main(["validate", write(GOOD)]) == 0
    said = capsys.readouterr()
    assert (
        "fine: maximize quality, minimize cost over 12 configurations of x, y; 5 iterations, at most 74 trials"
        in said.out
    )
    assert "known before training: cost; measured: quality" in said.out
    assert said.err == ""


def test_validate_names_the_workloads_source_on_request(write, capsys):
    assert main(["validate", "--source", write(GOOD)]) == 0
    _, *files = capsys.readouterr().out.splitlines()
    assert files == ["  tests/__init__.py", "  tests/workloads/__init__.py", "  tests/workloads/formula.py"]


def test_validate_meets_what_a_run_meets(write, capsys):
    careless = (
        "workload: tests.workloads.careless\nsettings: {given: []}\nobjectives: {score: maximize, size: minimize}\n"
    )
    assert main(["validate", write(careless)]) == 0
    said = capsys.readouterr().out
    assert "over 12 configurations of widths, kernel" in said and "known before training: size" in said
    assert "left out: " in said and "ArithmeticError: no size of this one" in said


@pytest.mark.parametrize(
    ("workload", "words"),
    [
        ("leaves", "the workload called sys.exit('please set a folder')"),
        ("leaves_at_once", "the workload called sys.exit(0)"),
        ("raises_its_own", "tests.workloads.raises_its_own.OwnError: no licence"),
    ],
)
def test_validate_tells_of_a_workload_that_ends_the_process(write, capsys, workload, words):
    leaving = write(f"workload: tests.workloads.{workload}\nobjectives: {{score: maximize}}\n", "leaving.yaml")
    fine = write(GOOD, "fine.yaml")
    assert main(["validate", leaving, fine]) == 1
    said = capsys.readouterr()
    assert f"cannot be imported: {words}" in said.err
    assert said.out.startswith(fine)


def test_a_command_that_is_interrupted_says_so(write, capsys, monkeypatch):
    def interrupt(name):
        raise KeyboardInterrupt

    monkeypatch.setattr("windtunnel.definition.load.described_space", interrupt)
    assert main(["validate", write("workload: tests.workloads.formula\nobjectives: {score: maximize}\n")]) == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_neither_threads_nor_processes_that_a_workloads_import_leaves_go_on_with_a_command(write):
    file = write("workload: stays\nobjectives: {score: maximize}\nspace: {a: [1, 2]}\n")
    folder = Path(file).parent
    leaving = "import os, threading\nos.fork()\nthreading.Thread(target=threading.Event().wait).start()\n"
    (folder / "stays.py").write_text(f"{leaving}def train(trial):\n    pass\n")
    command = [sys.executable, "-m", "windtunnel", "validate", file]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=300)
    assert done.returncode == 0 and done.stdout.count("fine: ") == 1, done.stderr


def test_validate_tells_every_fault_of_every_file(write, capsys):
    bad = write(GOOD.replace("maximize", "maximise") + "seed: -1\n", "bad.yaml")
    fine = write(GOOD, "fine.yaml")
    assert main(["validate", bad, fine]) == 1
    said = capsys.readouterr()
    assert [line.split(":")[2].strip() for line in said.err.splitlines()] == ["objectives.quality", "seed"]
    assert said.out.startswith(fine)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("{max: 6}", "{max: 0.5}"), "no configuration keeps the constraints: .* cost .* is above 0.5"),
        (("[1, 2, 3]", "[a, b]"), r"tests.workloads.formula.cost\(.*failed: ValueError"),
        (
            ("tests.workloads.formula", "tests.workloads.missing"),
            "workload: workload 'tests.workloads.missing' cannot be found",
        ),
        (("tests.workloads.formula", "json"), "workload 'json' .* lacks train\\(\\)"),
    ],
)
def test_validate_tries_the_workload(write, capsys, change, message):
    file = write(GOOD.replace(*change))
    assert main(["validate", file]) == 1
    error = capsys.readouterr().err
    assert re.search(message, error)
    assert error.startswith(file)
    assert "Traceback" not in error


def test_schema_is_written_checked_and_printed(tmp_path, capsys):
    file = tmp_path / "schema.json"
    assert main(["schema", str(file), "--check"]) == 1
    assert main(["schema", str(file)]) == 0
    assert main(["schema", str(file), "--check"]) == 0
    assert main(["schema", "-"]) == 0
    assert file.read_text() == schema_text() == capsys.readouterr().out
    file.write_text("{}")
    assert main(["schema", str(file), "--check"]) == 1
    assert "is out of date" in capsys.readouterr().err
    for place in (tmp_path / "no" / "schema.json", tmp_path):
        assert main(["schema", str(place)]) == 1
        assert f"FILE: cannot write {place}: " in capsys.readouterr().err


def test_a_reader_that_has_seen_enough_is_no_error():
    with subprocess.Popen(
        [sys.executable, "-m", "windtunnel", "schema", "-"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


def test_wrong_usage_exits_with_2(capsys):
    for arguments in ([], ["nonsense"], ["validate"]):
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        assert caught.value.code == 2
    assert "COMMAND" in capsys.readouterr().err


def test_every_command_has_help(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    said = capsys.readouterr().out
    assert "validate" in said
    assert "schema" in said


def test_the_module_runs_without_airflow_and_torch(write):
    file = write(GOOD)
    code = (
        "import sys; from windtunnel.cli import main; code = main(sys.argv[1:]);"
        "assert not {'airflow', 'torch'} & set(sys.modules); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code, "validate", file], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    bad = subprocess.run(
        [sys.executable, "-m", "windtunnel", "validate", write("iterations: 0\n", "bad.yaml")],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert bad.returncode == 1
    assert "Traceback" not in bad.stderr
    assert "iterations: found 0; allowed: at least 1" in bad.stderr
