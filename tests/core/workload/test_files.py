"""What a workload's source is: its own module and all of its own folder that it imports, and nothing else."""

import sys

import pytest

from windtunnel.errors import WorkloadError
from windtunnel.workload.files import code_digest, source_of


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder on Python's path."""
    monkeypatch.syspath_prepend(str(tmp_path / "modules"))
    monkeypatch.setattr(sys, "modules", sys.modules.copy())
    return tmp_path / "modules"


def write(folder, files):
    for name, text in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


HELPERS = {
    "wt_blocks.py": "import wt_sizes\n",
    "wt_sizes.py": "WIDTH = 8\n",
    "wt_other.py": "",
    "wt_nets/__init__.py": "",
    "wt_nets/mlp.py": "from . import base\n",
    "wt_nets/base.py": "",
    "wt_nets/unused.py": "",
}


@pytest.mark.parametrize(
    ("text", "imported"),
    [
        ("", []),
        ("import wt_sizes", ["wt_sizes.py"]),
        ("import wt_blocks as blocks", ["wt_blocks.py", "wt_sizes.py"]),
        ("import wt_nets.base", ["wt_nets/__init__.py", "wt_nets/base.py"]),
        ("from wt_nets import mlp", ["wt_nets/__init__.py", "wt_nets/base.py", "wt_nets/mlp.py"]),
        ("def train():\n    from wt_nets.base import Net", ["wt_nets/__init__.py", "wt_nets/base.py"]),
        ("import importlib\nimportlib.import_module('wt_sizes')", ["wt_sizes.py"]),
        ("from wt_nets import *", [name for name in HELPERS if name.startswith("wt_nets/")]),
        ("import os, random, numpy, windtunnel, wt_missing", []),
        ("this is no Python", []),
    ],
)
def test_what_a_module_imports_from_its_folder_is_its_source(folder, text, imported):
    write(folder, HELPERS | {"wt_mine.py": text})
    assert list(source_of("wt_mine")) == sorted(["wt_mine.py", *imported])
    assert not {name for name in sys.modules if name.startswith("wt_")}


def test_in_a_package_it_is_what_is_imported_and_the_packages_on_the_way(folder):
    write(
        folder,
        {
            "wt_team/__init__.py": "",
            "wt_team/shared/__init__.py": "from .sizes import WIDTH",
            "wt_team/shared/sizes.py": "",
            "wt_team/searches/mlp.py": "from ..shared import WIDTH\nfrom ...beyond import nothing",
            "wt_team/searches/other.py": "",
            "wt_common.py": "",
        },
    )
    names = ["wt_team/__init__.py", "wt_team/searches/mlp.py", "wt_team/shared/__init__.py", "wt_team/shared/sizes.py"]
    assert list(source_of("wt_team.searches.mlp")) == names


def test_of_a_workload_that_is_a_package_all_modules_count(folder):
    write(
        folder,
        {
            "wt_pack/__init__.py": "",
            "wt_pack/a.py": "import wt_common",
            "wt_pack/deep/b.py": "",
            "wt_pack/data.json": "{}",
            "wt_pack/.git/hook.py": "",
            "wt_pack/.env/secret.py": "",
            "wt_pack/venv/pyvenv.cfg": "",
            "wt_pack/venv/lib.py": "",
            "wt_common.py": "",
        },
    )
    assert list(source_of("wt_pack")) == ["wt_common.py", "wt_pack/__init__.py", "wt_pack/a.py", "wt_pack/deep/b.py"]


def test_modules_imported_by_names_made_at_run_time_come_with_their_package(folder):
    write(
        folder,
        {
            "wt_zoo/__init__.py": "",
            "wt_zoo/mine.py": "from importlib import import_module\nimport_module(f'wt_zoo.{1}')",
            "wt_zoo/cat.py": "",
        },
    )
    assert list(source_of("wt_zoo.mine")) == ["wt_zoo/__init__.py", "wt_zoo/cat.py", "wt_zoo/mine.py"]


def test_no_link_out_of_the_folder_is_followed(folder, tmp_path):
    write(tmp_path / "elsewhere", {"wt_far.py": "", "far/__init__.py": ""})
    write(folder, {"wt_mine.py": "import wt_far, wt_linked.x, wt_near", "real.py": ""})
    (folder / "wt_far.py").symlink_to(tmp_path / "elsewhere" / "wt_far.py")
    (folder / "wt_linked").symlink_to(tmp_path / "elsewhere" / "far")
    (folder / "wt_near.py").symlink_to("real.py")
    assert list(source_of("wt_mine")) == ["wt_mine.py", "wt_near.py"]


def test_of_an_installed_workload_only_its_own_package_counts(tmp_path, monkeypatch):
    installed = tmp_path / "site-packages"
    monkeypatch.syspath_prepend(str(installed))
    write(installed, {"wt_inst/__init__.py": "import wt_library, wt_inst.own", "wt_inst/own.py": ""})
    write(installed, {"wt_library.py": ""})
    assert list(source_of("wt_inst")) == ["wt_inst/__init__.py", "wt_inst/own.py"]


def test_the_trainers_own_workloads_are_of_the_trainer_what_they_share():
    names = list(source_of("windtunnel_trainer.workloads.cnn"))
    assert "windtunnel_trainer/workloads/images.py" in names
    assert not [name for name in names if not name.startswith("windtunnel_trainer/workloads/")]


def test_the_digest_changes_with_a_helper_and_not_with_the_place(folder, tmp_path, monkeypatch):
    write(folder, HELPERS | {"wt_mine.py": "import wt_blocks"})
    digest = code_digest(source_of("wt_mine"))
    write(folder, {"wt_other.py": "changed = True"})
    assert code_digest(source_of("wt_mine")) == digest
    monkeypatch.syspath_prepend(str(folder.rename(tmp_path / "moved")))
    assert code_digest(source_of("wt_mine")) == digest
    write(tmp_path / "moved", {"wt_sizes.py": "WIDTH = 16\n"})
    assert code_digest(source_of("wt_mine")) != digest


@pytest.mark.parametrize("name", ["wt_nowhere", "wt_nets.nowhere", "sys", "", "os"])
def test_a_workload_without_source_is_refused(folder, name):
    write(folder, HELPERS)
    with pytest.raises(WorkloadError, match="cannot be found: is its folder on PYTHONPATH"):
        source_of(name)
