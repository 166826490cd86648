"""Workloads that only benchmarks run."""
