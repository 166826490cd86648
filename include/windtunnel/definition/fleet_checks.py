"""What the types of a fleet's fields cannot say: files that must exist, and fields that must fit each other."""

import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from windtunnel.definition.script import Script, script_faults
from windtunnel.errors import WorkloadError
from windtunnel.stores.open import ALLOWED, SCHEMES
from windtunnel.validation import Fault, shown
from windtunnel.workload.files import SCRIPT, module_file, module_of

_ENTRIES = ("workload", "script", "entry_script")  # what trains; one of them
_TAKEN = ("leaderboard.csv", "batches.csv", "log.txt", "done.json", "MLTable")  # files beside the gathered table
_OUTPUT = re.compile(r"\$\{\{outputs\.(\w+)\}\}")


def fleet_faults(fields: Mapping[str, Any]) -> Iterator[Fault]:
    """What is wrong across a fleet's fields.

    Args:
        fields: those that are well formed, as written.
    """
    yield from _entry(fields)
    if fields.get("data") == "":
        yield Fault(("data",), 'found ""; allowed: a file, a folder, or a pattern of files')
    if isinstance(gather := fields.get("gather", {}), Mapping):
        yield from _gather(gather)
        yield from _arguments(fields.get("program_arguments", ""), gather.get("outputs") or {})
    if isinstance(split := fields.get("split"), Mapping) and isinstance(keys := split.get("keys"), list):
        yield from _keys(keys)
        yield from _name(split.get("name"), keys)
    if isinstance(variables := fields.get("environment_variables"), Mapping):
        yield from _variables(variables)


def evaluation_warnings(evaluation: str | None, entry_script: str | None) -> Iterator[str]:
    """Whether an evaluation's module is missing here; a trainer elsewhere may have it all the same."""
    if evaluation is None:
        return
    first = module_of(evaluation).partition(".")[0]
    beside = Path(entry_script).parent / first if entry_script is not None else None
    if beside is not None and (beside.is_dir() or beside.with_name(f"{first}.py").is_file()):
        return
    try:
        module_file(evaluation)
    except WorkloadError as error:
        yield f"evaluation: {str(error).replace('workload', 'module', 1)}"


def _entry(fields: Mapping[str, Any]) -> Iterator[Fault]:
    given = [name for name in _ENTRIES if fields.get(name) not in (None, SCRIPT)]
    if len(given) != 1:
        yield Fault(
            (given[-1] if given else "workload",),
            f"found {' and '.join(given) or 'none'}; allowed: one of {', '.join(_ENTRIES)}",
        )
    if isinstance(fields.get("script"), Mapping):
        keys = fields["split"].get("keys") or [] if isinstance(fields.get("split"), Mapping) else []
        own = {"workload": SCRIPT, "space": dict.fromkeys(keys), "settings": fields.get("settings")}
        yield from script_faults(Script.model_validate(fields["script"]), own)
    entry = fields.get("entry_script")
    if isinstance(entry, str) and not Path(entry).is_file():
        yield Fault(("entry_script",), f"there is no file {entry}")
    if isinstance(entry, str) and PurePosixPath(entry).suffix != ".py":
        yield Fault(("entry_script",), f"found {shown(entry)}; allowed: a Python file")


def _gather(gather: Mapping[str, Any]) -> Iterator[Fault]:
    table = gather.get("append_row_to")
    if table in _TAKEN:
        yield Fault(("gather", "append_row_to"), f"found {shown(table)}, which every fleet has; allowed: another name")
    for name, place in (gather.get("outputs") or {}).items():
        scheme, separator, _ = place.partition("://")
        if separator and scheme not in SCHEMES:
            yield Fault(("gather", "outputs", name), f"found {shown(place)}; allowed: {ALLOWED}")


def _arguments(arguments: str, outputs: Mapping[str, str]) -> Iterator[Fault]:
    try:
        shlex.split(arguments)
    except ValueError as error:
        yield Fault(("program_arguments",), f"found {shown(arguments)}: {str(error).lower()}; allowed: as in a shell")
    known = ", ".join(f"${{{{outputs.{name}}}}}" for name in outputs) or "none, for gather.outputs is empty"
    left = _OUTPUT.sub(lambda match: "" if match[1] in outputs else match[0], arguments)
    if "${{" in left:
        yield Fault(("program_arguments",), f"found {shown(left[left.index('${{') :][:60])}; allowed: {known}")


def _keys(keys: list[str]) -> Iterator[Fault]:
    for place, key in enumerate(keys):
        if key in keys[:place]:
            yield Fault(("split", "keys", place), f"found {shown(key)} twice; allowed: each column once")


def _name(name: str | None, keys: list[str]) -> Iterator[Fault]:
    if name is None:
        return
    left = name
    for key in keys:
        if f"{{{key}}}" not in name:
            yield Fault(("split", "name"), f"found {shown(name)}; allowed: with each key in braces, {{{key}}} too")
        left = left.replace(f"{{{key}}}", "")
    if set("{}/\\") & set(left):
        yield Fault(("split", "name"), f"found {shown(name)}; allowed: a file's name, with no braces but the keys'")


def _variables(variables: Mapping[str, str]) -> Iterator[Fault]:
    for name, value in variables.items():
        if not name or set("=\0") & set(name):
            yield Fault(("environment_variables", name), f"found {shown(name)}; allowed: a name without '='")
        elif "\0" in value:
            yield Fault(
                ("environment_variables", name), f"found {shown(value)}; allowed: text without a null character"
            )
