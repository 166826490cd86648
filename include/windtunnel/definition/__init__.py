"""The definitions of searches and fleets: models of their YAML files, and errors that name the field and the mend."""

from windtunnel.definition.fleet import Fleet, fleet_of, load_fleet
from windtunnel.definition.load import (
    OVERRIDES,
    definition_of,
    load_any,
    load_definition,
    recorded_definition,
    resolve,
    with_overrides,
)
from windtunnel.definition.model import Definition

__all__ = [
    "OVERRIDES",
    "Definition",
    "Fleet",
    "definition_of",
    "fleet_of",
    "load_any",
    "load_definition",
    "load_fleet",
    "recorded_definition",
    "resolve",
    "with_overrides",
]
