"""The documentation's commands, definitions, excerpts and links are true.

A fenced block says after its language how it is tested:

    sh slow                   its commands succeed, in the slow tests
    sh ci                     .ci/run gives each of its commands
    sh tested-by=test_name    a test of that name does what it says
    yaml check=definition     it is a right definition; with `path=folder`, its workload is found there, with
                              `beside=a.py,b.py` these files beside it
    yaml check=space          it is a right space, which can be drawn from; `path` as above
    python file=path          it is that file, whole
    python excerpt=path       it stands in that file
    python in=folder          as a file of that folder it runs, in the slow tests
    python runs               it runs, and what it asserts is so

A block of commands, of YAML or of Python without such a word fails the tests.
"""

import random
import re
import shutil
import subprocess
import sys
from pathlib import Path
from textwrap import indent

import pytest

from scripts import definition_page
from tests.installed import MAKE, ROOT, clean_environment, run
from windtunnel.definition import load_any
from windtunnel.space import Space
from windtunnel_airflow.environment import airflow_environment

PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(?P<language>sh|yaml|python)(?P<words>[^\n]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(language, word):
    """The blocks of a language with such a word: their marks and their text, named by page and line."""
    found = []
    for page in PAGES:
        content = page.read_text()
        for block in BLOCK.finditer(content):
            marks = dict(mark.partition("=")[::2] for mark in block["words"].split())
            if block["language"] == language and word in marks:
                name = f"{page.name}:{content.count(chr(10), 0, block.start()) + 1}"
                found.append(pytest.param(marks, block["text"], id=name))
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_block_is_tested(page):
    known = {"slow", "ci", "tested-by", "check", "path", "beside", "file", "excerpt", "in", "runs"}
    for block in BLOCK.finditer(page.read_text()):
        words = {word.partition("=")[0] for word in block["words"].split()}
        assert words & known, f"{page.name}: nothing tests\n{block[0]}"
        assert words <= known, f"{page.name}: {block['words']}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
        assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_every_page_is_within_reach():
    linked = {
        (page.parent / target).resolve()
        for page in PAGES
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())
    }
    assert [page.name for page in PAGES if page not in linked and page.name != "README.md"] == []


@pytest.mark.slow
@pytest.mark.parametrize(("marks", "text"), blocks("sh", "slow"))
def test_slow_commands(marks, text, tmp_path):
    execute(text, tmp_path)


@pytest.mark.parametrize(("marks", "text"), blocks("sh", "ci"))
def test_commands_of_the_checks(marks, text):
    checks = (ROOT / ".ci" / "run").read_text()
    for command in text.splitlines():
        assert re.search(rf"{re.escape(command)}( |\n)", checks), f".ci/run does not give {command!r}"


@pytest.mark.parametrize(("marks", "text"), blocks("sh", "tested-by"))
def test_commands_that_another_test_covers(marks, text):
    sources = [file.read_text() for file in (ROOT / "tests").rglob("test_*.py")]
    assert any(f"def {marks['tested-by']}(" in source for source in sources)


@pytest.mark.parametrize(("marks", "text"), blocks("yaml", "check"))
def test_definitions(marks, text, tmp_path, monkeypatch):
    if marks["check"] == "space":
        text = (
            f"workload: windtunnel_trainer.workloads.cnn\nobjectives: {{flops: minimize}}\nspace:\n{indent(text, '  ')}"
        )
    monkeypatch.syspath_prepend(str(ROOT / marks.get("path", ".")))
    file = tmp_path / "example.yaml"
    file.write_text(text)
    for name in filter(None, marks.get("beside", "").split(",")):
        (tmp_path / name).touch()
    shutil.copy(ROOT / "include" / "pod_template.yaml", tmp_path)  # found beside a definition that needs one
    definition = load_any(file)
    if marks["check"] == "space":
        space = Space.parse(definition.space)
        assert all(space.contains(params) for params in (space.sample(random.Random(0)), space.default()))


@pytest.mark.parametrize(("marks", "text"), blocks("python", "file"))
def test_whole_files(marks, text):
    assert text == (ROOT / marks["file"]).read_text()


@pytest.mark.parametrize(("marks", "text"), blocks("python", "excerpt"))
def test_excerpts(marks, text):
    assert text in (ROOT / marks["excerpt"]).read_text()


@pytest.mark.parametrize(("marks", "text"), blocks("python", "runs"))
def test_examples_run(marks, text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "example.py").write_text(text)
    run(sys.executable, "example.py", env=clean_environment(XDG_CACHE_HOME=tmp_path / "cache"))


@pytest.mark.slow
@pytest.mark.parametrize(("marks", "text"), blocks("python", "in"))
def test_dag_files(marks, text, tmp_path):
    environment = clean_environment(**airflow_environment(tmp_path, tmp_path))
    program = f"exec({text!r}, {{'__file__': {str(ROOT / marks['in'] / 'example.py')!r}}})"
    run(sys.executable, "-c", program, env=environment)


def test_the_definitions_tables_are_up_to_date():
    text = definition_page.PAGE.read_text()
    assert text == definition_page.page(text), "run `make schema`"
    text = definition_page.FLEETS.read_text()
    assert text == definition_page.fleets_page(text), "run `make schema`"


def execute(text, folder):
    """Run a block's commands as a reader would, with this Python's programs and without installing anything."""
    programs = Path(sys.executable).parent
    script = text.replace(".venv/bin/", f"{programs}/")
    script = re.sub(r"^make ", " ".join(MAKE) + " ", script, flags=re.MULTILINE)
    environment = clean_environment(WINDTUNNEL_STORE=folder / "runs")
    done = subprocess.run(
        ["bash", "-euc", script], cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    assert done.returncode == 0, f"{text}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
