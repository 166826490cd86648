"""The same in a job without torch."""

from benchmarks.workloads.nothing import prepare, train, verify

__all__ = ["TORCH", "prepare", "train", "verify"]

TORCH = False
