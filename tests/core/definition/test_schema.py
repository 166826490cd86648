import json
from pathlib import Path

import jsonschema
import pytest

from tests.core.definition.conftest import GOOD
from tests.core.space.spaces import EVERYTHING
from windtunnel.definition.document import Document
from windtunnel.definition.fleet import is_fleet, load_fleet
from windtunnel.definition.load import load_definition, resolve
from windtunnel.definition.schema import json_schema, schema_text

SEARCHES = Path(__file__).parents[3] / "include" / "searches"
FLEETS = [file for file in sorted(SEARCHES.glob("*.yaml")) if is_fleet(Document(file).data)]
FILES = [file for file in sorted(SEARCHES.glob("*.yaml")) if file not in FLEETS]


def mistakes(**fields):
    validator = jsonschema.Draft202012Validator(json_schema())
    return [error.json_path for error in validator.iter_errors({**GOOD, **fields})]


def test_the_committed_schema_is_fresh():
    assert (SEARCHES / "schema.json").read_text() == schema_text(), "run `python -m windtunnel schema`"


def test_the_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(json_schema())


def test_every_field_is_explained():
    schema = json_schema()
    sections = [schema, *schema["$defs"].values()]
    silent = [
        f"{section['title']}.{name}"
        for section in sections
        for name, field in section.get("properties", {}).items()
        if name != "type" and "description" not in field
    ]
    assert silent == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_searches_keep_to_the_schema_and_are_sound(file):
    jsonschema.validate(Document(file).data, json_schema())
    assert resolve(load_definition(file)).name == file.stem
    assert file.read_text().startswith("# yaml-language-server: $schema=schema.json\n")


@pytest.mark.parametrize("file", FLEETS, ids=lambda file: file.stem)
def test_the_fleets_keep_to_their_schema_and_are_sound(file):
    jsonschema.validate(Document(file).data, json.loads((SEARCHES / "fleet.schema.json").read_text()))
    assert load_fleet(file).name == file.stem
    assert file.read_text().startswith("# yaml-language-server: $schema=fleet.schema.json\n")


def test_the_name_may_be_left_to_the_file():
    assert "name" not in json_schema()["required"]


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"iteratons": 3}, "$"),
        ({"iterations": "3"}, "$.iterations"),
        ({"launcher": "nowhere"}, "$.launcher"),
        ({"objectives": {"quality": "up"}}, "$.objectives.quality"),
        ({"space": {"x": {"type": "int", "low": 1}}}, "$.space"),
        ({"space": {"x": {"type": "int", "low": 1, "high": 2, "stp": 1}}}, "$.space"),
        ({"space": {"1x": [1, 2]}}, "$.space"),
        ({"space": {"x": {"type": "list", "of": {"kernel": {"type": "int", "low": 1}}, "length": 2}}}, "$.space"),
        ({"space": {"x": {"type": "one_of", "options": {"a": 3}}}}, "$.space"),
        ({"space": {"x": {"type": "quniform", "min_value": 1, "max_value": 2}}}, "$.space"),
        ({"space": {"x": {"type": "my_module.Graphs", "nodes": 3}}}, "$.space"),
        ({"strategy": {"name": "evolution"}}, "$.strategy.name"),
        ({"strategy": "evolution"}, "$.strategy"),
        ({"strategy": {"options": {"num_crossover": 1}}}, "$.strategy.options"),
        ({"strategy": {"name": "random", "options": {"num_crossovers": 1}}}, "$.strategy.options"),
        ({"limits": {"trial_time": "15 parsecs"}}, "$.limits.trial_time"),
    ],
)
def test_editors_mark_what_loading_refuses(fields, path):
    assert mistakes(**fields) == [path]


def test_editors_take_what_loading_takes():
    assert mistakes() == []
    assert mistakes(space={"x": [1, 2], "y": {"type": "float", "low": 1, "high": 2, "log": True}}) == []
    assert mistakes(space=EVERYTHING) == []
    assert mistakes(space={"x": {"type": "my_module.Graphs", "options": {"nodes": 3}}}) == []
    assert mistakes(strategy={"name": "my_module.MyStrategy", "options": {"anything": 1}}) == []
    assert mistakes(strategy="bayesian") == mistakes(strategy="my_module.MyStrategy") == []
    assert mistakes(limits={"trial_time": "15m", "memory": "2 GiB", "search_time": 90.5}) == []


def test_the_schema_is_plain_json():
    assert json.loads(schema_text()) == json_schema()
