"""The JSON Schema of a definition's file, by which editors complete fields, explain them and mark mistakes."""

import json
from typing import Any

from windtunnel.definition.fleet import KIND, Fleet
from windtunnel.definition.model import LAUNCHERS, Definition
from windtunnel.space import KINDS, Custom, Parameter
from windtunnel.space.base import ANY_PARAMETER
from windtunnel.strategies import strategy_class, strategy_names

COMMON = tuple(Parameter.model_fields)  # fields that every parameter has
_DOTTED = r"^\w+(\.\w+)+$"


def json_schema() -> dict[str, Any]:
    """The schema of a search's file, as plain JSON values."""
    schema = _schema_of(Definition)
    schema["required"].remove("workload")  # a script stands for one
    schema["oneOf"] = [{"required": ["workload"]}, {"required": ["script"]}]
    properties, definitions = schema["properties"], schema["$defs"]
    properties["script"]["anyOf"].insert(0, {"type": "string"})
    properties["space"] |= {"anyOf": [_space_schema(definitions), {"type": "null"}]}
    _type_options(definitions)
    return schema


def fleet_schema() -> dict[str, Any]:
    """The schema of a fleet's file, as plain JSON values."""
    schema = _schema_of(Fleet)
    split = schema["$defs"]["Split"]
    schema["oneOf"] = [{"required": [name]} for name in ("workload", "script", "entry_script")]
    schema["properties"]["script"]["anyOf"].insert(0, {"type": "string"})
    split["oneOf"] = [{"required": [name]} for name in ("by", "rows", "keys")]
    return schema


def schema_text(kind: str = "search") -> str:
    """The schema of a kind of definition, `search` or `fleet`, as the file that is committed beside the definitions."""
    schema = fleet_schema() if kind == KIND else json_schema()
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _schema_of(model: type[Definition | Fleet]) -> dict[str, Any]:
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **model.model_json_schema()}
    schema["required"] = [field for field in schema["required"] if field != "name"]  # the file's stem is the default
    schema["properties"]["launcher"]["enum"] = list(LAUNCHERS)
    return schema


def _space_schema(definitions: dict[str, Any]) -> dict[str, Any]:
    """Parameters by name, each of one of the kinds; a list is short for its choices, a mapping for a dict."""
    for kind, parameter in KINDS.items():
        definitions[parameter.__name__] = _parameter_schema(parameter, {"const": kind})
    definitions[Custom.__name__] = _parameter_schema(Custom, {"type": "string", "pattern": _DOTTED})
    every: list[type[Parameter]] = [*KINDS.values(), Custom]
    kinds = [{"$ref": f"#/$defs/{parameter.__name__}"} for parameter in every]
    choices = {"type": "array", "minItems": 1, "description": "The choices of a categorical parameter."}
    parameters = {
        "type": "object",
        "minProperties": 1,
        "propertyNames": {"pattern": "^[A-Za-z_][A-Za-z0-9_]*$"},
        "additionalProperties": {"$ref": "#/$defs/Parameter"},
    }
    definitions["Parameter"] = {"anyOf": [*kinds, choices, parameters]}
    return parameters


def _parameter_schema(parameter: type[Parameter], kind: dict[str, Any]) -> dict[str, Any]:
    """A kind's own fields, then those that every parameter has."""
    described = parameter.model_json_schema()
    fields = described["properties"]
    own = {name: field for name, field in fields.items() if name not in COMMON}
    described["properties"] = {"type": kind} | own | {name: fields[name] for name in COMMON if name != "type"}
    described["required"] = ["type", *(name for name in described.get("required", []) if name != "type")]
    return _with_references(described)  # type: ignore[no-any-return]


def _with_references(schema: Any) -> Any:
    """The schema with a reference wherever a parameter may stand."""
    if schema == ANY_PARAMETER:
        return {"$ref": "#/$defs/Parameter"}
    if isinstance(schema, dict):
        return {name: _with_references(part) for name, part in schema.items()}
    return [_with_references(part) for part in schema] if isinstance(schema, list) else schema


def _type_options(definitions: dict[str, Any]) -> None:
    """Give each strategy that comes with Windtunnel the type of its options; one's own takes any."""
    choice = definitions["StrategyChoice"]
    names = [{"enum": strategy_names()}, {"type": "string", "pattern": _DOTTED}]
    choice["properties"]["name"] |= {"anyOf": names}
    choice |= {"type": ["object", "string"], "anyOf": [{"type": "object"}, *names]}
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
