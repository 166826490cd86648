"""How long an exported model takes for one example: a number worth comparing, with its spread."""

import fcntl
import os
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from windtunnel.host.private import private_folder

WARM_UP = 10
RUNS = 200
SECONDS = 2.0
FEWEST = 20


@dataclass(frozen=True, slots=True)
class Latency:
    """Of one run at batch 1, in milliseconds: the median and the interquartile range over the runs."""

    median: float
    spread: float
    runs: int


def session(model: bytes, threads: int = 1) -> Any:
    """An onnxruntime session on the CPU that uses so many threads."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def measure(model: bytes) -> Latency:
    """Time the model on one example and one thread: warm-up, then up to 200 runs within two seconds, at least 20.

    Only one measurement runs on a host at a time.
    """
    with _alone():
        runner = session(model)
        feed = {entry.name: np.zeros(_one(entry.shape), _TYPES[entry.type]) for entry in runner.get_inputs()}
        for _ in range(WARM_UP):
            runner.run(None, feed)
        times: list[float] = []
        end = time.perf_counter() + SECONDS
        while len(times) < FEWEST or (len(times) < RUNS and time.perf_counter() < end):
            start = time.perf_counter()
            runner.run(None, feed)
            times.append((time.perf_counter() - start) * 1e3)
    low, median, high = statistics.quantiles(times, n=4)
    return Latency(median=median, spread=high - low, runs=len(times))


_TYPES: dict[str, type[np.generic]] = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(float16)": np.float16,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(uint8)": np.uint8,
    "tensor(int8)": np.int8,
    "tensor(bool)": np.bool_,
}


def _one(shape: list[Any]) -> tuple[int, ...]:
    return tuple(size if isinstance(size, int) else 1 for size in shape)


@contextmanager
def _alone() -> Iterator[None]:
    """Hold this host's measuring lock; the system frees it if the process dies."""
    descriptor = os.open(private_folder() / "latency.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
