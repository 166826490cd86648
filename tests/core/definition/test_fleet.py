"""A fleet's definition: names that Azure's users know, errors by line, and a schema that agrees."""

import json

import jsonschema
import pytest

from windtunnel.cli import main
from windtunnel.definition import Definition, Fleet, load_any, load_definition, load_fleet
from windtunnel.definition.schema import fleet_schema
from windtunnel.errors import DefinitionError

AZURE = """kind: fleet
data: raw_data.csv
split:
  keys: [tenant_id]
  name: tenant_{tenant_id}.csv
entry_script: training.py
program_arguments: --param_1 4 --out ${{outputs.predictions}}
environment_variables: {env_var_1: hello}
mini_batch_size: 1
retry_settings: {max_retries: 2, timeout: 60}
mini_batch_error_threshold: -1
error_threshold: -1
gather:
  append_row_to: predictions.csv
  outputs: {predictions: ""}
limits: {parallel: 2, slots: 2}
"""


@pytest.fixture
def file(tmp_path):
    (tmp_path / "training.py").write_text("def run(mini_batch):\n    return mini_batch\n")
    file = tmp_path / "tenants.yaml"
    file.write_text(AZURE)
    return file


def faults(file, text):
    file.write_text(text)
    with pytest.raises(DefinitionError) as error:
        load_fleet(file)
    return str(error.value).replace(f"{file}:", "").splitlines()


def test_a_file_says_by_its_kind_that_it_is_a_fleets(file, monkeypatch):
    fleet = load_any(file)
    assert isinstance(fleet, Fleet)
    assert (fleet.name, fleet.limits.parallel, fleet.retry_settings.timeout) == ("tenants", 2, 60)
    assert fleet.data == str(file.parent / "raw_data.csv")
    assert fleet.entry_script == str(file.parent / "training.py")
    monkeypatch.setenv("WINDTUNNEL_DATA", "/elsewhere")
    assert load_fleet(file).data == "/elsewhere/raw_data.csv"


def test_an_output_without_a_scheme_lies_beside_the_file(file):
    text = AZURE.replace('{predictions: ""}', '{here: "", folder: kept/rows, far: azure://container/rows}')
    text = text.replace("outputs.predictions", "outputs.here")
    file.write_text(text)
    found = load_fleet(file).gather.outputs
    assert found == {"here": "", "folder": str(file.parent / "kept/rows"), "far": "azure://container/rows"}


@pytest.mark.parametrize(("name", "allowed"), [("training_log.txt", True), ("batches.csv", False), ("a/b.csv", False)])
def test_the_gathered_file_may_have_any_name_but_those_of_its_neighbours(file, name, allowed):
    text = AZURE.replace("predictions.csv", name)
    if allowed:
        file.write_text(text)
        assert load_fleet(file).gather.append_row_to == name
    else:
        assert "gather.append_row_to" in "\n".join(faults(file, text))


@pytest.mark.parametrize(("arguments", "warned"), [("{flags}", True), ("--data={data} {flags}", False)])
def test_a_script_that_is_never_told_its_file_is_warned_of(file, capsys, arguments, warned):
    script = f"script: {{file: training.py, arguments: '{arguments}'}}"
    file.write_text(f"kind: fleet\ndata: raw_data.csv\nsplit: {{by: files}}\n{script}\n")
    assert main(["validate", str(file)]) == 0
    warning = "warning: script.arguments: training.py is never told which file its partition is: write {data}"
    assert (warning in capsys.readouterr().out) == warned


def test_a_search_is_read_beside_fleets():
    assert isinstance(load_any("include/searches/digits_cnn.yaml"), Definition)
    with pytest.raises(DefinitionError, match=r"nope\.yaml"):
        load_definition("nope.yaml")


