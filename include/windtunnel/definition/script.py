"""A definition's script: what is run for each trial, how it is told of parameters, and how it tells of metrics."""

import os
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from windtunnel.errors import DefinitionError
from windtunnel.space.one_of import OneOf
from windtunnel.space.reading import read_parameter
from windtunnel.validation import Fault, Name, StrictModel, shown, unknown
from windtunnel.workload.files import SCRIPT
from windtunnel.workload.patterns import pattern_of
from windtunnel.workload.placeholders import FLAGS, placeholders, spelled, words_of

EPOCHS, PARAMS, CHECKPOINT, MODEL = "epochs", "params", "checkpoint", "model"
OWN = (EPOCHS, "epochs_done", "seed", "data", "output", CHECKPOINT, PARAMS, "script", "processes")
PYTHON = "python"


def _plain_words(value: Any) -> Any:
    """Numbers and truth values among words as they are spelled: `[--batch, 32]`."""
    if isinstance(value, list):
        return [_plain_word(word) for word in value]
    if isinstance(value, Mapping):
        return {name: _plain_word(word) for name, word in value.items()}
    return value


def _plain_word(word: Any) -> Any:
    return spelled(word) if isinstance(word, bool | int | float) else word


Words = Annotated[str | list[str], BeforeValidator(_plain_words)]


class Script(StrictModel):
    """What trains, as it is: `script: train.py` is short for `script: {file: train.py}`. See docs/scripts.md."""

    file: str | None = None
    """The script, relative to the definition's file; it may be left out where `command` says all that is run."""
    folder: str | None = None
    """The folder that travels with the run and that each trial works in a copy of; by default the script's own."""
    command: Words | None = None
    """What runs the file, in place of Python: `bash`, `torchrun`; without a file, all that is run: `python -m mine`."""
    arguments: Words = "{flags}"
    """What the script is given, with placeholders; `{flags}` is a flag for each parameter and setting that has none."""
    style: Literal["--name=value", "--name value", "name=value", "environment"] = "--name=value"
    """How flags are written; `environment` makes them variables instead."""
    environment: Annotated[dict[str, str], BeforeValidator(_plain_words)] = Field(default_factory=dict)
    """Variables of the script's environment, with placeholders."""
    metrics: dict[Name, str] = Field(default_factory=dict)
    """For each metric the pattern of a line that tells it, or what the script calls it; by default what the search
    compares, by name."""
    epoch: str = "epoch"
    """The pattern of a line that tells the epoch, or what the script calls it; where it tells none, reports are
    counted."""
    results: str | None = None
    """A JSON file that the script leaves, relative to its working directory, with metrics in it."""
    keep: list[str] = Field(default_factory=list)
    """Patterns of the files in its working directory that are kept with the trial, such as `output/*.png`."""
    verify: Words | None = None
    """A script that checks a finalist's `model.onnx`, and its arguments: `check.py --model={model}`."""

    @property
    def name(self) -> str:
        """What it is called."""
        return self.file or " ".join(words_of(self.command))

    @property
    def texts(self) -> list[str]:
        """All that may have placeholders and is given to the script."""
        return [*words_of(self.command), *words_of(self.arguments), *self.environment.values()]

    @property
    def identity(self) -> dict[str, Any]:
        """What trials are made of: where the folder lies, what is kept, and how a model is checked are none of it."""
        return self.model_dump(mode="json", exclude={"folder", "keep", "verify"})

    def starts(self, processes: int) -> int:
        """How many processes of it train a trial together: Python is started for each GPU, other programs once."""
        words = words_of(self.command)
        return processes if not words or PurePosixPath(words[0]).name.startswith(PYTHON) else 1

    def unread(self, names: Collection[str]) -> list[str]:
        """Those of the names that the script is never told: they have no placeholder, and neither flags nor a file."""
        used = {name.partition(".")[0] for text in self.texts for name in placeholders(text)}
        if used & {FLAGS, PARAMS} - set(names) or self.style == "environment":
            return []
        return [name for name in names if name not in used]


