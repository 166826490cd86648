"""A definition that names a script."""

import textwrap

import pytest

from windtunnel.cli import main
from windtunnel.definition import load_definition, resolve
from windtunnel.definition.program import program_of, workload_of
from windtunnel.definition.script import script_warnings
from windtunnel.errors import DefinitionError
from windtunnel.workload.files import SCRIPT


@pytest.fixture
def load(tmp_path):
    def read(text, **files):
        for name, content in {"train.py": "import argparse  # lr, seed\n", **files}.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(content)
        file = tmp_path / "search.yaml"
        file.write_text(textwrap.dedent(text))
        return load_definition(file)

    return read


SHORTEST = """\
script: train.py
space: { lr: { type: float, low: 0.0, high: 1.0 } }
objectives: { accuracy: maximize }
"""


def test_three_lines_are_a_search(load, tmp_path):
    definition = resolve(load(SHORTEST))
    assert (definition.workload, definition.program) == (SCRIPT, "train.py")
    assert definition.script.folder == str(tmp_path)
    assert program_of(definition).keys() == {"train.py"}
    assert workload_of(definition).verify is None


def test_without_epochs_nothing_is_retrained(load):
    assert load(SHORTEST).epochs.full == load(SHORTEST).epochs.partial == 1
    told = load(SHORTEST.replace("train.py", "{ file: train.py, arguments: '{epochs}' }"))
    assert (told.epochs.partial, told.epochs.full) == (1, 10)
    own = load(SHORTEST.replace("train.py", "{ file: train.py, arguments: '{epochs}' }").replace("lr:", "epochs:"))
    assert own.epochs.full == 1  # a parameter of that name is meant


def test_where_the_folder_lies_is_no_part_of_what_a_trial_is(load):
    script = load(SHORTEST).script
    elsewhere = script.model_copy(update={"folder": "/elsewhere", "keep": ["*"], "verify": "check.py"})
    assert elsewhere.identity == script.identity
    assert script.model_copy(update={"arguments": "{lr}"}).identity != script.identity


def test_a_checked_search_verifies(load):
    definition = load(
        SHORTEST.replace("train.py", "{ file: train.py, verify: 'check.py {model}' }"), **{"check.py": ""}
    )
    assert workload_of(definition).verify is not None


@pytest.mark.parametrize(
    ("script", "fault"),
    [
        ("{}", ":1: script.file: is missing; give the script, or a command that needs none"),
        ("missing.py", ":1: script.file: there is no file"),
        ("../train.py", ":1: script.file: there is no file"),
        ("5", ":1: script: found 5; allowed: a mapping of fields to values"),
        ("{ file: train.py, folder: nowhere }", ":1: script.folder: there is no folder"),
        ("{ file: train.py, argument: x }", "script.argument: no such field (did you mean 'arguments'?)"),
        ("{ file: train.py, arguments: '{lrr}' }", "script.arguments: {lrr}: no such placeholder (did you mean 'lr'?)"),
        ("{ file: train.py, arguments: '{lr.__class__}' }", "script.arguments: {lr.__class__}: no such placeholder"),
        ("{ file: train.py, arguments: '{lr' }", 'script.arguments: "{lr": found a brace that holds no name'),
        ('{ file: train.py, arguments: "\'x" }', "cannot be split into words: no closing quotation"),
        ("{ file: train.py, arguments: ['-x={flags}'] }", "allowed: {flags} as a word of its own"),
        ("{ file: train.py, command: '{model}' }", "script.command: {model}: no such placeholder"),
        ("{ file: train.py, environment: { A: '{b}' } }", "script.environment.A: {b}: no such placeholder"),
        ("{ file: train.py, style: '--name' }", 'script.style: found "--name"'),
        ("{ file: train.py, metrics: { accuracy: 'a=[0-9]+' } }", 'script.metrics.accuracy: "a=[0-9]+" has no group'),
        ("{ file: train.py, metrics: { accuracy: '(x' } }", 'script.metrics.accuracy: "(x" is no pattern'),
        ("{ file: train.py, metrics: { accuracy: '(a+)+(b)' } }", "may take for ever"),
        ("{ file: train.py, epoch: 'a=[0-9]+' }", 'script.epoch: "a=[0-9]+" has no group'),
        ("{ file: train.py, keep: [a, ../b] }", 'script.keep[1]: found "../b"'),
        ("{ file: train.py, keep: [/etc/*] }", 'script.keep[0]: found "/etc/*"'),
        ("{ file: train.py, verify: check.py }", "script.verify: there is no file"),
        ("train.py\nworkload: a.b", ":1: script: is given beside workload; allowed: one of them"),
    ],
)
def test_a_fault_names_its_field(load, script, fault):
    with pytest.raises(DefinitionError) as raised:
        load(SHORTEST.replace("train.py", script, 1))
    assert fault in str(raised.value)


def test_a_script_without_a_space_is_told_of_it(load):
    with pytest.raises(DefinitionError, match=r"space: is missing; give it in the definition$"):
        resolve(load("script: train.py\nobjectives: { accuracy: maximize }\n"))


def warned(definition):
    return list(script_warnings(definition.script, definition.model_dump(), program_of(definition)))


def test_a_parameter_that_the_script_is_never_told_is_warned_of(load, capsys, tmp_path):
    definition = load(SHORTEST.replace("train.py", "{ file: train.py, arguments: '--seed {seed}' }"))
    assert warned(definition) == ["script.arguments: train.py is never told of lr: write {lr}, {flags} or {params}"]
    assert main(["validate", str(tmp_path / "search.yaml")]) == 0
    assert "is never told of lr" in capsys.readouterr().out


def test_a_parameter_that_no_file_names_is_warned_of(load):
    (warning,) = warned(load(SHORTEST.replace("lr:", "learning_rate:")))
    assert warning == "train.py and the files beside it never name learning_rate: does it read the parameter?"
    assert warned(load(SHORTEST.replace("lr:", "learning_rate:"), **{"other.py": "'--learning-rate'"})) == []


def test_epochs_that_the_script_is_never_told_are_warned_of(load):
    (warning,) = warned(load(SHORTEST + "epochs: { partial: 2, full: 4 }\n"))
    assert warning == "script.arguments: train.py is never told how far to train: write {epochs}"
    assert warned(load(SHORTEST + "epochs: { partial: 2, full: 2 }\n")) == []
