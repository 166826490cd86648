"""One seed reaches every generator of random numbers: Python's, NumPy's and, where torch is loaded, torch's."""

import os
import random
import sys
from typing import Any

import numpy as np

States = dict[str, Any]


def seed_everything(*seed: int) -> None:
    """Seed all global generators from one or more non-negative integers, and make torch deterministic.

    An epoch's generators are seeded by (trial seed, epoch), so an epoch draws the same numbers whether training came
    to it in one go or through a checkpoint.
    """
    words = [int(word) for word in np.random.SeedSequence(seed).generate_state(4)]
    random.seed(words[0])
    np.random.seed(words[1])
    if "torch" in sys.modules:
        _seed_torch(words[2] << 32 | words[3])


def generator(*seed: int) -> np.random.Generator:
    """A generator of its own, which no global draw disturbs."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed)))


def generator_states() -> States:
    """The states of all global generators, as what `torch.load(weights_only=True)` takes."""
    name, keys, *rest = np.random.get_state(legacy=True)
    states: States = {"python": random.getstate(), "numpy": (name, np.asarray(keys).tolist(), *rest)}
    if "torch" in sys.modules:
        import torch

        states["torch"] = torch.get_rng_state()
        states["cuda"] = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    return states


def restore_generators(states: States) -> None:
    """Put all global generators back to where `generator_states` found them."""
    random.setstate(states["python"])
    name, keys, *rest = states["numpy"]
    np.random.set_state((name, np.array(keys, dtype=np.uint32), *rest))
    if "torch" in states:
        import torch

        torch.set_rng_state(states["torch"])
        if states["cuda"] and torch.cuda.is_available():
            torch.cuda.set_rng_state_all(states["cuda"])


def _seed_torch(seed: int) -> None:
    import torch
    from torch.utils import deterministic

    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # without it cuBLAS is not deterministic
    torch.set_deterministic_debug_mode("warn")  # use_deterministic_algorithms() would import the compiler
    setattr(deterministic, "fill_uninitialized_memory", False)  # noqa: B010  (unknown to mypy; it only costs time)
    torch.backends.cudnn.benchmark = False
    torch.manual_seed(seed)
