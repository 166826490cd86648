"""The source of a workload: the Python files that its code is made of, found without importing any of them."""

import ast
import hashlib
import importlib.util
from collections.abc import Callable, Iterator, Mapping
from importlib.machinery import ModuleSpec
from pathlib import Path

from windtunnel.errors import WorkloadError

SCRIPT = "windtunnel_trainer.script"  # the workload that runs a script
EVERYWHERE = ("windtunnel", "windtunnel_trainer")  # packages that every job has, and is to have its own version of
_INSTALLED = ("site-packages", "dist-packages")
_ALL = "*"  # as the last part of a module's name: all modules of the package


def module_of(workload: str) -> str:
    """The module of a workload, `package.module` of `package.module:function`."""
    return workload.partition(":")[0]


def module_file(workload: str) -> Path:
    """The file of the workload's module; of a package, its `__init__.py`.

    Raises:
        WorkloadError: there is none.
    """
    module = module_of(workload)
    file = _file_of(module, _folders_of(module.partition(".")[0]))
    if file is None:
        raise WorkloadError(f"workload {module!r} cannot be found: is its folder on PYTHONPATH?")
    return file


def source_of(workload: str) -> dict[str, bytes]:
    """The workload's module, or all modules of its package, and what they import from the same folder, and so on.

    The folder is the one on Python's path. Nothing is taken from an installed package but from the workload's own, and
    nothing that a link leads to out of the folder. Imports are read, not performed: a package's modules that are
    imported by names made at run time are taken all together.

    Returns:
        The files' contents by their paths below the folder, in order: `package/module.py`.

    Raises:
        WorkloadError: there is no such module.
    """
    first, module = module_file(workload), module_of(workload)
    outermost = module.partition(".")[0]
    folders = _folders_of(outermost)
    inside = [folder.resolve() for folder in folders] + [(folder / outermost).resolve() for folder in folders]
    is_own = _ownership(module, folders)
    source: dict[str, bytes] = {}
    due, seen = [module], set[str]()
    if first.name == "__init__.py":
        due.append(f"{module}.{_ALL}")
    while due:
        name = due.pop()
        if name in seen or not is_own(name):
            continue
        seen.add(name)
        package, _, last = name.rpartition(".")
        due += [package] if package else []  # importing a module imports its packages
        if last == _ALL:
            due += _modules_of(package, folders)
            continue
        file = _file_of(name, folders)
        if file is not None and (file == first or any(map(file.resolve().is_relative_to, inside))):
            content = file.read_bytes()
            source[_path_of(name, file)] = content
            due += _imports(content, name if file.name == "__init__.py" else package)
    return dict(sorted(source.items()))


def code_digest(source: Mapping[str, bytes]) -> str:
    """Digest of a source, 16 hexadecimal digits: of its files' paths and contents, and nothing else of this host."""
    digest = hashlib.sha256()
    for path, content in sorted(source.items()):
        digest.update(f"{path}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()[:16]


def _ownership(module: str, folders: list[Path]) -> Callable[[str], bool]:
    """Whether a module is of the user's own code, by its name."""
    outermost = module.partition(".")[0]
    if outermost in EVERYWHERE:
        return _within(module.rpartition(".")[0])
    if any(folder.name in _INSTALLED for folder in folders):
        return _within(outermost)
    own = {outermost: True} | dict.fromkeys(EVERYWHERE, False)

    def is_own(other: str) -> bool:
        name = other.partition(".")[0]
        if name not in own:
            own[name] = not set(folders).isdisjoint(_folders_of(name))
        return own[name]

    return is_own


def _within(package: str) -> Callable[[str], bool]:
    return lambda module: f"{module}.".startswith(f"{package}.")


def _folders_of(outermost: str) -> list[Path]:
    """The folders on Python's path that a package or module lies in; a package without `__init__.py` may have several.

    Only the outermost package is looked up: Python would import it to look up a module in it.
    """
    try:
        spec = importlib.util.find_spec(outermost)
    except (ImportError, ValueError):
        return []
    places = _places(spec) if spec is not None else []
    return [Path(place).absolute().parent for place in places]


def _places(spec: ModuleSpec) -> list[str]:
    if spec.submodule_search_locations is not None:
        return list(spec.submodule_search_locations)
    return [spec.origin] if spec.has_location and spec.origin else []


def _file_of(module: str, folders: list[Path]) -> Path | None:
    for folder in folders:
        place = folder.joinpath(*module.split("."))
        for file in (place / "__init__.py", place.with_name(f"{place.name}.py")):
            if file.is_file():
                return file
    return None


def _path_of(module: str, file: Path) -> str:
    path = module.replace(".", "/")
    return f"{path}/{file.name}" if file.name == "__init__.py" else f"{path}.py"


def _modules_of(package: str, folders: list[Path]) -> Iterator[str]:
    """The names of all modules below a package; of virtual environments and hidden folders none."""
    for folder in folders:
        place = folder.joinpath(*package.split("."))
        for entry in sorted(place.iterdir()) if place.is_dir() else []:
            name = f"{package}.{entry.stem}"
            if entry.suffix == ".py" and entry.is_file():
                yield package if entry.stem == "__init__" else name
            elif entry.name.isidentifier() and entry.is_dir() and not _is_elsewhere(entry):
                yield f"{name}.{_ALL}"


def _is_elsewhere(folder: Path) -> bool:
    return folder.is_symlink() or (folder / "pyvenv.cfg").exists()


def _imports(content: bytes, package: str) -> Iterator[str]:
    """What a module's imports name: modules, and what may be modules or else names in one."""
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError, RecursionError):
        return  # importing it will say so
    for node in ast.walk(tree):
        match node:
            case ast.Import():
                yield from (alias.name for alias in node.names)
            case ast.ImportFrom():
                base = _absolute("." * node.level + (node.module or ""), package)
                yield from (f"{base}.{alias.name}" for alias in node.names if base)
            case ast.Call(func=ast.Name(id="import_module" | "__import__") | ast.Attribute(attr="import_module")):
                argument = node.args[0] if node.args else None
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                    yield _absolute(argument.value, package)
                elif package:
                    yield f"{package}.{_ALL}"


def _absolute(name: str, package: str) -> str:
    try:
        return importlib.util.resolve_name(name, package)
    except ImportError:  # beyond the outermost package
        return ""
