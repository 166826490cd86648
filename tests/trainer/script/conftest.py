import subprocess
import sys
import textwrap
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.runs import begin_by_hand
from windtunnel.definition import Definition, load_definition, resolve
from windtunnel.definition.program import program_of
from windtunnel.ledger import Job, Ledger, Request, Result
from windtunnel.ledger.curves import read_points
from windtunnel.ledger.ids import trial_id
from windtunnel.stores import open_store
from windtunnel.workload.files import SCRIPT
from windtunnel.workload.source import upload_source
from windtunnel_trainer import units

CONFIG = "0123456789abcdef"
EPOCHS = {"partial": 3, "full": 6}


@dataclass
class Lab:
    """A folder with a script and its definition, whose trials run in this process."""

    folder: Path
    definition: Definition
    ledger: Ledger
    stop: Any = None
    starts: dict[str, int] = field(default_factory=dict)

    def request(self, params: dict[str, Any] | None = None, epochs: float = 3, **more: Any) -> Request:
        """What is asked of a trial."""
        return Request(
            trial=trial_id(CONFIG, epochs),
            config=CONFIG,
            params=params or {"lr": 0.1},
            epochs=epochs,
            stage="1",
            iteration=1,
            **{"seed": self.definition.trial_seed, **more},
        )

    def train(self, params: dict[str, Any] | None = None, epochs: float = 3, **more: Any) -> Result:
        """Train a trial; a second time it is one that is started again."""
        request = self.request({"lr": 0.1} if params is None else params, epochs, **more)
        self.starts[request.trial] = self.starts.get(request.trial, 0) + 1
        first = self.starts[request.trial] == 1
        return units.train(self.ledger, self.definition, request, self.stop, first_start=first)

    def start_job(self, epochs: float = 3, *, lr: float = 0.1) -> subprocess.Popen[bytes]:
        """Start a job of one trial, as a launcher does."""
        trial = trial_id(CONFIG, epochs)
        if self.ledger.result(trial) is None and "1-0" not in self.starts:
            self.ledger.begin_trial(self.request({"lr": lr}, epochs))
            self.ledger.create_job(Job(job="1-0", stage="1", units=[trial]))
        self.starts["1-0"] = 1
        command = [sys.executable, "-m", "windtunnel_trainer", self.ledger.url, "1-0", "--digest", self.ledger.digest]
        return subprocess.Popen(command, start_new_session=True)

    def result(self, epochs: float = 3) -> Result:
        """How a trial has ended."""
        result = self.ledger.result(trial_id(CONFIG, epochs))
        assert result is not None
        return result

    def curve(self, metric: str, epochs: float = 3) -> list[tuple[float, float | None]]:
        """What a trial has reported: epochs and values."""
        points = read_points(self.ledger, trial_id(CONFIG, epochs))
        return [(point["epoch"], point[metric]) for point in points if metric in point]

    def files(self, epochs: float = 3) -> list[str]:
        """The names of a trial's files."""
        folder = self.ledger.trial_path(trial_id(CONFIG, epochs), "")
        return [entry.path.removeprefix(folder) for entry in self.ledger.store.list(folder)]


@pytest.fixture
def lab(tmp_path):
    """Makes a lab of a script's text, a section `script`, more fields of the definition, and more files."""

    def make(text: str, script: Any = None, files: dict[str, str] | None = None, store: str = "", **fields: Any) -> Lab:
        folder = tmp_path / "lab"
        folder.mkdir()
        for name, content in {"train.py": text, **(files or {})}.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(textwrap.dedent(content))
        section = {"file": "train.py", **(script or {})}
        written = {
            "script": section,
            "space": {"lr": {"type": "float", "low": 0.0, "high": 1.0}},
            "objectives": {"accuracy": "maximize"},
            **fields,
        }
        file = folder / "search.yaml"
        file.write_text(yaml.safe_dump(written))
        definition = resolve(load_definition(file))
        ledger = Ledger(open_store(store or str(tmp_path / "store")), "lab", "run")
        archive = upload_source(ledger, SCRIPT, program_of(definition))
        return Lab(folder, definition, begin_by_hand(ledger, definition, archive))

    return make
