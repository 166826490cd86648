"""The first examples of other tools, as docs/coming-from.md has them: each script is searched by its definition."""

import re

import pytest

from tests.examples.performed import perform_file, trials
from tests.installed import ROOT
from windtunnel.ledger import State

PAGE = (ROOT / "docs" / "coming-from.md").read_text()
BLOCK = re.compile(r"^```(yaml check=definition beside=train.py|python runs)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def ports():
    """Each section that has both a script and its definition."""
    for section in PAGE.split("\n## ")[1:]:
        found = {kind[:4]: text for kind, text in BLOCK.findall(section)}
        if len(found) == 2:
            yield pytest.param(found["yaml"], found["pyth"], id=section.partition("\n")[0].split()[0])


def test_three_tools_have_a_script():
    assert [port.id for port in ports()] == ["Vertex", "Katib", "W&B"]


@pytest.mark.slow
@pytest.mark.parametrize(("definition", "script"), [*ports()])
def test_each_is_searched(definition, script, tmp_path):
    (tmp_path / "train.py").write_text(script)
    (tmp_path / "port.yaml").write_text(definition)
    search = perform_file(
        tmp_path / "port.yaml",
        tmp_path / "runs",
        iterations=1,
        trials={"initial": 3},
        limits={"parallel": 2},
        stopping={},
    )
    assert len(trials(search)) >= 3
    assert {trial["state"] for trial in trials(search)} == {State.COMPLETED}
    assert len({trial[f"objectives.{name}"] for trial in trials(search) for name in search.best.objectives}) > 1
