from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from tests.conformance.workloads import WorkloadConformance
from windtunnel import stages
from windtunnel.definition import load_definition, resolve
from windtunnel.engine import Engine
from windtunnel.ledger import Ledger, State
from windtunnel.report import collect
from windtunnel.report.stages import caps
from windtunnel.space import Space
from windtunnel.stores import open_store
from windtunnel_trainer.data import Preparation, load_split
from windtunnel_trainer.workloads import vertex_mnist
from windtunnel_trainer.workloads.images import write_splits

EXAMPLE = Path(__file__).parents[3] / "include/searches/vertex_mnist.yaml"


class TestConformance(WorkloadConformance):
    workload = "windtunnel_trainer.workloads.vertex_mnist"
    params: ClassVar = {"kernel_1": 3, "filters_1": 0.75, "kernel_2": 5, "filters_2": 1.25}
    data: ClassVar = {"dataset": "mnist_or_digits", "limit": 200}
    settings: ClassVar = {"image_size": 28, "lr": 0.005, "batch_size": 16, "normalize": True}
    objectives: ClassVar = {"val_acc": "maximize", "flops": "minimize"}


@pytest.mark.parametrize("params", list(Space.parse(vertex_mnist.space()).enumerate())[::7])
def test_cost_is_what_torch_counts(params):
    settings = {"image_size": 28}
    model = vertex_mnist.build(params, settings).eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        assert model(torch.zeros(1, 1, 28, 28)).shape == (1, 10)
    known = vertex_mnist.cost(params, settings)
    assert known["flops"] == counter.get_total_flops()
    assert known["params"] == sum(each.numel() for each in model.parameters())


def test_the_digits_stand_in_for_mnist_where_no_folder_is_given(tmp_path, monkeypatch):
    monkeypatch.delenv("WINDTUNNEL_DATA", raising=False)
    ledger = Ledger.open(f"{tmp_path}/search/run")
    data = Preparation(ledger, {"dataset": "mnist_or_digits"})
    write_splits(data)
    data.finish()
    images = load_split(ledger, "train")["images"]
    assert images.shape[1:] == (1, 28, 28) and images.dtype == np.uint8
    assert images.max() == 255 and not images[:, :, :2].any()


@pytest.mark.slow
def test_the_example_keeps_vertex_caps(tmp_path, monkeypatch):
    monkeypatch.delenv("WINDTUNNEL_DATA", raising=False)
    definition = resolve(load_definition(EXAMPLE))
    assert Space.parse(definition.space).size() == 36
    small = {"data": definition.data | {"limit": 200}, "epochs": definition.epochs.model_copy(update={"full": 1.0})}
    ledger = Ledger(open_store(str(tmp_path)), "vertex_mnist", "run")
    models = Engine(stages.begin(definition.model_copy(update=small), ledger, "s")).perform()
    snapshot = collect(ledger)
    assert caps(snapshot) == {"trials": (10, 10), "at once": (0, 2), "failed": (0, 3)}
    assert len(snapshot.trials) == 10 and {trial.state for trial in snapshot.trials} == {State.COMPLETED}
    assert len(models) == 1
