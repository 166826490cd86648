"""A folder of definitions becomes DAGs; what is wrong with some of them becomes an import error and hurts no other."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from windtunnel.definition import Definition, Fleet, load_any
from windtunnel.definition.document import Document
from windtunnel.errors import DefinitionError
from windtunnel_airflow.callbacks import callbacks

_log = logging.getLogger(__name__)


def load_searches(folder: str | Path, namespace: dict[str, Any]) -> None:
    """Put a DAG for every definition in the folder into a DAG file's namespace.

    The whole DAG file is two lines, and needs the words airflow and dag in it, or Airflow passes it over:

        from windtunnel_airflow import load_searches  # airflow dag
        load_searches("searches", globals())

    A wrong definition is left out, so that it hurts no other; a DAG file with `check_searches` shows its error.

    Args:
        folder: of YAML files; relative to the DAG file.
        namespace: the DAG file's `globals()`.

    Raises:
        DefinitionError: the folder is missing, or none of its definitions is right.
    """
    definitions, errors = _read(_beside(folder, namespace["__file__"]))
    if errors and not definitions:
        raise DefinitionError("\n".join(errors))
    wanted = _wanted()
    for error in errors if wanted is None else []:  # a task's log is no place for other searches' errors
        _log.error("A search was left out: %s", error)
    for definition in definitions:
        if wanted not in (None, definition.name):
            continue
        from windtunnel_airflow.dag import dag_of

        namespace[f"search_{definition.name}"] = dag_of(definition)


def check_searches(folder: str | Path, dag_file: str) -> None:
    """Raise what is wrong with the folder's definitions, for `airflow dags list-import-errors`.

    It has a DAG file of its own because Airflow keeps one error a file, and takes all DAGs of that file for stale:

        from windtunnel_airflow import check_searches  # airflow dag
        check_searches("searches", __file__)

    Args:
        folder: as `load_searches` has it.
        dag_file: the DAG file's `__file__`.

    Raises:
        DefinitionError: naming file, field, what was found and what is allowed, for all definitions at once.
    """
    _, errors = _read(_beside(folder, dag_file))
    if errors:
        raise DefinitionError("\n".join(errors))


def _beside(folder: str | Path, dag_file: str) -> Path:
    path = Path(dag_file).parent / folder
    if not path.is_dir():
        raise DefinitionError(f"{path}: there is no such folder of searches")
    return path.resolve()


def _read(folder: Path) -> tuple[list[Definition | Fleet], list[str]]:
    """The right definitions, and the errors of the others."""
    definitions: dict[str, tuple[Path, Definition | Fleet]] = {}
    errors = []
    for file in sorted(_yaml_files(folder)):
        try:
            definition = load_any(file)
        except DefinitionError as error:
            errors.append(str(error))
            continue
        try:
            callbacks(definition)
        except DefinitionError as error:
            errors.append(str(Document(file).error(list(error.faults))))
            continue
        if definition.name in definitions:
            first = definitions[definition.name][0].name
            errors.append(f"{file}: name: found {definition.name!r}, which {first} has; give each search its own")
            continue
        definitions[definition.name] = (file, definition)
    return [definition for _, definition in definitions.values()], errors


def _yaml_files(folder: Path) -> Iterator[Path]:
    return (file for file in folder.iterdir() if file.suffix in (".yaml", ".yml") and not file.name.startswith("."))


def _wanted() -> str | None:
    """The DAG that a worker is about to run, for which the others need not be built; None where all are wanted."""
    from airflow.sdk import get_parsing_context

    return get_parsing_context().dag_id or None
