"""The files of a script's folder that travel with a run: what is not ignored, private, or made by running."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from windtunnel.errors import WorkloadError
from windtunnel.workload.bundle import LARGEST

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

Rules = tuple[tuple[Path, "GitIgnoreSpec"], ...]
"""What each `.gitignore` says of the files below its folder, the outermost folder first."""

_MOST_FILES = 10_000
_IGNORE = ".gitignore"
_NEVER = (".git", "__pycache__", ".ipynb_checkpoints", _IGNORE)
_RUNS = ("*/*/search.json", "*/*/writer.json", "*/current.json")  # what a store has as soon as a run begins
_SECRET = re.compile(r"\.env(\..+)?|\.envrc")
_FIELDS = (re.compile(rb"^(script|workload|kind)\s*:", re.M), re.compile(rb"^(objectives|split)\s*:", re.M))


def files_of_folder(folder: Path, skip: Callable[[Path], bool] = lambda file: False) -> dict[str, bytes]:
    """The files' contents by their paths below the folder, in order.

    Left out are what `.gitignore` names, here, below and up to the repository's own folder, `.git`, virtual
    environments, `.env`, caches of Python, runs of Windtunnel, definitions of searches, and links that lead out.

    Args:
        folder: of the script.
        skip: whether a file, as a path that begins with the folder's, is left out too; it does not count then.

    Raises:
        WorkloadError: it cannot be read, or is too large to travel.
    """
    root, total = folder.resolve(), 0
    sizes: dict[str, int] = {}
    files: dict[str, Path] = {}
    for file in _walk(root, root, _rules_above(root)):
        path = file.relative_to(root).as_posix()
        if skip(folder / path):
            continue
        try:
            path.encode()
            sizes[path] = file.stat().st_size
        except (UnicodeError, OSError) as error:
            raise WorkloadError(f"{folder}: {path!r} cannot travel with a run: {error}") from error
        files[path] = file
        total += sizes[path]
        if total > LARGEST or len(sizes) > _MOST_FILES:
            raise _too_large(folder, sizes)
    try:
        contents = {path: file.read_bytes() for path, file in sorted(files.items())}
    except OSError as error:
        raise WorkloadError(f"{folder}: cannot be read: {error}") from error
    return {path: content for path, content in contents.items() if not _is_definition(path, content)}


def _walk(root: Path, folder: Path, rules: Rules) -> Iterator[Path]:
    rules = (*rules, *_rules_of(folder))
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise WorkloadError(f"{folder}: cannot be read: {error.strerror}") from error
    for entry in entries:
        is_folder = entry.is_dir() and not entry.is_symlink()
        if entry.name in _NEVER or _SECRET.fullmatch(entry.name) or _is_ignored(entry, is_folder, rules):
            continue
        if is_folder:
            if not _is_made(entry):
                yield from _walk(root, entry, rules)
        elif entry.is_file() and entry.resolve().is_relative_to(root):
            yield entry


def _is_ignored(path: Path, is_folder: bool, rules: Rules) -> bool:
    """By the deepest `.gitignore` that says anything of it."""
    for folder, spec in reversed(rules):
        verdict = spec.check_file(path.relative_to(folder).as_posix() + ("/" if is_folder else "")).include
        if verdict is not None:
            return verdict
    return False


def _is_made(folder: Path) -> bool:
    """Whether it is a virtual environment, or a store of runs."""
    if (folder / "pyvenv.cfg").exists() or (folder / "conda-meta").exists():
        return True
    return any(any(folder.glob(pattern)) for pattern in _RUNS)


def _rules_of(folder: Path) -> Rules:
    from pathspec import GitIgnoreSpec

    try:
        lines = (folder / _IGNORE).read_text(encoding="utf-8", errors="replace").splitlines()
        return ((folder, GitIgnoreSpec.from_lines(lines)),)
    except OSError:
        return ()
    except ValueError as error:
        raise WorkloadError(f"{folder / _IGNORE}: cannot be read: {error}") from error


def _rules_above(root: Path) -> Rules:
    """Those of the folders above, as far as the repository goes that the folder is in."""
    if (root / ".git").exists():
        return ()
    above: list[tuple[Path, GitIgnoreSpec]] = []
    for folder in root.parents:
        above += _rules_of(folder)
        if (folder / ".git").exists():
            return tuple(reversed(above))
    return ()


def _is_definition(path: str, content: bytes) -> bool:
    """Whether it is a search's own file: what it says of the script counts, and the rest may change as the run goes."""
    return path.endswith((".yaml", ".yml")) and all(field.search(content) for field in _FIELDS)


def _too_large(folder: Path, sizes: dict[str, int]) -> WorkloadError:
    most = max(sizes, key=lambda path: sizes[path])
    return WorkloadError(
        f"{folder} is too large to travel with a run: allowed are {LARGEST:,} bytes in {_MOST_FILES:,} files; the "
        f"largest is {most}, {sizes[most]:,} bytes. Name in {_IGNORE} what trials do not need, and give data by DATA"
    )
