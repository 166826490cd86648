"""Definitions for tests, from their fields as plain values."""

from pathlib import Path

from windtunnel.definition.load import read_fields
from windtunnel.definition.template import with_template
from windtunnel.errors import DefinitionError


def definition_from(fields):
    """The definition that a file with these fields has; `name` must be given."""
    definition, faults = read_fields(with_template(dict(fields), Path()))
    if definition is None or faults:
        raise DefinitionError.of(faults)
    return definition
