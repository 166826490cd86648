"""Where a script runs: a folder of the trial's own with a copy of the script's, and its environment."""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from windtunnel.definition import Definition
from windtunnel.definition.script import Script
from windtunnel.errors import WorkloadError
from windtunnel.ledger import Ledger
from windtunnel.script import REPORTS
from windtunnel.workload.placeholders import filled, filled_words, flags_of, placeholders, spelled, words_of
from windtunnel.workload.source import archived
from windtunnel_trainer.data import raw_data_folder
from windtunnel_trainer.process_group import ProcessGroup
from windtunnel_trainer.script.work import WorkFolder

# What `import windtunnel` finds in a script's Python: the installed package where there is one, else its helper alone.
_STAND_IN = '''\
"""Windtunnel, for a script: the installed one, or only what a script may import of it."""

import os
import sys
from importlib.machinery import PathFinder

_here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_spec = PathFinder.find_spec(__name__, [path for path in sys.path if os.path.abspath(path or ".") != _here])
if _spec is not None and _spec.loader is not None:
    __path__ = list(_spec.submodule_search_locations or [])
    __file__ = _spec.origin
    exec(_spec.loader.get_code(__name__), globals())
'''


_LARGEST_RESULTS = 16 * 1024 * 1024  # bytes of a JSON file of results

# Lines come at once; of the processes that torchrun starts, the first one's do: each metric counts once.
_DEFAULTS = {"PYTHONUNBUFFERED": "1", "PET_LOCAL_RANKS_FILTER": "0"}


class Place:
    """The folders of one run of a script.

    Attributes:
        work: its working folder, which begins as a copy of the script's folder.
        output: a folder in it.
        reports: the file that `windtunnel.script.report` writes to.
        checkpoint: the folder that lives on, which is not made here.
        script: of the definition.
    """

    def __init__(self, base: Path, ledger: Ledger, definition: Definition) -> None:
        """Make the folders.

        Args:
            base: an empty folder for all of them.
            ledger: of the run.
            definition: with a script.

        Raises:
            WorkloadError: the script's files are not there.
        """
        assert definition.script is not None
        self.script: Script = definition.script
        self._definition = definition
        self._base = base
        self.work = WorkFolder.make(base, archived(ledger))
        self.checkpoint = base / "checkpoint"
        self.output, self.reports = self.work.folder / "output", base / "reports.jsonl"
        self.output.mkdir(exist_ok=True)
        stand_in = base / "path" / "windtunnel"
        stand_in.mkdir(parents=True)
        (stand_in / "__init__.py").write_text(_STAND_IN)
        (stand_in / "script.py").write_text(Path(sys.modules["windtunnel.script"].__file__ or "").read_text())

    def told(self, line: str) -> str:
        """A line that a script wrote without the place's own folders, which nobody knows and which go."""
        return line.replace(f"{self.work.folder}/", "").replace(f"{self._base}/", "")

    def results(self, values: Mapping[str, Any]) -> str | None:
        """What the file of results says that the definition names; None where it names none, or the script left none.

        Raises:
            WorkloadError: it is not in the working directory, or too large.
        """
        name = self.script.results and filled(self.script.results, values)
        if not name:
            return None
        file = self.work.folder / name
        if not file.resolve().is_relative_to(self.work.folder.resolve()):
            raise WorkloadError(f"script.results: {name} is not in the script's working directory")
        if not file.is_file():
            ProcessGroup().say(f"script.results: the script left no {name}")
            return None
        if file.stat().st_size > _LARGEST_RESULTS:
            raise WorkloadError(f"script.results: {name} has more than {_LARGEST_RESULTS:,} bytes")
        return file.read_text(encoding="utf-8", errors="replace")

    def values(self, params: Mapping[str, Any], settings: Mapping[str, Any], **own: Any) -> dict[str, Any]:
        """The placeholders' values.

        Args:
            params: of the configuration; `{params}` is a JSON file of these and the settings.
            settings: of the definition.
            **own: those that are known of this run alone.
        """
        given = {**settings, **params}
        file = self._base / "params.json"
        file.write_text(json.dumps(given, ensure_ascii=False), encoding="utf-8")
        data = raw_data_folder(self._definition.data)
        known = {
            "seed": self._definition.trial_seed,
            "output": str(self.output),
            "checkpoint": str(self.checkpoint),
            "params": str(file),
            **({"data": str(data.absolute())} if data is not None else {}),
            **({"script": self.script.file} if self.script.file else {}),
        }
        return {**known, **own, **given}

    def command(self, values: Mapping[str, Any], given: Mapping[str, Any]) -> list[str]:
        """The command line.

        Args:
            values: the placeholders'.
            given: parameters and settings, of which those without a placeholder become flags.

        """
        script = self.script
        self._tell_of_data(script.texts, values)
        named = {name.partition(".")[0] for text in script.texts for name in placeholders(text)}
        flags = flags_of({name: value for name, value in given.items() if name not in named}, script.style)
        words = words_of(script.command)
        command = filled_words(words, values) if words else [sys.executable]
        if script.file and "{script}" not in " ".join(words):
            command.append(script.file)
        return command + filled_words(words_of(script.arguments), values, flags)

    def check_command(self, values: Mapping[str, Any]) -> list[str]:
        """The command line of what checks a model; its path is the last word where none has it."""
        words = words_of(self.script.verify)
        self._tell_of_data(words, values)
        python = [sys.executable] if words[0].endswith(".py") else []
        last = [] if any("{model}" in word for word in words) else [str(values["model"])]
        return python + filled_words(words, values) + last

    def environment(self, values: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, str]:
        """All variables: this process's, the definition's, and those by which the script finds Windtunnel."""
        plain = {name: spelled(value) for name, value in given.items()} if self.script.style == "environment" else {}
        texts = {name: filled(text, values) for name, text in self.script.environment.items()}
        own = {name: text for name, text in texts.items() if text is not None}
        before = _DEFAULTS | dict(os.environ) | plain | own
        paths = {
            "PATH": (str(Path(sys.executable).parent), before.get("PATH", os.defpath)),
            "PYTHONPATH": (str(self._base / "path"), before.get("PYTHONPATH", "")),
        }
        joined = {name: os.pathsep.join(part for part in parts if part) for name, parts in paths.items()}
        return before | joined | {REPORTS: str(self.reports)}

    def _tell_of_data(self, texts: list[str], values: Mapping[str, Any]) -> None:
        if "data" not in values and any("data" in placeholders(text) for text in texts):
            ProcessGroup().say("no folder of data is given (DATA=…, or data.folder): {data} is left out")
