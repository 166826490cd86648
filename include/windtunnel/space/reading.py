"""Reading parameters as people write them. A new kind is a subclass of `Parameter`, added to `KINDS`."""

from typing import Any

from windtunnel.errors import DefinitionError
from windtunnel.space.base import Parameter, checked
from windtunnel.space.choices import Bool, Categorical, Choice
from windtunnel.space.custom import Custom
from windtunnel.space.dicts import Dict
from windtunnel.space.distributions import DISTRIBUTIONS
from windtunnel.space.lists import List
from windtunnel.space.numbers import Float, Int, Randint
from windtunnel.space.one_of import OneOf
from windtunnel.space.sublist_of import SublistOf
from windtunnel.validation import Fault, Path, read_model, shown, unknown

_OWN = (Int, Float, Categorical, Bool, Dict, List, OneOf, SublistOf)
_HYPERDRIVE = (Choice, Randint, *DISTRIBUTIONS)
KINDS: dict[str, type[Parameter]] = {kind.model_fields["type"].default: kind for kind in (*_OWN, *_HYPERDRIVE)}

_FIELDS = {field for kind in KINDS.values() for field in kind.model_fields}


def read_parameter(written: Any, path: Path = ()) -> Parameter:
    """A parameter as it stands in a definition, or as Python code made it.

    Args:
        written: `{type: int, …}`, a list of choices, a mapping of parameters, or a `Parameter`.
        path: where it stands, for the faults.

    Raises:
        DefinitionError: with all faults.
    """
    parameter = written if isinstance(written, Parameter) else _read(written, path)
    faults: list[Fault] = []
    if "default" in parameter.model_fields_set:
        checked(parameter, parameter.default, (*path, "default"), faults)
    if faults:
        raise DefinitionError.of(faults)
    return parameter


def _read(written: Any, path: Path) -> Parameter:
    if isinstance(written, list | tuple):
        return read_model(Categorical, {"choices": list(written)}, path)
    if not isinstance(written, dict):
        allowed = "a mapping such as {type: int, low: 1, high: 8}, or a list of choices"
        raise DefinitionError.of([Fault(path, f"found {shown(written)}; allowed: {allowed}")])
    if "type" not in written and _are_parameters(written):
        return read_dict(written, path)
    if "type" not in written:
        raise DefinitionError.of([Fault((*path, "type"), f"is missing; allowed: {', '.join(KINDS)}")])
    kind = written["type"]
    if isinstance(kind, str) and "." in kind:
        return read_model(Custom, written, path)
    if not isinstance(kind, str) or kind not in KINDS:
        text = unknown(str(kind), [*KINDS, "the dotted name of a class of your own"], "type")
        raise DefinitionError.of([Fault((*path, "type"), f"found {shown(kind)}; {text}")])
    return read_model(KINDS[kind], written, path)


def read_dict(fields: Any, path: Path = ()) -> Dict:
    """Parameters by name, without the mapping that would say so.

    Raises:
        DefinitionError: with all faults, whose paths go straight from `path` to the parameters' names.
    """
    try:
        return read_model(Dict, {"fields": dict(fields)})
    except DefinitionError as error:
        faults = [Fault((*path, *fault.path[1:]), fault.text) for fault in error.faults]
        raise DefinitionError.of(faults) from None


def _are_parameters(written: dict[Any, Any]) -> bool:
    """Whether a mapping without a type is one of parameters, rather than one whose type was forgotten."""
    parts = all(isinstance(part, dict | list | Parameter) for part in written.values())
    return bool(written) and parts and not written.keys() & _FIELDS
