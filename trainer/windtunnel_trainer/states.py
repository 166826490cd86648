"""States of objects as files that hold no pickled code: tensors, numbers, text, and lists and dicts of these.

`torch.load(weights_only=True)` takes no more. NumPy's numbers and arrays are written as tensors and come back as they
were; whatever else it would not take is refused when it is written, rather than found missing when it is needed.
"""

import copy
import io
from collections.abc import Callable, Iterator, Mapping
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from windtunnel.errors import WorkloadError
from windtunnel.text import error_text

if TYPE_CHECKING:
    import torch

_NUMPY = "numpy value"  # marks a tensor that was NumPy's
_IS_ARRAY = "is array"
_COMPILED = "_orig_mod."  # what torch.compile puts into the names of a module's state


def write(content: Any, file: Any) -> None:
    """Write values and states, so that `read` gives the same.

    Args:
        content: plain values, tensors, NumPy's numbers and arrays, and containers of these.
        file: a path, or a file to write to.

    Raises:
        WorkloadError: something in it could not be read again; it names what.
    """
    import torch

    plain = _changed(content, _plain)
    _check(plain)
    torch.save(plain, file)


def read(file: IO[bytes]) -> Any:
    """What `write` was given, on the CPU.

    Raises:
        Exception: the file is torn, or holds something else.
    """
    import torch

    return _changed(torch.load(file, map_location="cpu", weights_only=True), _original)


def check(name: str, state: Any) -> None:
    """See that a state could be read again, without writing its tensors.

    Raises:
        WorkloadError: it could not; it names the key and its class.
    """
    _check({name: _changed(state, _plain)})


def copied(model: "torch.nn.Module") -> dict[str, Any]:
    """A copy of the model's state that further training does not touch."""
    return {name: _copy(value) for name, value in model.state_dict().items()}


def uncompiled(state: Mapping[str, Any]) -> dict[str, Any]:
    """A model's state by the names that it has where nothing is compiled."""
    return {name.replace(_COMPILED, ""): value for name, value in state.items()}


def named_for(model: "torch.nn.Module", state: Mapping[str, Any]) -> dict[str, Any]:
    """A model's state by the names that this model has, whichever parts of the two are compiled."""
    names = {name.replace(_COMPILED, ""): name for name in model.state_dict()}
    return {names.get(name, name): value for name, value in uncompiled(state).items()}


def _copy(value: Any) -> Any:
    return value.detach().clone() if hasattr(value, "detach") else copy.deepcopy(value)  # an extra state is any value


def _changed(value: Any, change: Callable[[Any], Any]) -> Any:
    """The value with its leaves changed; a container in which nothing changes is left as it is, with its attributes."""
    new = change(value)
    if new is not value:
        return new
    if isinstance(value, dict):
        items = [(_changed(key, _key), _changed(item, change)) for key, item in value.items()]
        if all(key is k and item is i for (key, item), (k, i) in zip(items, value.items(), strict=True)):
            return value
        other = copy.copy(value)
        other.clear()
        other.update(dict(items))
        return other
    if type(value) in (list, tuple, set):
        parts = [_changed(item, change) for item in value]
        same = all(new is old for new, old in zip(parts, value, strict=True))
        return value if same else type(value)(parts)
    return value


def _key(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value  # which is found by the same look-up


def _plain(value: Any) -> Any:
    """NumPy's values as a tensor that is marked; those that no tensor can hold stay what they are."""
    import torch

    if isinstance(value, (np.str_, np.bytes_)):
        return value.item()
    if isinstance(value, np.generic) or type(value) is np.ndarray:  # another class of arrays has more to it
        try:
            tensor = torch.from_numpy(np.array(value))
        except TypeError:
            return value
        return {_NUMPY: tensor, _IS_ARRAY: isinstance(value, np.ndarray)}
    return value


def _original(value: Any) -> Any:
    if isinstance(value, dict) and value.keys() == {_NUMPY, _IS_ARRAY}:
        array = value[_NUMPY].numpy()
        return array if value[_IS_ARRAY] else array[()]
    return value


def _hollow(value: Any) -> Any:
    import torch

    return torch.empty(0) if type(value) in (torch.Tensor, torch.nn.Parameter) else value


def _check(content: Any) -> None:
    if (cause := _unreadable(content)) is None:
        return
    path, value = "", content
    while (inner := next(((key, item) for key, item in _items(value) if _unreadable(item)), None)) is not None:
        path += f"[{inner[0]!r}]"
        value = inner[1]
    kind = type(value)
    raise WorkloadError(
        f"{path or 'the state'} is a {kind.__module__}.{kind.__qualname__}, which a checkpoint cannot give back: let "
        f"state_dict() give tensors, numbers, text, and lists and dicts of these ({cause})"
    )


def _items(value: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(value, dict):
        yield from ((key, item) for pair in value.items() for key, item in ((pair[0], pair[0]), pair))
    elif isinstance(value, (list, tuple)):
        yield from enumerate(value)


def _unreadable(value: Any) -> str | None:
    """Why a value could not be read again, in a few words; None where it could."""
    import torch

    buffer = io.BytesIO()
    try:
        torch.save(_changed(value, _hollow), buffer)
        buffer.seek(0)
        torch.load(buffer, weights_only=True)
    except Exception as error:  # whatever a class of somebody's own raises when it is pickled
        return error_text(error).partition("\n")[0][:120]
    return None
