"""What every workload must pass. Subclass `WorkloadConformance` and say which workload, with tiny data and models."""

import io
import os
import subprocess
import sys
from dataclasses import replace
from typing import Any, ClassVar

import pytest

from windtunnel.definition.model import Definition
from windtunnel.ledger import Ledger, Request, Result, State
from windtunnel.ledger.ids import trial_id
from windtunnel.space import Space
from windtunnel.workload.contract import known_values, load_workload
from windtunnel_trainer import checkpoints, units
from windtunnel_trainer.trial import Trial

CONFIG = "0123456789abcdef"


class Cut(BaseException):
    """The process dies here."""


class WorkloadConformance:
    """The workload to test.

    Attributes:
        workload: dotted name of its module.
        params: a quick configuration.
        data: the definition's `data`.
        settings: the definition's `settings`.
        objectives: the definition's `objectives`.
        continuations: pairs of epochs; training to the first and on to the second is training to the second.
        space: the searched parameters, where the workload has no `space()`.
    """

    workload: ClassVar[str]
    params: ClassVar[dict[str, Any]]
    data: ClassVar[dict[str, Any]] = {}
    settings: ClassVar[dict[str, Any]] = {}
    objectives: ClassVar[dict[str, str]] = {"val_acc": "maximize"}
    continuations: ClassVar[list[tuple[float, float]]] = [(0.1, 0.4), (0.5, 1), (0.3, 1.7), (1, 2), (0.97, 1.5)]
    space: ClassVar[dict[str, Any] | None] = None

    @pytest.fixture(scope="class")
    @classmethod
    def run(cls, tmp_path_factory):
        """Trains in ledgers of one folder, on one thread, as bits depend on their number."""
        import torch

        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        yield Runs(cls, str(tmp_path_factory.mktemp("store")))
        torch.set_num_threads(threads)

    def test_space_and_cost_need_no_torch(self):
        code = (
            "import sys; sys.modules |= dict.fromkeys(['torch', 'numpy', 'onnx', 'onnxruntime', 'sklearn'])\n"
            "from windtunnel.workload.contract import load_workload, known_values\n"
            f"workload = load_workload({self.workload!r})\n"
            "(workload.space or dict)()\n"
            f"known_values({self.workload!r}, {self.params!r}, {self.settings!r})\n"
        )
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    def test_the_space_holds_the_configuration(self):
        described = self.space or load_workload(self.workload).space()
        assert Space.parse(described).contains(self.params)

    def test_cost_is_never_negative_and_never_changes(self):
        cost = known_values(self.workload, self.params, self.settings)
        assert all(value >= 0 for value in cost.values())
        assert cost == known_values(self.workload, self.params, self.settings)

    def test_the_same_seed_gives_the_same_bits(self, run):
        first, second = run.train(1.3), run.train(1.3)
        assert_same(first.state(1.3), second.state(1.3))
        assert first.curve(1.3) == second.curve(1.3)

    def test_another_seed_gives_another_result(self, run):
        first, second = run.train(0.2, seed=1), run.train(0.2, seed=2)
        with pytest.raises(AssertionError):
            assert_same(first.state(0.2)["objects"], second.state(0.2)["objects"])

    @pytest.mark.parametrize("at", ["last", "best"])
    def test_going_on_is_training_in_one_go(self, run, at):
        for first, second in self.continuations:
            whole = run.train(second, at=at)
            part = run.train(first, at=at)
            part.train(second, continue_from=trial_id(CONFIG, first))
            assert_same(whole.state(second), part.state(second), f"{first} to {second}")
            assert whole.curve(second) == part.curve(second), f"{first} to {second}"

    @pytest.mark.parametrize("share", [0.0, 0.4, 0.99])
    def test_a_trial_that_was_cut_off_ends_as_if_it_was_not(self, run, share, monkeypatch):
        monkeypatch.setenv("WINDTUNNEL_CHECKPOINT_SECONDS", "0")
        save, written = checkpoints.save, []
        monkeypatch.setattr(checkpoints, "save", lambda *given: written.append(save(*given)))
        whole = run.train(1.6)
        end = int(share * len(written))
        written.clear()

        def save_or_die(*given):
            if len(written) >= max(1, end):
                raise Cut
            written.append(save(*given))

        cut = run.new()
        with pytest.MonkeyPatch.context() as patch, pytest.raises(Cut):
            patch.setattr(checkpoints, "save", save_or_die)
            cut.train(1.6)
        cut.train(1.6)
        assert_same(whole.state(1.6), cut.state(1.6))
        assert whole.curve(1.6) == cut.curve(1.6)

    def test_the_exported_model_passes_verification(self, run):
        trained = run.train(1)
        found = units.verify(trained.ledger, trained.definition, trained.request(1))
        assert found.state is State.COMPLETED
        assert found.metrics["max_logit_diff"] <= 1e-3

    def test_training_does_not_see_the_test_data(self, run, monkeypatch):
        seen = []
        load = Trial.load
        monkeypatch.setattr(Trial, "load", lambda trial, split: seen.append(split) or load(trial, split))
        run.train(0.1)
        assert seen
        assert "test" not in seen


