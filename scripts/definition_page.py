"""Writes the tables of docs/definition.md and docs/fleets.md from the definitions' JSON Schemas: `make schema`.

What stands above the mark in a page is written by hand; what stands below it is made here.
"""

from pathlib import Path
from typing import Any

from windtunnel.definition.schema import COMMON, fleet_schema, json_schema
from windtunnel.space import KINDS

DOCS = Path(__file__).resolve().parent.parent / "docs"
PAGE, FLEETS = DOCS / "definition.md", DOCS / "fleets.md"
MARK = "<!-- From here on the page is made by `make schema`. -->\n"
_TYPES = {
    "object": "mapping",
    "array": "list",
    "string": "text",
    "integer": "whole number",
    "boolean": "true or false",
}

Schema = dict[str, Any]


def page(text: str) -> str:
    """The page with its tables made anew."""
    return text.partition(MARK)[0] + MARK + tables(json_schema())


def fleets_page(text: str) -> str:
    """The page of fleets with its tables made anew; what fleets share with searches stands in the other page."""
    schema = fleet_schema()
    own = {"Split": "`split`", "Gather": "`gather`", "RetrySettings": "`retry_settings`", "FleetLimits": "`limits`"}
    parts = [("The file", schema), *((title, schema["$defs"][name]) for name, title in own.items())]
    return text.partition(MARK)[0] + MARK + "".join(_table(title, section) for title, section in parts)


def tables(schema: Schema) -> str:
    """A table of the definition's own fields, and one for each section."""
    return "".join(_table(title, section) for title, section in _sections(schema))


def _sections(schema: Schema) -> list[tuple[str, Schema]]:
    """Every section by its heading: the whole file, sections by their field, parameters, strategies' options."""
    parts: dict[str, Schema] = schema["$defs"]
    named = {
        field["$ref"].rpartition("/")[2]: f"`{name}`" for name, field in schema["properties"].items() if "$ref" in field
    }
    named["Script"] = "`script`"
    named["Constraint"] = "`constraints`, each"
    for rule in parts["StrategyChoice"]["allOf"]:
        options = rule["then"]["properties"]["options"]["$ref"].rpartition("/")[2]
        named[options] = f"`strategy.options` of `{rule['if']['properties']['name']['const']}`"
    for name, part in parts.items():
        if kind := part.get("properties", {}).get("type", {}).get("const"):
            named[name] = f"`space`, a parameter of `type: {kind}`"
    named["Custom"] = "`space`, a parameter of `type: my_module.MyClass`"
    named["Parameter"] = "`space`, every parameter"
    parts = parts | _parameters(parts)
    order = sorted((name for name in named), key=lambda name: (named[name].startswith("`s"), named[name]))
    return [("The file", schema), *((named[name], parts[name]) for name in order)]


def _parameters(parts: dict[str, Schema]) -> dict[str, Schema]:
    """The kinds with their own fields, and as one part those that all have."""
    common = {name: field for name, field in parts["Bool"]["properties"].items() if name in COMMON}
    separate: dict[str, Schema] = {"Parameter": {"description": "Of whatever type.", "properties": common}}
    for name in [*(kind.__name__ for kind in KINDS.values()), "Custom"]:
        own = {field: schema for field, schema in parts[name]["properties"].items() if field not in COMMON}
        separate[name] = parts[name] | {"properties": own}
    return separate


def _table(title: str, section: Schema) -> str:
    fields = {name: field for name, field in section["properties"].items() if "const" not in field}
    text = f"\n### {title}\n\n{section['description']}\n"
    if not fields:
        return text
    text += "\n| Field | Type | Default | Meaning |\n| --- | --- | --- | --- |\n"
    for name, field in fields.items():
        default = "required" if name in section.get("required", []) else _default(field)
        text += f"| `{name}` | {_type(field)} | {default} | {_cell(field.get('description', ''))} |\n"
    return text


def _type(field: Schema) -> str:
    if "$ref" in field:
        return "parameter" if field["$ref"].endswith("/Parameter") else "section"
    if "enum" in field:
        return " or ".join(f"`{value}`" for value in field["enum"])
    if "anyOf" in field and "type" not in field:
        kinds = [_type(kind) for kind in field["anyOf"] if kind.get("type") != "null"]
        return ", or ".join(dict.fromkeys(kinds))
    if "type" not in field:
        return "any value"
    return f"{_TYPES.get(field['type'], field['type'])}{_bounds(field)}"


def _bounds(field: Schema) -> str:
    words = {"exclusiveMinimum": "above", "minimum": "at least", "maximum": "at most"}
    return "".join(f", {word} {field[key]}" for key, word in words.items() if abs(field.get(key, 1e12)) < 1e9)


def _default(field: Schema) -> str:
    if field.get("default") in (None, "", {}, []):
        return ""
    return "see below" if "$ref" in field else f"`{field['default']}`".lower()


def _cell(text: str) -> str:
    text = text.replace("|", "\\|")
    return text[:1].upper() + text[1:]


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    FLEETS.write_text(fleets_page(FLEETS.read_text(encoding="utf-8")), encoding="utf-8")