def test_every_mistake_is_named_with_its_line(file):
    text = AZURE.replace("split:\n  keys: [tenant_id]", "split:\n  rows: 3\n  keys: [tenant_id]")
    assert faults(file, text) == ["3: split: found rows and keys; allowed: one of by, rows, keys"]
    assert faults(file, AZURE.replace("training.py", "missing.py")) == [
        f"6: entry_script: there is no file {file.parent}/missing.py"
    ]
    assert faults(file, AZURE.replace("{tenant_id}", "{tenant}"))[0].startswith("5: split.name: found")
    assert faults(file, AZURE.replace("error_threshold: -1", "error_threshold: -2")) == [
        "11: mini_batch_error_threshold: found -2; allowed: at least -1",
        "12: error_threshold: found -2; allowed: at least -1",
    ]
    assert faults(file, AZURE + "workload: json\n") == [
        "6: entry_script: found workload and entry_script; allowed: one of workload, script, entry_script"
    ]
    assert faults(file, AZURE.replace("mini_batch_size", "minibatch_size"))[0].startswith(
        "9: minibatch_size: no such field (did you mean 'mini_batch_size'?)"
    )


@pytest.mark.parametrize(
    ("was", "given", "fault"),
    [
        ("kind: fleet", "kind: fleets", '1: kind: found "fleets"; allowed: fleet; a search\'s file has none'),
        ("raw_data.csv", '""', '2: data: found ""; allowed: a file, a folder, or a pattern of files'),
        ("[tenant_id]", "[tenant_id, tenant_id]", '4: split.keys[1]: found "tenant_id" twice; allowed: each column'),
        ("--param_1 4", "--param_1 'x", '7: program_arguments: found "--param_1 \'x --out ${{outputs.predictions}}"'),
        ("predictions}}", "other}}", '7: program_arguments: found "${{outputs.other}}"; allowed: ${{outputs.predic'),
        ("env_var_1: hello", '"a=b": hello', '8: environment_variables.a=b: found "a=b"; allowed: a name without'),
        ("env_var_1: hello", '"": hello', '8: environment_variables.: found ""; allowed: a name without'),
        ("env_var_1: hello", 'a: "x\\0"', "8: environment_variables.a: found"),
        ('predictions: ""', 'predictions: "ftp://x"', '15: gather.outputs.predictions: found "ftp://x"; allowed: a f'),
        ("mini_batch_size: 1", "partition_keys: [a]", "9: partition_keys: is Azure's word; here it is split.keys"),
    ],
)
def test_what_would_only_fail_in_a_lane_is_named_before_anything_runs(file, was, given, fault):
    file.write_text(AZURE.replace(was, given, 1))
    with pytest.raises(DefinitionError) as error:
        load_any(file)
    (line,) = str(error.value).replace(f"{file}:", "").splitlines()
    assert line.startswith(fault)


def test_an_evaluation_that_is_neither_beside_the_entry_script_nor_on_the_path_is_warned_of(file):
    file.write_text(AZURE + "evaluation: judge_of_tenants:f\n")
    (warning,) = load_fleet(file).warnings
    assert warning.startswith("evaluation: module 'judge_of_tenants' cannot be found: is its folder on PYTHONPATH")
    (file.parent / "judge_of_tenants.py").write_text("def f(table):\n    return {}\n")
    assert load_fleet(file).warnings == []


def test_the_schema_takes_what_the_reader_takes(file):
    from windtunnel.definition.document import Document

    schema = fleet_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(Document(file).data, schema)
    for wrong in (
        {"split": {"rows": 1, "keys": ["a"]}},
        {"error_threshold": -2},
        {"kind": "search"},
        {"workload": "m"},
    ):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(Document(file).data | wrong, schema)


def test_the_schema_beside_the_definitions_is_up_to_date(capsys):
    assert main(["schema", "--kind", "fleet", "--check"]) == 0
    assert main(["schema", "-", "--kind", "fleet"]) == 0
    assert json.loads(capsys.readouterr().out) == fleet_schema()


def test_validate_says_what_a_fleet_does(file, capsys):
    assert main(["validate", str(file)]) == 0
    assert "one model for each partition of" in capsys.readouterr().out
