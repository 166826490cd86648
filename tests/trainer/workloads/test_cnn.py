import json
from typing import ClassVar

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from tests.conformance.workloads import WorkloadConformance
from windtunnel.errors import DefinitionError
from windtunnel_trainer.workloads import cnn


class TestConformance(WorkloadConformance):
    workload = "windtunnel_trainer.workloads.cnn"
    params: ClassVar = {"nb_layers": 2, "kernel_size": 3, "hidden_dim": 16}
    data: ClassVar = {"dataset": "digits", "limit": 200}
    settings: ClassVar = {"image_size": 8, "lr": 0.005, "batch_size": 16, "schedule": "cosine", "normalize": True}
    objectives: ClassVar = {"val_acc": "maximize", "flops": "minimize"}


@pytest.mark.parametrize("kernel_size", [1, 3, 5, 7])
@pytest.mark.parametrize(("nb_layers", "hidden_dim", "image_size"), [(1, 16, 28), (3, 32, 8), (12, 16, 8)])
def test_cost_is_what_torch_counts(nb_layers, kernel_size, hidden_dim, image_size):
    params = {"nb_layers": nb_layers, "kernel_size": kernel_size, "hidden_dim": hidden_dim}
    model = cnn.build(params).eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        logits = model(torch.zeros(1, 1, image_size, image_size))
    known = cnn.cost(params, {"image_size": image_size})
    assert logits.shape == (1, 10)
    assert known["flops"] == counter.get_total_flops()
    assert known["params"] == sum(p.numel() for p in model.parameters() if p.requires_grad)


def test_limits_leave_as_many_networks_as_archai_has():
    costs = [
        cnn.cost({"nb_layers": n, "kernel_size": k, "hidden_dim": h}, {"image_size": 28})
        for n in range(1, 13)
        for k in (1, 3, 5, 7)
        for h in (16, 32, 64, 128)
    ]
    assert len(costs) == 192
    assert sum(cost["params"] <= 1e6 and cost["flops"] <= 1e9 for cost in costs) == 151


@pytest.mark.parametrize("kernel_size", [1, 3, 5, 7])
def test_padding_keeps_the_image(kernel_size):
    model = cnn.build({"nb_layers": 2, "kernel_size": kernel_size, "hidden_dim": 4})
    assert model[:6](torch.zeros(2, 1, 5, 5)).shape == (2, 4, 5, 5)


def test_settings_name_what_is_wrong():
    with pytest.raises(DefinitionError, match=r"settings\.learning_rate: no such field.*allowed: .*lr"):
        cnn.cost({"nb_layers": 1, "kernel_size": 1, "hidden_dim": 1}, {"image_size": 8, "learning_rate": 1})
    with pytest.raises(DefinitionError, match=r"settings\.image_size: is missing"):
        cnn.cost({"nb_layers": 1, "kernel_size": 1, "hidden_dim": 1}, {})


def test_space_is_plain_data():
    assert json.loads(json.dumps(cnn.space())) == cnn.space()