def with_script(data: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The definition's fields with the script's paths written out, and its workload, which runs it.

    Args:
        data: the fields as written.
        folder: that paths are relative to.
    """
    section = {"file": data["script"]} if isinstance(data.get("script"), str) else data.get("script")
    if not isinstance(section, Mapping):
        return data
    section = dict(section)
    file, own = section.get("file"), section.get("folder")
    if isinstance(file, str | None) and isinstance(own, str | None):
        base = folder.absolute()
        path = Path(os.path.normpath(base / file)) if file else None
        root = Path(os.path.normpath(base / own)) if own else path.parent if path else base
        section["folder"] = str(root)
        if path is not None:
            section["file"] = Path(os.path.relpath(path, root)).as_posix()
    return {"workload": SCRIPT, **data, "script": section}


def script_faults(script: Script, fields: Mapping[str, Any]) -> Iterator[Fault]:
    """What is wrong with a script beside its fields' types.

    Args:
        script: as written, its paths written out.
        fields: the definition's.
    """
    if fields.get("workload") != SCRIPT:
        yield Fault(("script",), "is given beside workload; allowed: one of them")
    yield from _file_faults(script)
    names = [*_names(fields, "space"), *_names(fields, "settings")]
    yield from _placeholder_faults(script, names, fields)
    for place, text in (
        *((("metrics", name), text) for name, text in script.metrics.items()),
        (("epoch",), script.epoch),
    ):
        try:
            pattern_of(text)
        except ValueError as error:
            yield Fault(("script", *place), f"{shown(text)} {error}")
    for at, pattern in enumerate(script.keep):
        if not pattern or pattern.startswith(("/", "~")) or ".." in PurePosixPath(pattern).parts:
            yield _fault(("keep", at), pattern, "a pattern of files in the script's working directory")


def script_warnings(script: Script, fields: Mapping[str, Any], source: Mapping[str, bytes]) -> Iterator[str]:
    """What is right and yet may not be meant.

    Args:
        script: of the definition.
        fields: the definition's.
        source: the files that travel.
    """
    names = _names(fields, "space")
    unread = script.unread(names)
    for name in unread:
        yield f"script.arguments: {script.name} is never told of {name}: write {{{name}}}, {{flags}} or {{params}}"
    for name in names:
        if name not in unread and script.file and not _is_named(name, source):
            yield f"{script.name} and the files beside it never name {name}: does it read the parameter?"
    epochs = fields.get("epochs") or {}
    if epochs.get("partial") != epochs.get("full") and not tells_epochs(script.model_dump(), fields):
        yield f"script.arguments: {script.name} is never told how far to train: write {{epochs}}"


def _is_named(name: str, source: Mapping[str, bytes]) -> bool:
    """Whether any file has the word, as it is or with hyphens, as argparse has it."""
    word = re.compile(rb"(?<!\w)" + re.escape(name.encode()).replace(b"_", b"[-_]") + rb"(?!\w)")
    return any(map(word.search, source.values()))


def _file_faults(script: Script) -> Iterator[Fault]:
    folder = Path(script.folder or ".")
    if script.file is None and script.command is None:
        yield Fault(("script", "file"), "is missing; give the script, or a command that needs none")
    elif not folder.is_dir():
        yield Fault(("script", "folder"), f"there is no folder {folder}")
    for field, words in (("file", [script.file] if script.file else []), ("verify", _words(script.verify)[:1])):
        for name in words:
            if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
                yield _fault((field,), name, f"a file in {folder}, the folder that travels")
            elif folder.is_dir() and not (folder / name).is_file() and (field == "file" or name.endswith(".py")):
                yield Fault(("script", field), f"there is no file {folder / name}")


def _placeholder_faults(script: Script, names: Collection[str], fields: Mapping[str, Any]) -> Iterator[Fault]:
    given = [*names, *OWN, FLAGS]
    places: list[tuple[tuple[str | int, ...], Any, Collection[str]]] = [
        (("command",), script.command, given),
        (("arguments",), script.arguments, given),
        *((("environment", name), [text], given) for name, text in script.environment.items()),
        (("verify",), script.verify, [*given, MODEL]),
        (("results",), [script.results] if script.results else [], given),
    ]
    for place, text, allowed in places:
        try:
            words = words_of(text)
        except ValueError as error:
            yield Fault(("script", *place), f"{shown(text)} cannot be split into words: {str(error).lower()}")
            continue
        for word in words:
            try:
                for name in placeholders(word):
                    if name not in allowed and not _leads_on(fields, name.partition(".")[0]):
                        yield Fault(("script", *place), f"{{{name}}}: {unknown(name, allowed, 'placeholder')}")
                    elif name == FLAGS and word != f"{{{FLAGS}}}":
                        yield Fault(
                            ("script", *place), f"found {shown(word)}; allowed: {{{FLAGS}}} as a word of its own"
                        )
            except ValueError as error:
                yield Fault(("script", *place), f"{shown(word)}: {error}")


def tells_epochs(section: Mapping[str, Any], fields: Mapping[str, Any]) -> bool:
    """Whether the script is told how far to train; a parameter or setting of that name is not meant."""
    if EPOCHS in _names(fields, "space") or EPOCHS in _names(fields, "settings"):
        return False
    environment = section.get("environment")
    texts = [section.get("command"), section.get("arguments"), environment]
    return f"{{{EPOCHS}}}" in str(texts)


def _names(fields: Mapping[str, Any], field: str) -> list[str]:
    value = fields.get(field)
    return list(value) if isinstance(value, Mapping) else []


def _leads_on(fields: Mapping[str, Any], name: str) -> bool:
    """Whether values of a parameter or setting may have names in them, to which dots lead."""
    if name in _names(fields, "settings"):
        return isinstance(fields["settings"][name], Mapping)
    if name not in _names(fields, "space"):
        return False
    try:
        parameter = read_parameter(fields["space"][name])
    except DefinitionError:
        return True  # which is told where the space is read
    return isinstance(parameter, OneOf) or isinstance(parameter.middle(), Mapping)


def _words(words: Any) -> list[str]:
    try:
        return words_of(words)
    except ValueError:
        return []


def _fault(place: tuple[str | int, ...], value: Any, allowed: str) -> Fault:
    return Fault(("script", *place), f"found {shown(value)}; allowed: {allowed}")
