"""Reading what people write: models that refuse unknown fields, and faults that say where, what and what instead."""

import ast
import difflib
import inspect
import json
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any, ClassVar, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, GetJsonSchemaHandler, ValidationError
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, ErrorDetails

from windtunnel.errors import DefinitionError

Path = tuple[str | int, ...]

LARGEST = 2**53 - 1  # the largest whole number that all JSON readers agree on (RFC 8785)

# Of a parameter, an objective, a constraint: what may be a keyword argument, and is the same in every file and script.
Name = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=64)]

_EXPECTED = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "string_type": "text (put it in quotes)",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "a mapping of names to values",
    "model_type": "a mapping of fields to values",
    "model_attributes_type": "a mapping of fields to values",
    "literal_error": "{expected}",
    "string_pattern_mismatch": "text that matches {pattern}",
    "string_too_long": "at most {max_length} characters",
    "string_too_short": "at least {min_length} characters",
    "too_short": "{min_length} or more of them",
    "too_long": "{max_length} or fewer of them",
    "greater_than": "above {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "below {lt}",
    "less_than_equal": "at most {le}",
}


class StrictModel(BaseModel):
    """Base of all models of what people write: an unknown field is an error, for it is a typing mistake.

    Types are strict: `"5"` is no number and `true` no count.

    Attributes:
        elsewhere: fields that are not here, as earlier versions or other systems have them; what is said of each.
        missed: fields that must be given, with what is said where one is not.
    """

    elsewhere: ClassVar[dict[str, str]] = {}
    missed: ClassVar[dict[str, str]] = {}

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """The model's JSON Schema, described by the docstrings of its class and its fields, each as one line."""
        schema = handler(core_schema)
        own = handler.resolve_ref_schema(schema)
        fields = own.get("properties", {})
        for name, text in _docstrings(cls).items():
            if name in fields:
                fields[name].setdefault("description", text)
        for part in (own, *fields.values()):
            if "description" in part:
                part["description"] = " ".join(part["description"].split())
        return schema


def _docstrings(model: type[BaseModel]) -> dict[str, str]:
    """The docstrings below a model's fields and those that it inherits.

    Pydantic would read them as each class is made, which takes longer than all else in the import of this package.
    """
    docstrings: dict[str, str] = {}
    for kind in reversed(model.__mro__[: model.__mro__.index(StrictModel)]):
        written = ast.parse(textwrap.dedent(inspect.getsource(kind))).body[0]
        for field, below in pairwise(written.body if isinstance(written, ast.ClassDef) else []):
            match field, below:
                case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                    docstrings[name] = text
    return docstrings


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong.

    Attributes:
        path: the field's, from the outside in.
        text: what was found and what is allowed.
    """

    path: Path
    text: str

    def __str__(self) -> str:
        return f"{path_text(self.path)}: {self.text}" if self.path else self.text


Model = TypeVar("Model", bound=StrictModel)


def read_model(model: type[Model], data: Any, path: Path = ()) -> Model:
    """The data as a model.

    Args:
        model: its class.
        data: what was written, as plain values.
        path: where it stands, for the faults.

    Raises:
        DefinitionError: with all faults at once.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise DefinitionError.of(fault for detail in error.errors() for fault in _faults(model, detail, path)) from None


def read_reported(model: type[Model], fields: Mapping[str, Any]) -> tuple[Model | None, list[Fault], dict[str, Any]]:
    """The fields as a model, where each by itself is well formed; its faults; and the fields that are well formed."""
    read, faults = None, []
    try:
        read = read_model(model, fields)
    except DefinitionError as error:
        faults = list(error.faults)
    malformed = {fault.path[0] for fault in faults if fault.path}
    return read, faults, {name: value for name, value in fields.items() if name not in malformed}


def shown(value: Any) -> str:
    """A value as a person wrote it, cut short where it is long."""
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError):
        text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def unknown(name: str, allowed: Iterable[str], what: str = "field") -> str:
    """The text for a name that is not among those allowed, with the nearest of them."""
    names = list(allowed)
    near = difflib.get_close_matches(name, names, n=1)
    hint = f" (did you mean '{near[0]}'?)" if near else ""
    return f"no such {what}{hint}; allowed: {', '.join(names) or 'none'}"


def path_text(path: Sequence[str | int]) -> str:
    """A field's path as people write it: `space.nb_layers.low`, `warm_start[0]`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _faults(model: type[StrictModel], detail: ErrorDetails, path: Path) -> list[Fault]:
    location = tuple(part for part in detail["loc"] if part != "[key]")
    error = detail.get("ctx", {}).get("error")
    if isinstance(error, DefinitionError) and error.faults:
        return [Fault((*path, *location, *fault.path), fault.text) for fault in error.faults]
    return [_fault(model, detail, location, (*path, *location))]


def _fault(model: type[StrictModel], detail: ErrorDetails, location: Path, where: Path) -> Fault:
    kind, context, value = detail["type"], detail.get("ctx", {}), detail["input"]
    if kind == "extra_forbidden":
        name, model = str(location[-1]), _model_at(model, location[:-1])
        return Fault(where, model.elsewhere.get(name) or unknown(name, model.model_fields))
    if kind == "missing":
        mend = _model_at(model, location[:-1]).missed.get(str(location[-1]))
        return Fault(where, mend or "is missing; it must be given")
    if kind == "value_error":
        return Fault(where, str(context["error"]))
    if kind in _EXPECTED:
        return Fault(where, f"found {shown(value)}; allowed: {_EXPECTED[kind].format(**context)}")
    return Fault(where, f"found {shown(value)}; {detail['msg'][:1].lower()}{detail['msg'][1:]}")


def _model_at(model: type[StrictModel], location: Path) -> type[StrictModel]:
    """The model of a place inside a model."""
    for part in location:
        field = model.model_fields.get(str(part))
        nested = [] if field is None else [kind for kind in _inner(field.annotation) if issubclass(kind, StrictModel)]
        if nested:
            model = nested[0]
    return model


def _inner(annotation: Any) -> list[type]:
    if isinstance(annotation, type) and not get_args(annotation):
        return [annotation]
    return [kind for argument in get_args(annotation) for kind in _inner(argument)]
