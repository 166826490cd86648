"""What is installed: the wheel's content, its entry points, its versions and its extras."""

import re
import tomllib
import zipfile
from importlib.metadata import PathDistribution
from importlib.metadata import entry_points as installed_entry_points

import pytest

import windtunnel
from tests.installed import ROOT, build_wheel

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PACKAGES = {"windtunnel": "include", "windtunnel_airflow": "plugins", "trainer": "."}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    with zipfile.ZipFile(build_wheel(tmp_path_factory.mktemp("wheel"))) as content:
        yield content


def test_the_wheel_holds_the_three_packages_whole(wheel):
    wanted = {
        str(file.relative_to(ROOT / folder))
        for package, folder in PACKAGES.items()
        for file in (ROOT / folder / package).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts and not file.name.endswith(".pyc")
    }
    held = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert wanted - held == set()
    assert {name.partition("/")[0] for name in held} == set(PACKAGES)


def test_the_wheel_holds_what_the_report_and_type_checkers_need(wheel):
    names = wheel.namelist()
    assert "windtunnel/py.typed" in names
    assert [name for name in names if name.startswith("windtunnel/report/assets/")]


def test_the_wheel_brings_its_licence(wheel):
    assert any(name.endswith("licenses/LICENSE") for name in wheel.namelist())


def test_versions_agree(wheel):
    (folder,) = {name.partition("/")[0] for name in wheel.namelist() if ".dist-info/" in name}
    assert PROJECT["version"] == windtunnel.__version__
    assert PathDistribution(zipfile.Path(wheel.filename, f"{folder}/")).version == windtunnel.__version__


def test_entry_points_lead_to_the_plugin_and_the_command_line():
    (plugin,) = installed_entry_points(group="airflow.plugins", name="windtunnel")
    assert plugin.load().name == "windtunnel"
    (command,) = installed_entry_points(group="console_scripts", name="windtunnel")
    assert callable(command.load())


def test_each_side_stays_free_of_the_other():
    extras = {name: {_name(entry) for entry in entries} for name, entries in PROJECT["optional-dependencies"].items()}
    assert not extras["airflow"] & {"torch", "onnx", "onnxruntime", "scikit-learn", "matplotlib", "plotly"}
    assert "apache-airflow" not in extras["trainer"] | extras["report"]
    assert {_name(entry) for entry in PROJECT["dependencies"]} == {"croniter", "pydantic", "pyyaml", "rfc8785"}


def test_the_lock_names_every_direct_dependency_and_no_machine():
    lines = [line for line in (ROOT / "requirements.lock").read_text().splitlines() if not line.startswith("#")]
    locked = dict(line.split("==") for line in lines)
    groups = [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    direct = {_name(entry) for group in groups for entry in group} - {"windtunnel"}
    assert direct - set(locked) == set()
    assert "torch==2.13.0" in lines
    assert not [name for name in locked if name.startswith(("nvidia", "cuda", "triton"))]
    assert not [version for version in locked.values() if "+" in version]


def _name(requirement):
    return re.match(r"[A-Za-z0-9._-]+", requirement)[0].lower().replace("_", "-")
