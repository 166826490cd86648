"""What a workload's module does to the process that imports it, shown by processes of their own."""

import os
import signal
import subprocess
import sys
from itertools import count

import pytest
import yaml

MODULE = """
{does}
TORCH = False
def space(): return {{"a": {{"type": "float", "low": 0.0, "high": 1.0}}}}
def train(trial):
    print("trained")
    trial.report(score=trial.params["a"])
"""
STREAMS = (
    "import sys; sys.stdout.close()",
    "import os; os.close(1); os.close(2)",
    "import sys; sys.stdout.detach()",
    "import io, sys; sys.stdout = io.TextIOWrapper(sys.stdout.buffer, encoding='ascii')",
    "import io, sys; sys.stdout = io.StringIO()",
    "import sys; sys.stdout = sys.stderr = None",
)
KILL = "import os, signal; os.kill"


@pytest.fixture
def command(tmp_path):
    """Gives a command searches whose modules do something while they are imported."""

    def search(number, does):
        (tmp_path / f"hostile{number}.py").write_text(MODULE.format(does=does))
        file = tmp_path / f"{number}.yaml"
        file.write_text(yaml.safe_dump({"workload": f"hostile{number}", "objectives": {"score": "maximize"}}))
        return str(file)

    def give(name, *does):
        return subprocess.run(
            [sys.executable, "-m", "windtunnel", name, *map(search, count(), does)],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), *(path for path in sys.path if path)])},
            capture_output=True,
            text=True,
        )

    return give


def test_standard_streams_are_put_back(command):
    done = command("validate", *STREAMS)
    assert [line.split(": ")[1] for line in done.stdout.splitlines()] == ["fine"] * len(STREAMS)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("does", STREAMS[:3])
def test_so_are_those_of_a_try(command, does):
    done = command("try", does)
    assert "\ntrained\n" in done.stdout
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", ["validate", "try"])
@pytest.mark.parametrize(
    ("does", "code", "words"),
    [
        ("import os; os._exit(0)", 1, "cannot be imported: the workload called sys.exit(0)"),
        ("import os; os.execl('/bin/true', 'true')", 1, "os.execv would replace this process"),
        ("import os; os.execvpe('true', ['true'], {})", 1, "os.execve would replace this process"),
        (f"{KILL}(os.getpid(), signal.SIGTERM)", 143, "stopped by SIGTERM, while hostile0 was imported"),
        (f"{KILL}(os.getpid(), signal.SIGINT)", 130, "interrupted"),
    ],
)
def test_what_ends_the_process_is_told_in_a_line(command, name, does, code, words):
    done = command(name, does)
    assert (done.returncode, done.stdout) == (code, "")
    (line,) = done.stderr.splitlines()
    assert words in line


def test_a_second_signal_ends_the_process_whatever_the_module_catches(command):
    once = f"{KILL}(os.getpid(), signal.SIGTERM)"
    done = command("validate", f"try:\n    {once}\nexcept BaseException:\n    pass\n{once.split('; ')[1]}")
    assert done.returncode == -signal.SIGTERM


@pytest.mark.parametrize("end", ["os.kill(os.getpid(), signal.SIGTERM)", "os.execl('/bin/sh', 'sh', '-c', 'kill $$')"])
def test_a_process_that_the_module_forks_ends_by_itself(command, end):
    wait = "assert os.waitpid(child, 0)[1] == signal.SIGTERM"
    fork = f"import os, signal; child = os.fork() or {end}\n{wait}"
    done = command("validate", fork)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_trial_that_ends_the_command_that_tries_it_is_told_in_a_line(command):
    done = command("try", f"{KILL}(os.getppid(), signal.SIGTERM)")
    assert done.returncode == 143
    assert "stopped by SIGTERM" in done.stderr.splitlines()
