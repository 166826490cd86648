import fractions
import io
from collections import Counter, OrderedDict, deque

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim import SGD
from torch.optim.lr_scheduler import LambdaLR, MultiStepLR
from torch.optim.swa_utils import AveragedModel

from tests.conformance.workloads import assert_same
from tests.trainer.conftest import CONFIG
from windtunnel.errors import WorkloadError
from windtunnel.ledger.ids import trial_id
from windtunnel_trainer import states
from windtunnel_trainer.trial import Trial


def through_a_file(content):
    buffer = io.BytesIO()
    states.write(content, buffer)
    buffer.seek(0)
    return states.read(buffer)


@pytest.mark.parametrize(
    "value",
    [
        np.float64(0.1),
        np.float32(0.1),
        np.int8(-3),
        np.bool_(True),
        np.arange(6.0).reshape(2, 3),
        np.array(7),
        np.zeros((0, 2), np.uint8),
        1j,
    ],
    ids=repr,
)
def test_numbers_and_arrays_of_numpy_come_back_as_they_were(value):
    for kept in (value, [value], {"a": (value, {"b": value})}):
        found, held = through_a_file({"kept": kept}), {"kept": kept}
        for key in ("kept", 0, "a", 0):
            if isinstance(held, (dict, list, tuple)) and (not isinstance(held, dict) or key in held):
                found, held = found[key], held[key]
        assert type(found) is type(value)
        if isinstance(value, np.ndarray):
            assert found.dtype == value.dtype
        assert np.array_equal(found, value)


def test_containers_keep_their_kind_and_what_is_attached_to_them():
    state = nn.BatchNorm1d(2).state_dict()
    state["extra"] = np.float64(1.0)
    found = through_a_file({"model": state, "milestones": Counter({np.int64(3): 1}), "text": np.str_("a")})
    assert type(found["model"]) is OrderedDict
    assert found["model"]._metadata == state._metadata
    assert found["milestones"] == Counter({3: 1}) and type(found["milestones"]) is Counter
    assert found["text"] == "a"


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (deque([1]), "collections.deque"),
        (fractions.Fraction(1), "fractions.Fraction"),
        (lambda: 1, "builtins.function"),
        (np.array(["a"]), "numpy.ndarray"),
        (np.ma.masked_array([1.0]), "numpy.ma.MaskedArray"),
        ({fractions.Fraction(1): 1}, "fractions.Fraction"),
    ],
)
def test_what_cannot_be_read_again_is_named_before_it_is_written(value, kind):
    buffer = io.BytesIO()
    with pytest.raises(WorkloadError, match=rf"\['a'\]\[1\].* is a {kind}, which a checkpoint cannot give back"):
        states.write({"a": [torch.zeros(2), value]}, buffer)
    assert not buffer.getvalue()


@pytest.fixture
def begin(bench):
    """Begins a trial whose checkpoints are due at its end only."""

    def begin(epochs=2.0, **fields):
        made = begin.bench = getattr(begin, "bench", None) or bench(**fields)
        return Trial(made.ledger, made.definition, made.request(epochs), checkpoint_every=1e9)

    return begin


class Kept:
    """An object whose state is whatever it was given."""

    def __init__(self, state=None):
        self.state = state

    def state_dict(self):
        return self.state

    def load_state_dict(self, state):
        self.state = state


def first_step(trial, **objects):
    epoch = next(trial.epochs(4))
    next(epoch.batches(8, 2))
    trial.checkpoint(**objects)


def test_a_state_that_would_be_lost_is_told_at_the_first_checkpoint_whether_it_writes_or_not(begin):
    trial = begin()
    with pytest.raises(WorkloadError, match=r"\['kept'\]\['best'\]\['when'\] is a collections.deque"):
        first_step(trial, model=nn.Linear(2, 2), kept=Kept({"best": {"when": deque()}}))
    assert "checkpoint.pt" not in begin.bench.files()


def test_an_object_that_gives_its_state_and_takes_none_is_told_at_the_first_checkpoint(begin):
    class Gives:
        def state_dict(self):
            return {}

    with pytest.raises(WorkloadError, match=r"checkpoint\(given=…\): a Gives has neither"):
        first_step(begin(), given=Gives())


def test_an_object_that_restore_asks_for_must_be_saved(begin):
    trial = begin()
    model = nn.Linear(2, 2)
    trial.restore(model=model, scheduler=Kept())
    with pytest.raises(
        WorkloadError, match=r"trial.restore\(\) asks for scheduler: give trial.checkpoint\(\) the same"
    ):
        first_step(trial, model=model)


