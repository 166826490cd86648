"""A search's definition: the model of its YAML file, and reading it with errors that name the field and the mend."""

from windtunnel.definition.load import (
    OVERRIDES,
    definition_of,
    load_definition,
    recorded_definition,
    resolve,
    with_overrides,
)
from windtunnel.definition.model import Definition

__all__ = [
    "OVERRIDES",
    "Definition",
    "definition_of",
    "load_definition",
    "recorded_definition",
    "resolve",
    "with_overrides",
]
