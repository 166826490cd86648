"""The house stays small: each rule has one owner, and few files are long. `make count` prints what is held here."""

import re

import pytest

from scripts.count_concepts import LONG, PACKAGES, PRODUCT, ROOT, RULES, copies, count, long_files, sources

# Rules that still have copies, and how many at most; a rule that is not named here has none. The numbers only shrink.
COPIES = {
    "a stage's name": 1,
    "stragglers": 4,
    "the furthest trial of a configuration": 1,
    "threads of a trial": 1,
    "lengths of tails": 2,
}
MODULE = '''"""A module."""

LIMIT = 3
_own = 4

class A:
    """A class."""

    def f(self):
        return 1
'''
LONG_FILES = 5  # of which at most two are to be left


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_rule_is_stated_by_its_owner(rule):
    lines = copies(ROOT, rule)
    allowed = COPIES.get(rule.name, 0)
    assert len(lines) <= allowed, f"{rule.name} is {rule.owner}'s; use it instead of stating it again: {lines}"


def test_copies_are_allowed_of_rules_only():
    assert COPIES.keys() <= {rule.name for rule in RULES}


def test_few_files_are_long():
    files = long_files(ROOT)
    assert len(files) <= LONG_FILES, f"above {LONG} lines: {files}"


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
        ("the latest try", 'base = trial.partition(".r")[0]'),
        ("lengths of tails", "_LOG_TAIL = 4096  # bytes"),
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
