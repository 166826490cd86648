"""How many local jobs there are at once, and how many threads a trial computes with."""

import math

from windtunnel.definition.fleet import Fleet
from windtunnel.definition.model import Definition
from windtunnel.host.machine import cores


def local_lanes(definition: Definition | Fleet) -> int:
    """The lanes of local jobs: `limits.parallel`, else as many as this machine has cores for what each asks for."""
    return definition.limits.parallel or share(cores(), math.ceil(definition.resources.cpu or 1))


def threads_of(definition: Definition | Fleet) -> int:
    """The threads of each trial or of a fleet's process: those of `limits.threads`, else cores shared out among them.

    The cores are those that a job asks for; else this machine's for local jobs, one in Kubernetes, whose nodes differ
    and show pods all their cores, and elsewhere those of the machine that asks.
    """
    limits = definition.limits
    if limits.threads is not None:
        return limits.threads
    if definition.launcher == "kubernetes" or definition.resources.cpu is not None:
        return share(int(definition.resources.cpu or 1), limits.slots)
    lanes = local_lanes(definition) if definition.launcher == "local" else limits.parallel or 1
    return share(cores(), lanes, limits.slots)


def share(whole: int, *sharers: int) -> int:
    """A whole number's equal share, at least 1, among so many times so many."""
    return max(1, whole // math.prod(sharers))
