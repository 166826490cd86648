"""One seed reaches every generator of random numbers: Python's, NumPy's and torch's."""

import os
import random
from typing import Any

import numpy as np
import torch

States = dict[str, Any]


def seed_everything(*seed: int) -> None:
    """Seed all global generators from one or more non-negative integers, and make torch deterministic.

    An epoch's generators are seeded by (trial seed, epoch), so an epoch draws the same numbers whether training came
    to it in one go or through a checkpoint.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # without it cuBLAS is not deterministic
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # it only costs time
    torch.backends.cudnn.benchmark = False
    words = np.random.SeedSequence(seed).generate_state(4)
    random.seed(int(words[0]))
    np.random.seed(int(words[1]))
    torch.manual_seed(int(words[2]) << 32 | int(words[3]))


def generator(*seed: int) -> np.random.Generator:
    """A generator of its own, which no global draw disturbs."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed)))


def generator_states() -> States:
    """The states of all global generators, as what `torch.load(weights_only=True)` takes."""
    name, keys, position, has_gauss, gauss = np.random.get_state(legacy=True)
    return {
        "python": random.getstate(),
        "numpy": (str(name), keys.tolist(), int(position), int(has_gauss), float(gauss)),
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }


def restore_generators(states: States) -> None:
    """Put all global generators back to where `generator_states` found them."""
    random.setstate(states["python"])
    name, keys, position, has_gauss, gauss = states["numpy"]
    np.random.set_state((name, np.array(keys, dtype=np.uint32), position, has_gauss, gauss))
    torch.set_rng_state(states["torch"].cpu())
    if states["cuda"] and torch.cuda.is_available():
        torch.cuda.set_rng_state_all([state.cpu() for state in states["cuda"]])
