"""An engine of our own: a search from beginning to end in this process, by the very stages that its DAG performs."""

from windtunnel.engine.perform import Engine, patiently

__all__ = ["Engine", "patiently"]
