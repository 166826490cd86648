import numpy as np
import onnx
import pytest
import torch
from torch import nn

from tests.trainer.conftest import CONFIG
from windtunnel.errors import WorkloadError
from windtunnel.ledger import State
from windtunnel.ledger.ids import trial_id
from windtunnel_trainer import export, latency
from windtunnel_trainer.trial import Trial

TRIAL = trial_id(CONFIG, 2.0)


@pytest.fixture
def trial(bench):
    made = bench()
    trial = Trial(made.ledger, made.definition, made.request(2.0))
    trial.bench = made
    return trial


def output(trial, *inputs):
    """What the exported model gives."""
    runner = latency.session(export.exported_model(trial.bench.ledger, TRIAL))
    names = [entry.name for entry in runner.get_inputs()]
    return runner.run(None, dict(zip(names, inputs, strict=True)))[0]


class OddPool(nn.Module):
    """Pools ten numbers into four, which the exporter that traces has no word for."""

    def __init__(self):
        super().__init__()
        self.pool, self.last = nn.AdaptiveAvgPool1d(4), nn.Linear(4, 2)

    def forward(self, x):
        return self.last(self.pool(x[:, None])[:, 0])


def decorated():
    """A model whose forward is compiled by a decorator, where no copy of it is written down."""

    class Decorated(nn.Module):
        def __init__(self):
            super().__init__()
            self.last = nn.Linear(10, 2)

        @torch.compile  # which imports torch's compiler, and takes its time
        def forward(self, x):
            return self.last(x)

    return Decorated()


def in_place():
    model = nn.Sequential(nn.Linear(10, 2))
    model[0].compile()
    return model


@pytest.mark.parametrize(
    "build",
    [
        lambda: torch.compile(nn.Linear(10, 2)),
        lambda: nn.Sequential(nn.Linear(10, 4), torch.compile(nn.Linear(4, 2))),
        lambda: nn.DataParallel(torch.compile(nn.Linear(10, 2))),
        in_place,
        pytest.param(OddPool, marks=pytest.mark.slow),
        pytest.param(lambda: torch.compile(OddPool()), marks=pytest.mark.slow),
        pytest.param(decorated, marks=pytest.mark.slow),
    ],
    ids=["compiled", "part", "parallel", "in-place", "pool", "compiled-pool", "decorated"],
)
def test_a_model_is_exported_for_any_size_of_batch_though_tracing_cannot(trial, build):
    model = build()
    trial.export_onnx(model, torch.zeros(1, 10))
    x = np.random.default_rng(0).normal(size=(5, 10)).astype(np.float32)
    with torch.inference_mode():
        assert np.allclose(output(trial, x), export._innermost(model)(torch.from_numpy(x)), atol=1e-5)
    assert not model.training
    assert not any("_orig_mod" in name for name in export.exported_weights(trial.bench.ledger, TRIAL))


@pytest.mark.slow
def test_a_model_that_neither_exporter_takes_is_told_in_one_line(trial, capfd):
    with pytest.raises(
        WorkloadError, match=r"cannot be exported to ONNX: .*; by the other exporter: .*save_onnx"
    ) as told:
        trial.export_onnx(Unknown(), torch.ones(2, 10))
    assert "linalg_eig" in str(told.value).partition("by the other exporter")[2]
    assert "\n" not in str(told.value) and "\x1b" not in str(told.value)
    assert "torchvision" not in capfd.readouterr().err


class Unknown(nn.Module):
    """Computes with what no exporter knows."""

    def forward(self, x):
        return torch.linalg.eigvals(x[:, :2, None] * x[:, None, :2]).real


def test_the_version_of_the_operators_may_be_chosen(trial):
    trial.export_onnx(nn.Linear(4, 3), torch.zeros(1, 4), opset=15)
    model = onnx.load_from_string(export.exported_model(trial.bench.ledger, TRIAL))
    assert model.opset_import[0].version == 15


def made_by_hand(folder, in_parts=False):
    """An ONNX file of one's own, of the model that it comes with."""
    model = nn.Linear(4, 3).eval()
    file = folder / "own.onnx"
    with export.made(model, torch.zeros(2, 4)) as made:
        onnx.save(
            onnx.load(str(made)),
            str(file),
            save_as_external_data=in_parts,
            location="own.data",
            size_threshold=0,
        )
    return model, file


@pytest.mark.parametrize("in_parts", [False, True])
def test_an_onnx_file_of_ones_own_is_verified_like_any_other(bench, tmp_path, in_parts):
    made = bench()
    trial = Trial(made.ledger, made.definition, made.ledger.begin_trial(made.request(2.0)))
    model, file = made_by_hand(tmp_path, in_parts)
    assert (tmp_path / "own.data").exists() == in_parts
    trial.save_onnx(file, model)
    assert trial.exported
    assert made.verify(2.0).state is State.COMPLETED


def test_an_onnx_model_of_ones_own_may_be_bytes(trial, tmp_path):
    _, file = made_by_hand(tmp_path)
    trial.save_onnx(file.read_bytes())
    assert export.exported_model(trial.bench.ledger, TRIAL) == file.read_bytes()


def test_what_is_no_whole_onnx_model_is_refused(trial, tmp_path):
    _, file = made_by_hand(tmp_path, in_parts=True)
    with pytest.raises(WorkloadError, match="other files: give the path, not the bytes"):
        trial.save_onnx(file.read_bytes())
    with pytest.raises(WorkloadError, match="this is no ONNX model"):
        trial.save_onnx(b"something else")
    with pytest.raises(WorkloadError, match="this is no ONNX model: FileNotFoundError"):
        trial.save_onnx(tmp_path / "nothing.onnx")
    assert "model.onnx" not in trial.bench.files()
    assert not trial.exported


def test_an_onnx_model_of_ones_own_is_of_the_best_weights(bench):
    made = bench(objective_at="best")
    trial = Trial(made.ledger, made.definition, made.request(2.0))
    model = nn.Linear(4, 3)
    trial.restore(model=model)
    for epoch in trial.epochs(1):
        list(epoch.batches(2, 2))
        model.weight.data.fill_(epoch.index)
        trial.report(val_acc=[0.9, 0.5][epoch.index])
        trial.checkpoint(model=model)
    with (
        export.made(model, torch.zeros(1, 4)) as file,
        pytest.raises(WorkloadError, match=r"call trial.load_best\(mod"),
    ):
        trial.save_onnx(file, model)
    trial.load_best(model)
    assert torch.equal(model.weight, torch.zeros(3, 4))
    with export.made(model, torch.zeros(1, 4)) as file:
        trial.save_onnx(file, model)


def test_a_model_that_fits_into_no_file_is_refused_in_one_line(trial, tmp_path, monkeypatch):
    _, file = made_by_hand(tmp_path, in_parts=True)
    monkeypatch.setattr(export, "_LARGEST", 50)
    with pytest.raises(
        WorkloadError, match=r"the model has 60 bytes of weights, and an ONNX file holds 50 bytes at most"
    ):
        trial.export_onnx(nn.Linear(4, 3), torch.zeros(1, 4))
    with pytest.raises(WorkloadError, match=r"with its other files it has \d+ bytes, and an ONNX file holds 50 bytes"):
        trial.save_onnx(file)
    assert "model.onnx" not in trial.bench.files()