def test_a_schedule_that_computes_with_numpy_is_gone_on_with(begin):
    def built():
        model = nn.Linear(2, 2)
        optimizer = SGD(model.parameters(), lr=np.float64(0.1))
        one = LambdaLR(optimizer, lambda epoch: 0.5 * (1 + np.cos(np.pi * epoch / 4)))
        return {"optimizer": optimizer, "schedule": one, "steps": MultiStepLR(optimizer, np.arange(2, 4))}

    trial, objects = begin(1.0), built()
    for epoch in trial.epochs(2):
        for _ in epoch.batches(4, 2):
            objects["optimizer"].step()
        objects["schedule"].step()
        trial.checkpoint(**objects)
    again = built()
    assert begin(1.0).restore(**again)
    for name, item in objects.items():
        assert_same(again[name].state_dict(), item.state_dict())
    assert type(again["schedule"].get_last_lr()[0]) is np.float64


class Counted(nn.Module):
    """A linear model that also keeps how often it was used, as a number and as what is no tensor."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(2, 2)
        self.extra = {"seen": np.int64(0), "words": ["a"]}

    def get_extra_state(self):
        return self.extra

    def set_extra_state(self, state):
        self.extra = state

    def forward(self, x):
        return self.inner(x)


def exported_after(begin, build, values=(0.5, 0.9, 0.7)):
    """Train with these values; the first weight is the number of the epoch. What was exported then, and with what."""
    trial = begin(float(len(values)), objective_at="best")
    model = Counted()
    restored, exported = build(model)
    trial.restore(**restored)
    for epoch in trial.epochs(1):
        list(epoch.batches(2, 2))
        for part in {id(one): one for one in (*restored.values(), model) if isinstance(one, nn.Module)}.values():
            for weight in part.parameters():
                weight.data.fill_(epoch.index + 1)
        model.extra["seen"] += 1
        trial.report(val_acc=values[epoch.index])
        trial.checkpoint(**restored)
    trial.export_onnx(exported, torch.zeros(1, 2))
    path = begin.bench.ledger.trial_path(trial_id(CONFIG, float(len(values))), "weights.pt")
    with begin.bench.ledger.store.open(path) as file:
        return states.read(file), begin.bench


def averaged(model):
    average = AveragedModel(model)
    return {"model": model, "average": average}, average


@pytest.mark.parametrize(
    "build",
    [
        lambda model: ({"model": model}, model),
        lambda model: ({"model": torch.compile(model)}, model),
        lambda model: ({"model": model}, torch.compile(model)),
        lambda model: ({"model": nn.DataParallel(model)}, nn.DataParallel(model)),
        averaged,
        lambda model: (averaged(model)[0], averaged(model)[0]["model"]),
        lambda model: ({"average": (average := averaged(model)[1])}, average.module),
        lambda model: ({"whole": nn.Sequential(model, nn.Linear(2, 2))}, model),
        lambda model: ({"model": model}, AroundIt(model)),
    ],
    ids=["plain", "compiled", "compile", "parallel", "averaged", "beside", "within", "part", "whole"],
)
def test_the_best_weights_are_exported_however_the_model_is_wrapped(begin, build):
    weights, _ = exported_after(begin, build)
    name = next(name for name in weights if name.endswith("inner.weight"))
    assert torch.equal(weights[name], torch.full((2, 2), 2.0))
    assert not any("_orig_mod" in name or name.startswith("module.") for name in weights)


class AroundIt(nn.Module):
    """A model that holds the trained one, between what is fixed."""

    def __init__(self, model):
        super().__init__()
        self.model = model
        self.scale = nn.Parameter(torch.ones(2), requires_grad=False)
        self.register_buffer("mean", torch.zeros(2))

    def forward(self, x):
        return self.model((x - self.mean) * self.scale).softmax(1)


def test_a_state_that_is_no_tensor_is_of_the_best_epoch_too(begin):
    weights, _ = exported_after(begin, lambda model: ({"model": model}, model))
    assert weights["_extra_state"] == {"seen": 2, "words": ["a"]}
    assert type(weights["_extra_state"]["seen"]) is np.int64


def test_best_weights_that_nobody_kept_are_told(begin):
    with pytest.raises(WorkloadError, match=r"give the exported model to trial.restore\(\)"):
        exported_after(begin, lambda model: ({"model": model}, nn.Linear(2, 2)))


def test_weights_fit_whichever_parts_are_compiled():
    plain, compiled = nn.Sequential(nn.Linear(2, 2)), nn.Sequential(torch.compile(nn.Linear(2, 2)))
    plain.load_state_dict(states.named_for(plain, compiled.state_dict()))
    assert torch.equal(plain[0].weight, compiled[0].weight)
    compiled.load_state_dict(states.named_for(compiled, states.uncompiled(plain.state_dict())))
