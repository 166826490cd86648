"""A workload's settings as a checked model, so that a typing mistake is an error and not a default."""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from windtunnel.errors import WorkloadError

M = TypeVar("M", bound="Options")


class Options(BaseModel):
    """Base of settings: frozen, and unknown fields are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def checked(kind: type[M], values: Mapping[str, Any], field: str) -> M:
    """The settings as their model.

    Args:
        kind: of settings.
        values: as the definition has them.
        field: of the definition that holds them, for the message.

    Raises:
        WorkloadError: a value is wrong, missing or unknown; the message names it.
    """
    try:
        return kind.model_validate(dict(values))
    except ValidationError as error:
        faults = "; ".join(
            f"{field}.{'.'.join(map(str, fault['loc']))}: {fault['msg']} (found {fault['input']!r})"
            for fault in error.errors()
        )
        raise WorkloadError(f"{faults}. The fields of {field} are {', '.join(kind.model_fields)}") from None
