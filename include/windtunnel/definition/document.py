"""YAML files as plain values, with the line of every field. Booleans and numbers are those of YAML 1.2.

PyYAML follows YAML 1.1, where `on` is true, `1e-4` is text and `12:30` is 750; editors and people don't.
"""

import os
import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from windtunnel.errors import DefinitionError
from windtunnel.validation import Fault
from windtunnel.validation import Path as Field

_CORE = [
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", "-+.0123456789"),
    ("float", r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", "-+."),
    ("null", r"~|null|Null|NULL|", "~nN"),
    ("merge", r"<<", "<"),
]


_MOST_BYTES = 256 * 1024  # of a file
_MOST_VALUES = 20_000  # with every alias written out
_MOST_DEPTH = 64  # of mappings and lists in each other
_MOST_DIGITS = 1000  # of a number


class _Loader(yaml.SafeLoader):
    """Plain values only, resolved as YAML 1.2's core schema says."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012  (PyYAML's own way)
    _composed = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """The next node; of a document without end there are not many."""
        self._composed += 1
        if self._composed > _MOST_VALUES:
            problem = f"found too many values; allowed: {_MOST_VALUES}"
            raise yaml.composer.ComposerError(problem=problem)
        node: yaml.Node | None = super().compose_node(parent, index)
        return node


for _tag, _pattern, _first in _CORE:
    _characters = [*_first, ""] if _tag == "null" else list(_first)
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), _characters)


def _number(loader: _Loader, node: yaml.ScalarNode) -> int:
    """YAML 1.2's integers: `010` is ten, `0o10` is eight."""
    text = loader.construct_scalar(node)
    if len(text) > _MOST_DIGITS:
        problem = f"found a number of {len(text)} digits; allowed: {_MOST_DIGITS}"
        raise yaml.constructor.ConstructorError(problem=problem, problem_mark=node.start_mark)
    return int(text, 0) if re.match("0[ox]", text) else int(text)


_Loader.add_constructor("tag:yaml.org,2002:int", _number)


def written(fields: Mapping[str, Any]) -> str:
    """A definition's fields as YAML."""
    return yaml.safe_dump(dict(fields), sort_keys=False, allow_unicode=True)


class Document:
    """A YAML file whose top is a mapping.

    Attributes:
        file: where it is.
        data: the mapping.
        twice: faults for keys that are given more than once.
    """

    def __init__(self, file: Path) -> None:
        """Read the file.

        Raises:
            DefinitionError: it cannot be read, is no YAML, or is no mapping.
        """
        self.file = file
        self._root: yaml.Node | None = None
        try:
            loader = _Loader(_text(file))
            self._root = loader.get_single_node()
            if self._root is not None:
                _check_size(file, self._root)
            self.twice = list(_given_twice(self._root, (), set()))  # before merges are written out in the nodes
            data = loader.construct_document(self._root) if self._root is not None else None
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            raise DefinitionError(f"{file}: cannot be read: {reason}") from error
        except yaml.MarkedYAMLError as error:
            line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
            raise DefinitionError(f"{file}{line}: no valid YAML: {error.problem}") from error
        except RecursionError as error:
            raise DefinitionError(f"{file}: is nested too deeply; allowed: {_MOST_DEPTH} levels") from error
        except (yaml.YAMLError, ValueError) as error:
            raise DefinitionError(f"{file}: no valid YAML: {error}") from error
        if not isinstance(data, dict):
            content = "nothing" if data is None else f"a {type(data).__name__}"
            raise DefinitionError(f"{file}: found {content}; allowed: a mapping of fields to values")
        self.data: dict[str, Any] = data

    def error(self, faults: list[Fault]) -> DefinitionError:
        """One error of all faults, each with its file and line, in the file's order."""
        lines = sorted(((self.line(fault.path), fault) for fault in faults), key=lambda item: item[0])
        error = DefinitionError("\n".join(f"{self.file}:{line}: {fault}" for line, fault in lines))
        error.faults = tuple(fault for _, fault in lines)
        return error

    def line(self, path: Field) -> int:
        """The line of a field, counted from 1; of what surrounds it, where the file has no such field."""
        node, line = self._root, 1
        for part in path:
            child = _child(node, part)
            if child is None:
                break
            mark, node = child
            line = mark.line + 1
        return line


def _text(file: Path) -> str:
    """The file's text; a pipe or a device is refused rather than waited for.

    Raises:
        DefinitionError: it is no regular file, or too big.
        OSError: it cannot be read.
        UnicodeDecodeError: it is not UTF-8.
    """
    with os.fdopen(os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as opened:
        if not stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
            raise DefinitionError(f"{file}: cannot be read: it is no regular file")
        content = opened.read(_MOST_BYTES + 1)
    if len(content) > _MOST_BYTES:
        raise DefinitionError(f"{file}: is too big; allowed: {_MOST_BYTES} bytes")
    return content.decode("utf-8")


def _check_size(file: Path, root: yaml.Node) -> None:
    """Whether the document stays small where its aliases are written out: a few lines can stand for billions of values.

    Raises:
        DefinitionError: it does not, or never ends.
    """
    measured: dict[int, tuple[int, int] | None] = {}  # of each node; None while its children are measured

    def measure(node: yaml.Node) -> tuple[int, int]:
        """How many values a node stands for, and how deep they lie in each other."""
        where = f"{file}:{node.start_mark.line + 1}"
        if id(node) in measured:
            known = measured[id(node)]
            if known is None:
                raise DefinitionError(f"{where}: this anchor's value holds itself; allowed: values that end")
            return known
        measured[id(node)] = None
        children = [measure(child) for child in _children(node)]
        size = 1 + sum(child[0] for child in children)
        depth = 1 + max((child[1] for child in children), default=0)
        if size > _MOST_VALUES:
            raise DefinitionError(f"{where}: stands for too many values by its aliases; allowed: {_MOST_VALUES}")
        if depth > _MOST_DEPTH:
            raise DefinitionError(f"{where}: is nested too deeply; allowed: {_MOST_DEPTH} levels")
        measured[id(node)] = size, depth
        return size, depth

    measure(root)


def _children(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield key
            yield value
    elif isinstance(node, yaml.SequenceNode):
        yield from node.value


def _child(node: yaml.Node | None, part: str | int) -> tuple[Any, yaml.Node] | None:
    """Where a part of a path begins, and its node."""
    if isinstance(node, yaml.MappingNode):
        for key, value in reversed(node.value):  # the last one holds, as where a merge brings in another
            if key.value == str(part):
                return key.start_mark, value
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part].start_mark, node.value[part]
    return None


def _given_twice(node: yaml.Node | None, path: Field, within: set[int]) -> Iterator[Fault]:
    """Faults for keys that a mapping has more than once: YAML forbids it, PyYAML lets the last one win."""
    if node is None or id(node) in within:
        return
    within = within | {id(node)}
    if isinstance(node, yaml.MappingNode):
        lines: dict[str, int] = {}
        for key, value in node.value:
            name = str(key.value)
            if name in lines:
                text = f"is given twice, in line {lines[name]} and in line {key.start_mark.line + 1}; allowed: once"
                yield Fault((*path, name), text)
            lines.setdefault(name, key.start_mark.line + 1)
            yield from _given_twice(value, (*path, name), within)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield from _given_twice(item, (*path, index), within)
