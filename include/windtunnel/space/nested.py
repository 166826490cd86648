"""Parameters within parameters, as fields of their sections."""

from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

from windtunnel.errors import DefinitionError
from windtunnel.section import InnerFaultsError
from windtunnel.space.parameter import Parameter

# Stands in the JSON Schema for any parameter; `windtunnel.definition.schema` puts a reference in its place.
ANY_PARAMETER = {"type": "parameter"}


def _read(written: Any) -> Parameter:
    from windtunnel.space.reading import read_parameter  # the kinds, of which those with parts import this module

    try:
        return read_parameter(written)
    except DefinitionError as error:
        raise InnerFaultsError(error.faults) from None


Nested = Annotated[Parameter, BeforeValidator(_read), WithJsonSchema(ANY_PARAMETER)]
