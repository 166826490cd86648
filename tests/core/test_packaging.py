"""What is installed: the wheel's content, its entry points, its versions and its extras."""

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from hashlib import sha256
from importlib.metadata import PathDistribution
from importlib.metadata import entry_points as installed_entry_points

import pytest
from packaging.requirements import Requirement

import windtunnel
from scripts.locked import needed
from tests.installed import ROOT, build_wheel, clean_environment

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
LOCK = (ROOT / "requirements.lock").read_text()
PACKAGES = {"windtunnel": "include", "windtunnel_airflow": "plugins", "windtunnel_trainer": "trainer"}


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
    assert {f"{package}/py.typed" for package in PACKAGES} <= set(names)
    assert [name for name in names if name.startswith("windtunnel/report/assets/")]


def test_the_wheel_brings_its_licence(wheel):
    assert any(name.endswith("licenses/LICENSE") for name in wheel.namelist())


def test_versions_agree(wheel):
    (folder,) = {name.partition("/")[0] for name in wheel.namelist() if ".dist-info/" in name}
    assert PROJECT["dynamic"] == ["version"], "it stands in windtunnel/__init__.py alone"
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
    needed = {_name(entry) for entry in PROJECT["dependencies"]}
    assert needed == {"croniter", "pathspec", "pydantic", "pyyaml", "rfc8785"}


@pytest.mark.parametrize("extra", EXTRAS)
def test_the_lock_has_what_each_extra_asks_for(extra):
    locked = _locked(extra) | {"torch": "2.13.0"}
    for requirement in map(Requirement, PROJECT["dependencies"] + EXTRAS[extra]):
        name = _name(str(requirement))
        assert name == "windtunnel" or requirement.specifier.contains(locked[name]), f"{requirement}: run `make lock`"


def test_the_lock_names_no_machine():
    locked = _locked(*EXTRAS)
    assert not [name for name in locked if name.startswith(("nvidia", "cuda", "triton"))]
    assert not [version for version in locked.values() if "+" in version]


def test_the_lock_has_hashes_of_everything_but_torch():
    entries = re.findall(r"^[a-z0-9].*?(?=^[a-z0-9]|\Z)", LOCK, re.MULTILINE | re.DOTALL)
    assert len(entries) > 200
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == ["torch==2.13.0"]
    assert needed(LOCK, {"torch"}, hashes=False) == "torch==2.13.0\n"
    assert needed(LOCK, {"server", "report", "build"}, hashes=False) == ""


def test_each_extra_gets_what_it_needs_and_no_more():
    assert "apache-airflow" not in _locked("trainer", "azure", "front")
    assert not {"onnxruntime", "scikit-learn", "matplotlib", "pytest"} & set(_locked("server"))
    assert {"sympy", "filelock", "onnx", "pydantic"} <= set(_locked("torch"))
    assert {"hatchling", "editables", "pydantic"} <= set(_locked("build"))
    assert set(_locked("all")) < set(_locked("all", "dev")) < set(_locked(*EXTRAS))


@pytest.mark.slow
@pytest.mark.parametrize("tampered", [False, True])
def test_a_tampered_package_is_not_installed(tmp_path, tampered):
    wheel = tmp_path / "somebodys-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as content:
        content.writestr("somebodys.py", "")
        content.writestr("somebodys-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: somebodys\nVersion: 1.0\n")
        content.writestr("somebodys-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        content.writestr("somebodys-1.0.dist-info/RECORD", "")
    digest = sha256(wheel.read_bytes()).hexdigest()
    if tampered:
        with zipfile.ZipFile(wheel, "a") as content:
            content.writestr("more.py", "")
    project = tmp_path / "project"
    shutil.copytree(ROOT / "scripts", project / "scripts")
    entry = f"somebodys==1.0 \\\n    --hash=sha256:{digest}\n    # base\n"
    (project / "requirements.lock").write_text(entry)
    environment = clean_environment(PIP_NO_INDEX="1", PIP_FIND_LINKS=tmp_path, PYTHON=sys.executable)
    command = [project / "scripts" / "install", tmp_path / "venv", "all"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode != 0  # there is nothing else to install
    assert ("DO NOT MATCH THE HASHES" in done.stderr) == tampered
    assert bool(list((tmp_path / "venv").rglob("somebodys.py"))) != tampered


def _locked(*extras):
    """Versions by name of what the extras need, but for packages without hashes."""
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", needed(LOCK, set(extras)), re.MULTILINE))


def _name(requirement):
    return re.match(r"[A-Za-z0-9._-]+", requirement)[0].lower().replace("_", "-")
