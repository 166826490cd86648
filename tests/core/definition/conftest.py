import textwrap

import pytest

GOOD = {
    "name": "good",
    "workload": "tests.workloads.formula",
    "space": {"x": {"type": "int", "low": 1, "high": 4}, "y": [1, 2, 3]},
    "objectives": {"quality": "maximize", "cost": "minimize"},
}


@pytest.fixture
def write(tmp_path):
    """Write a definition's file and return its path."""

    def write(text, name="search.yaml"):
        file = tmp_path / name
        file.write_text(textwrap.dedent(text))
        return file

    return write
