"""Every rule has one owner: the sources hold no second copy of it."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("include/windtunnel", "trainer/windtunnel_trainer", "plugins/windtunnel_airflow", "benchmarks")

# The rule, what a copy of it looks like, and the file that owns it.
RULES = [
    ("which states have values", r"\(State\.COMPLETED, State\.STOPPED\)", "ledger/records.py"),
    ("which direction is better", r"[=!]= ?[\"']m(ax|in)imize[\"']|[\"']maximize[\"']: (min|max)\b", "direction.py"),
    ("a stage's name", r"\.isdigit\(\)|[\"'](full|prepare)-|\"verify-\{", "ledger/stage.py"),
    ("a unit's id", r"[\"']verify-|\.partition\([\"'](\.r|-e)[\"']\)|r?partition\(\"-e\"\)", "ledger/ids.py"),
    ("an id's parts", r"(?<!def )\bconfig_id\(", "stages/search.py"),
    ("what a job still owes", r"for unit in \w+\.units if unit not in", "ledger/records.py"),
    ("threads", r"cores\(\) ?//|cpu.* // ", "threads.py"),
    ("how much of a log a result holds", r"LOG_TAIL = |tail.*\b\d{4,}\b", "failures.py"),
    ("how much of a log people are shown", r"_LOG = ", "ledger/ledger.py"),
]


@pytest.mark.parametrize(("rule", "copy", "owner"), RULES, ids=[rule for rule, _, _ in RULES])
def test_a_rule_is_written_down_once(rule, copy, owner):
    files = [file for package in PACKAGES for file in sorted((ROOT / package).rglob("*.py"))]
    found = [
        f"{file.relative_to(ROOT)}:{number}: {line.strip()}"
        for file in files
        if not str(file).endswith(owner)
        for number, line in enumerate(file.read_text().splitlines(), 1)
        if re.search(copy, line.partition("  #")[0])
    ]
    assert not found, f"{rule} is {owner}'s to say:\n" + "\n".join(found)
