"""The JSON Schema of a definition's file, by which editors complete fields, explain them and mark mistakes."""

import json
from typing import Any

from windtunnel.definition.model import Definition
from windtunnel.launchers import launcher_names
from windtunnel.space.parameters import KINDS
from windtunnel.strategies import strategy_class, strategy_names


def json_schema() -> dict[str, Any]:
    """The schema, as plain JSON values."""
    schema = Definition.model_json_schema()
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
    schema["required"] = [field for field in schema["required"] if field != "name"]  # the file's stem is the default
    properties, definitions = schema["properties"], schema["$defs"]
    properties["launcher"]["enum"] = launcher_names()
    properties["space"] |= {"anyOf": [_space_schema(definitions), {"type": "null"}]}
    _type_options(definitions)
    return schema


def schema_text() -> str:
    """The schema as the file that is committed beside the searches."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


def _space_schema(definitions: dict[str, Any]) -> dict[str, Any]:
    """Parameters by name, each of one of the kinds; a list is short for its choices."""
    for kind, parameter in KINDS.items():
        described = parameter.model_json_schema()
        described["properties"]["type"] = {"const": kind}
        described["required"] = ["type", *described.get("required", [])]
        definitions[parameter.__name__] = described
    kinds = [{"$ref": f"#/$defs/{parameter.__name__}"} for parameter in KINDS.values()]
    choices = {"type": "array", "minItems": 1, "description": "The choices of a categorical parameter."}
    return {
        "type": "object",
        "minProperties": 1,
        "propertyNames": {"pattern": "^[A-Za-z_][A-Za-z0-9_]*$"},
        "additionalProperties": {"anyOf": [*kinds, choices]},
    }


def _type_options(definitions: dict[str, Any]) -> None:
    """Give each strategy that comes with Windtunnel the type of its options; one's own takes any."""
    choice = definitions["StrategyChoice"]
    dotted = {"type": "string", "pattern": r"^\w+(\.\w+)+$"}
    choice["properties"]["name"] |= {"anyOf": [{"enum": strategy_names()}, dotted]}
    choice["allOf"] = []
    default = choice["properties"]["name"]["default"]
    for name in strategy_names():
        kind = strategy_class(name)
        definitions[kind.__name__] = kind.Options.model_json_schema()
        condition: dict[str, Any] = {"properties": {"name": {"const": name}}}
        if name != default:
            condition["required"] = ["name"]
        options = {"properties": {"options": {"$ref": f"#/$defs/{kind.__name__}"}}}
        choice["allOf"].append({"if": condition, "then": options})
