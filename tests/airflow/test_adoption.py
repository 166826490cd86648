"""How a team takes Windtunnel up: installed into the Airflow they have, or this repository as their Airflow project."""

import json
import shutil
import sys

import pytest

from tests.installed import ROOT, build_wheel, clean_environment, run, team_environment
from windtunnel.definition import load_any
from windtunnel_airflow.environment import airflow_environment

pytestmark = pytest.mark.slow

EXAMPLE = ROOT / "examples" / "own_project"


@pytest.fixture(scope="module")
def team(tmp_path_factory):
    """Runs commands where a team's own Airflow, project and the installed wheel are, and nothing of the source tree."""
    folder = tmp_path_factory.mktemp("team")
    python = team_environment(folder)
    # With its extras, and without an index: what they ask for must be among the packages that are there.
    wheel = build_wheel(folder / "wheel")
    run(sys.executable, "-m", "pip", "--python", python, "install", "--no-index", f"{wheel}[all]", cwd=folder)
    project = folder / "own_project"
    shutil.copytree(EXAMPLE, project, ignore=shutil.ignore_patterns("__pycache__"))
    settings = airflow_environment(folder / "airflow", project / "dags", store=folder / "runs")
    environment = clean_environment(**settings, PYTHONPATH=project)

    def command(*arguments):
        return run(python, *arguments, cwd=folder, env=environment)

    command("-m", "airflow", "db", "migrate")
    command.folder = folder
    return command


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """Runs Airflow's commands with this repository as the Airflow project: its dags and its plugins folder."""
    home = tmp_path_factory.mktemp("repository")
    settings = airflow_environment(home, ROOT / "dags", store=home / "runs")
    settings["AIRFLOW__CORE__PLUGINS_FOLDER"] = str(ROOT / "plugins")

    def command(*arguments):
        return run(sys.executable, "-m", "airflow", *arguments, cwd=home, env=clean_environment(**settings))

    command("db", "migrate")
    return command


def test_the_installed_windtunnel_is_the_wheels(team):
    for package in ("windtunnel", "windtunnel_airflow", "windtunnel_trainer"):
        assert str(team.folder) in team("-c", f"import {package}; print({package}.__file__)")


def test_the_plugin_is_found_by_its_entry_point(team):
    assert _windtunnel_plugins(team("-m", "airflow", "plugins", "-o", "json")) == 1


def test_their_search_runs_with_their_own_workload(team):
    team("-m", "airflow", "dags", "reserialize")
    assert _rows(team("-m", "airflow", "dags", "list-import-errors", "-o", "json")) == []
    dags = _rows(team("-m", "airflow", "dags", "list", "-o", "json"))
    assert [dag["dag_id"] for dag in dags] == ["tumour_mlp"]

    team("-m", "airflow", "dags", "test", "tumour_mlp")
    (run_folder,) = (folder for folder in (team.folder / "runs" / "tumour_mlp").iterdir() if folder.is_dir())
    models = json.loads((run_folder / "models.json").read_text())["models"]
    assert models and all(model["verdict"] == "verified" for model in models)
    assert max(model["test"]["test_acc"] for model in models) > 0.9
    assert (run_folder / "report.html").stat().st_size > 10_000


def test_the_command_line_serves_them(team):
    assert "fine" in team("-m", "windtunnel", "validate", "own_project/searches/tumour_mlp.yaml")


def test_the_repository_is_an_airflow_project(repository):
    assert _windtunnel_plugins(repository("plugins", "-o", "json")) == 1
    repository("dags", "reserialize")
    assert _rows(repository("dags", "list-import-errors", "-o", "json")) == []
    found = {dag["dag_id"] for dag in _rows(repository("dags", "list", "-o", "json"))}
    assert found == {load_any(file).name for file in (ROOT / "include" / "searches").glob("*.yaml")}


def _rows(output):
    """The rows of a table that Airflow printed as JSON, whatever it logged before."""
    lines = output.splitlines()
    start = next((i for i, line in enumerate(lines) if line.startswith(("[{", "[]"))), None)
    return [] if start is None else json.loads("\n".join(lines[start:]))


def _windtunnel_plugins(output):
    return sum(row["name"] == "windtunnel" for row in _rows(output))
