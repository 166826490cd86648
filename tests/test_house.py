"""The house stays small: each rule has one owner, and no file is long. `make count` prints what is held here."""

import re

import pytest

from scripts.count_concepts import LONG, PACKAGES, PRODUCT, ROOT, RULES, copies, count, long_files, sources, verbs

MODULE = '''"""A module."""

LIMIT = 3
_own = 4

class A:
    """A class."""

    def f(self):
        return 1
'''


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_rule_is_stated_by_its_owner(rule):
    assert copies(ROOT, rule) == [], f"{rule.name} is {rule.owner}'s; use it instead of stating it again"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_rule_has_an_owner(rule):
    owners = [file for package in PRODUCT for file in sources(ROOT, package) if str(file).endswith(rule.owner)]
    assert len(owners) == 1


def test_no_file_is_long():
    assert long_files(ROOT) == {}, f"above {LONG} lines"


def test_locals_are_named_after_what_they_hold():
    assert verbs([file for package in PACKAGES for file in sources(ROOT, package)]) == []


def test_a_verb_for_a_noun_is_seen(tmp_path):
    (tmp_path / "a.py").write_text("told, it = 1, 2\nif found := it.found(asked=told):\n    it.said = found\n")
    assert verbs([tmp_path / "a.py"]) == ["a.py:1 told", "a.py:2 found"]


def test_packages_are_counted(tmp_path):
    folder = tmp_path / PACKAGES["core"]
    folder.mkdir(parents=True)
    (folder / "a.py").write_text(MODULE)
    counted = count(sources(tmp_path, "core"))
    assert (counted.modules, counted.classes, counted.names, counted.lines) == (1, 1, 2, 10)
    assert counted.statements == 5  # two assignments, the class, its method, the return


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("which states have values", "if one.state in (State.COMPLETED, State.STOPPED):"),
        ("which direction is better", 'sign = 1 if direction == "maximize" else -1'),
        ("a stage's name", "if name.isdigit():"),
        ("a unit's id", 'base = trial.partition(".r")[0]'),
        ("what a job still owes", "owed = [unit for unit in job.units if unit not in results]"),
        ("trials without a result", "late = [trial for trial in requests if trial not in history.results]"),
        ("how much of a log a result holds", "_LOG_TAIL = 4096  # bytes"),
        ("threads of a trial", "threads = cores() // lanes"),
        ("reading YAML", "data = yaml.safe_load(text)"),
    ],
)
def test_a_copy_is_found_wherever_it_stands(tmp_path, name, line):
    (rule,) = (rule for rule in RULES if rule.name == name)
    for package in PRODUCT:
        folder = tmp_path / PACKAGES[package]
        folder.mkdir(parents=True)
        (folder / "copy.py").write_text(f"x = 1\n{line}\n")
    assert copies(tmp_path, rule) == [f"{PACKAGES[package]}/copy.py:2" for package in PRODUCT]
    assert not re.search(rule.pattern, "x = 1")