class Runs:
    """Makes runs of a workload that share its prepared data."""

    def __init__(self, of: type[WorkloadConformance], store: str) -> None:
        self._of, self._store, self._count = of, store, 0

    def new(self, at: str = "last", seed: int = 0) -> "One":
        of = self._of
        definition = Definition(
            name="conformance",
            workload=of.workload,
            data=of.data,
            settings=of.settings,
            space=of.space,
            objectives=of.objectives,
            epochs={"partial": 0.1, "full": 2},
            objective_at=at,
        )
        ledger = Ledger.open(f"{self._store}/conformance/{self._count}")
        first = Ledger.open(f"{self._store}/conformance/0")
        self._count += 1
        units.prepare(first, definition)
        for entry in list(first.store.list(first.path("data/"))):
            ledger.store.put(ledger.path(entry.path.removeprefix(first.path(""))), first.store.get(entry.path))
        return One(ledger, definition, dict(of.params), seed)

    def train(self, epochs: float, **more: Any) -> "One":
        one = self.new(**more)
        one.train(epochs)
        return one


class One:
    """One run."""

    def __init__(self, ledger: Ledger, definition: Definition, params: dict[str, Any], seed: int) -> None:
        self.ledger, self.definition, self._params, self._seed = ledger, definition, params, seed

    def request(self, epochs: float, continue_from: str | None = None) -> Request:
        return Request(
            trial=trial_id(CONFIG, epochs),
            config=CONFIG,
            params=self._params,
            epochs=epochs,
            seed=self._seed,
            stage="1",
            known=known_values(self.definition.workload, self._params, self.definition.settings),
            continue_from=continue_from,
        )

    def train(self, epochs: float, continue_from: str | None = None) -> Result:
        return units.train(self.ledger, self.definition, self.request(epochs, continue_from))

    def state(self, epochs: float) -> dict[str, Any]:
        """All that the trial ends with but its times: weights, optimiser, generators, reports, exported weights."""
        import torch

        trial = trial_id(CONFIG, epochs)
        progress, objects = checkpoints.load(self.ledger, trial, CONFIG)
        progress = replace(progress, seconds=0.0, reports=[replace(report, seconds=0.0) for report in progress.reports])
        if progress.best:
            progress.best["report"]["seconds"] = 0.0
        exported = torch.load(io.BytesIO(self.ledger.store.get(self.ledger.trial_path(trial, "weights.pt"))))
        return {"progress": progress.to_state(), "objects": objects, "exported": exported}

    def curve(self, epochs: float) -> list[Any]:
        progress, _ = checkpoints.load(self.ledger, trial_id(CONFIG, epochs), CONFIG)
        return [(report.epoch, report.metrics) for report in progress.reports]


def assert_same(one: Any, other: Any, where: str = "") -> None:
    """Equal to the last bit, through all containers and tensors."""
    import torch

    if isinstance(one, torch.Tensor):
        assert isinstance(other, torch.Tensor), where
        assert one.dtype == other.dtype and torch.equal(one, other), where
    elif isinstance(one, dict):
        assert isinstance(other, dict) and one.keys() == other.keys(), where
        for key in one:
            assert_same(one[key], other[key], f"{where}.{key}")
    elif isinstance(one, (list, tuple)):
        assert len(one) == len(other), where
        for index, (mine, theirs) in enumerate(zip(one, other, strict=True)):
            assert_same(mine, theirs, f"{where}[{index}]")
    else:
        assert one == other, where
