"""The source of a function that no job could import: from a script's own file or a notebook's cell, as a module."""

import ast
import builtins
import hashlib
import inspect
import json
import os
import symtable
import sys
import textwrap
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from windtunnel.errors import WorkloadError
from windtunnel.host.machine import user_cache
from windtunnel.ledger.ids import safe_name

_FUTURE = "from __future__ import annotations\n"  # what only annotates need not travel
_HEAD = f'"""Made of functions that stood in a script or a notebook."""\n\n{_FUTURE}'
_NO_MODULE = ("__main__", "__mp_main__")  # where modules of scripts and cells live, which no other process can import


def is_importable(item: Callable[..., Any] | type) -> bool:
    """Whether another process on this host finds a function or class by the name of its module and its own."""
    module = sys.modules.get(item.__module__)
    if item.__module__ in _NO_MODULE or module is None or getattr(module, "__spec__", None) is None:
        return False
    return getattr(module, item.__qualname__, None) is item


def make_module(function: Callable[..., Any]) -> Path:
    """Write the module that `capture` makes of a function, named after its content, to this user's cache.

    Raises:
        WorkloadError: see `capture`.
    """
    text = capture(function)
    digest = hashlib.sha256(text.encode()).hexdigest()
    file = made_modules() / digest / f"{safe_name(function.__name__)}_{digest[:8]}.py"
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_suffix(f".{os.getpid()}")
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(file)
    return file


def made_modules() -> Path:
    """The folder of the modules that were made of functions."""
    return user_cache() / "functions"


def capture(function: Callable[..., Any]) -> str:
    """A module with a function and all that it uses of its own file or notebook.

    Functions and classes travel as source, modules as imports, and other values if JSON has a word for them.

    Args:
        function: written with `def`, in a script, a notebook's cell or another function.

    Returns:
        The module's text; equal functions give equal texts.

    Raises:
        WorkloadError: the source cannot be found, or it uses a value that cannot travel, which is named.
    """
    module = _Module()
    module.add(function)
    return _HEAD + "".join(f"\n{line}" for line in sorted(module.imports)) + "\n" + "".join(module.parts)


class _Module:
    """A module in the making.

    Attributes:
        imports: its lines of imports.
        parts: constants, functions and classes, each after what it uses.
    """

    def __init__(self) -> None:
        self.imports: set[str] = set()
        self.parts: list[str] = []
        self._names: dict[str, Any] = {}

    def add(self, item: Callable[..., Any] | type) -> None:
        """Add a function or class, and before it what it uses."""
        self._names[item.__name__] = item
        source = _source_of(item)
        _refuse_relative_imports(item, source)
        for name, value in _used(item, source):
            if name not in self._names:
                self._names[name] = value
                self._add_value(name, value, item.__name__)
            elif self._names[name] is not value:
                raise WorkloadError(
                    f"{item.__name__}() and what it calls mean different things by {name!r}: rename one"
                )
        self.parts.append(f"\n\n{source}")

    def _add_value(self, name: str, value: Any, user: str) -> None:
        if isinstance(value, types.ModuleType):
            self.imports.add(_import_of(value.__name__, name))
        elif isinstance(value, type | types.FunctionType | types.BuiltinFunctionType):
            self._add_definition(name, value, user)
        else:
            self.parts.append(f"\n{name} = {_literal(name, value, user)}\n")

    def _add_definition(self, name: str, item: Any, user: str) -> None:
        if is_importable(item):
            alias = "" if item.__name__ == name else f" as {name}"
            self.imports.add(f"from {item.__module__} import {item.__qualname__}{alias}")
        elif isinstance(item, types.BuiltinFunctionType):
            raise WorkloadError(
                f"{user}() uses {name!r}, {item!r}, which cannot travel: import its module within {user}()"
            )
        else:
            self.add(item)
            if item.__name__ != name:
                self.parts.append(f"\n{name} = {item.__name__}\n")


def _source_of(item: Callable[..., Any] | type) -> str:
    try:
        source = textwrap.dedent(inspect.getsource(item))
    except (OSError, TypeError) as error:
        raise WorkloadError(
            f"the source of {item.__name__} cannot be found: write it in a file or a notebook's cell"
        ) from error
    if not source.lstrip().startswith(("def ", "async def ", "class ", "@")):
        raise WorkloadError(f"{item.__name__} has no source of its own: write it with def, not as a lambda")
    return source if source.endswith("\n") else source + "\n"


def _refuse_relative_imports(item: Callable[..., Any] | type, source: str) -> None:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.level:
            package = getattr(sys.modules.get(item.__module__), "__package__", None) or "package"
            raise WorkloadError(
                f"{item.__name__}() imports from {'.' * node.level}{node.module or ''}, which leads nowhere in another "
                f"process: import by the package's name, {package}"
            )


def _used(item: Callable[..., Any] | type, source: str) -> Iterator[tuple[str, Any]]:
    """What the source uses of the outside, with its values: globals and free variables, builtins left out."""
    outside = _outside(item)
    table = symtable.symtable(_FUTURE + source, "<function>", "exec")
    for name in sorted(set(_free_names(table)) - {item.__name__}):
        if name in outside:
            yield name, outside[name]
        elif not hasattr(builtins, name):
            raise WorkloadError(f"{item.__name__}() uses {name!r}, which is not defined where it was written")


def _outside(item: Callable[..., Any] | type) -> dict[str, Any]:
    """The values that a function or class sees around it."""
    if isinstance(item, type):
        methods = [value for value in vars(item).values() if isinstance(value, types.FunctionType)]
        merged = vars(sys.modules[item.__module__]) | {base.__name__: base for base in item.__mro__[1:]}
        for method in methods:
            merged |= _outside(method)
        return merged
    function: Any = inspect.unwrap(item)
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    return {**function.__globals__, **{name: cell.cell_contents for name, cell in cells if _is_filled(cell)}}


def _is_filled(cell: types.CellType) -> bool:
    try:
        cell.cell_contents  # noqa: B018
    except ValueError:
        return False
    return True


def _free_names(table: symtable.SymbolTable) -> Iterator[str]:
    """Names that a piece of source reads and does not bind itself."""
    at_top = table.get_type() == "module"
    for symbol in table.get_symbols():
        if symbol.is_referenced() and (symbol.is_global() or at_top) and not (at_top and symbol.is_assigned()):
            yield symbol.get_name()
    for child in table.get_children():
        yield from _free_names(child)


def _import_of(module: str, name: str) -> str:
    if module == name:
        return f"import {module}"
    return f"import {module} as {name}"


def _literal(name: str, value: Any, user: str) -> str:
    if not _is_plain(value):
        raise WorkloadError(
            f"{user}() uses {name!r}, a {type(value).__name__} that cannot travel to another process: make it within "
            f"{user}(), or give plain values as settings"
        )
    return repr(value)


def _is_plain(value: Any) -> bool:
    """Whether JSON gives the very same value back, of the same classes."""
    try:
        return repr(json.loads(json.dumps(value, allow_nan=False))) == repr(value)
    except (ValueError, TypeError, RecursionError):
        return False
