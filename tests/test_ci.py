"""`.ci/run` itself, with commands that only say what they were told: what it runs, shows and answers."""

import os
import shutil
import subprocess

import pytest

from tests.installed import ROOT

# Says what it was told; fails if that begins with a word of $FAIL; the three that run first wait for each other.
COMMAND = """\
#!/usr/bin/env bash
echo "$(basename "$0") $*, store ${WINDTUNNEL_STORE:+given}, input $(wc -c), 12 passed"
meet() {
  touch "$MET/$1"
  for _ in $(seq 3000); do [[ ! -e $MET/$2 || ! -e $MET/$3 ]] || return 0; sleep 0.1; done
  return 1
}
case "$1" in
  test) meet quick azure cluster;;
  test-azure) meet azure quick cluster;;
  test-cluster) meet cluster quick azure;;
esac
for word in $FAIL; do [[ $1 != "$word" ]] || exit 2; done
[[ $1 != up ]] || echo a-kubeconfig
"""


@pytest.fixture
def checks(tmp_path):
    """Runs the checks of a project whose `make`, Python, Docker and cluster are such commands: exit code and output."""
    folder = tmp_path / "project"
    for file in ("bin/make", "bin/docker", ".venv/bin/python", "cluster/cluster"):
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text(COMMAND)
        (folder / file).chmod(0o755)
    (folder / ".ci").mkdir()
    (folder / "met").mkdir()
    (tmp_path / "tmp").mkdir()
    shutil.copy(ROOT / ".ci" / "run", folder / ".ci")

    def run(fail="", cluster="cluster"):
        if "up" in fail or cluster == "none":
            (folder / "met" / "cluster").touch()  # nobody waits for its suite
        environment = {
            "PATH": f"{folder}/bin{os.pathsep}{os.environ['PATH']}",
            "HOME": str(tmp_path),
            "TMPDIR": str(tmp_path / "tmp"),
            "WINDTUNNEL_CLUSTER": str(folder / cluster),
            "FAIL": fail,
            "MET": str(folder / "met"),
        }
        command = [folder / ".ci" / "run"]
        done = subprocess.run(command, cwd="/", env=environment, input="typed\n", capture_output=True, text=True)
        return done.returncode, done.stdout

    return run


STAGES = [
    "make setup",
    "python -m pip check",
    "make lint",
    "make validate",
    "make test",
    "make run, store given",
    "make test-all TESTS=tests/airflow ARGS=-m",
    "make test-all ARGS=-m",
    "make test-azure",
    "make test-ui",
    "make test-cluster",
    "make stack-test",
]


def test_everything_is_run_and_shown_and_what_is_left_out_is_named(checks):
    status, said = checks()
    assert status == 0, said
    for stage in STAGES:
        assert f"\n{stage}" in said
    assert said.count("input 0, 12 passed") == len(STAGES)
    table = said.partition("== all that ran passed\n")[2].splitlines()
    assert sum(" s  " in line for line in table) == len(STAGES)
    assert [line.partition("(")[2].rstrip(")") for line in table if "left out" in line] == [
        "make test-long",
        "make test-random",
        "make test-python313",
    ]


def test_what_a_stage_prints_stands_together(checks):
    _, said = checks()
    lines = said.splitlines()
    for place, line in enumerate(lines):
        if "12 passed" in line:
            assert lines[place - 1].startswith("== ")
            assert " passed after " in lines[place + 2]


@pytest.mark.parametrize("fail", ["lint", "test-azure", "test-cluster", "test"])
def test_a_stage_that_fails_is_named_and_the_others_are_run(checks, fail):
    status, said = checks(fail)
    assert status == 1
    assert said.count("12 passed") == len(STAGES)
    table = said.partition("== some of it FAILED\n")[2].splitlines()
    (failed,) = [line for line in table if "FAILED" in line]
    assert fail in failed or fail == "lint"


def test_nothing_is_run_without_the_set_up(checks):
    status, said = checks("setup")
    assert status == 1
    assert said.count("12 passed") == 1
    assert "left out: all that needs the set-up" in said


@pytest.mark.parametrize(("fail", "cluster"), [("up", "cluster"), ("", "none")])
def test_without_a_cluster_or_docker_their_suites_are_named_as_left_out(checks, fail, cluster):
    status, said = checks(f"{fail} info", cluster)
    assert status == 0
    assert "left out: Kubernetes (make test-cluster)" in said
    assert "left out: the whole stack (make stack-test)" in said
