"""Pods of a search are killed at random moments: it ends with the same front, and nothing finished is trained twice.

$WINDTUNNEL_TEST_KILLS says how many are killed, 10 by default; the search is repeated until all are.
"""

import os
import random
import time
from collections import Counter

import pytest

from tests.cluster.searches import PodWatch, searches_on
from tests.kills.search import SEARCH, check, outcome, starts

KILLS = int(os.environ.get("WINDTUNNEL_TEST_KILLS", "10"))
MOST_A_JOB = 4  # of one run: a lane lives all through the search: so kills are not all spent on the pod that prepares


class PodKiller:
    """Kills a running pod every few seconds: at once, as a crash of its node would, or with its grace."""

    def __init__(self, cluster):
        self.left = KILLS
        self._random = random.Random(0)
        self._cluster = cluster

    def begin(self, watch):
        """Another run begins, whose pods are watched."""
        self._watch, self._hits = watch, Counter()
        self._wait()

    def strike(self):
        running = [name for name in self._watch.running if self._hits[_job_of(name)] < MOST_A_JOB]
        if not self.left or not running or time.monotonic() < self._next:
            return
        from kubernetes.client import ApiException

        name, grace = self._random.choice(running), self._random.choice([0, 15])
        try:
            self._cluster.core.delete_namespaced_pod(name, self._cluster.namespace, grace_period_seconds=grace)
        except ApiException as error:
            assert error.status == 404
        else:
            self.left -= 1
            self._hits[_job_of(name)] += 1
            print(f"killed {name}{'' if grace else ' at once'} ({self.left} left)", flush=True)
        self._wait()

    def _wait(self):
        self._next = time.monotonic() + self._random.uniform(2, 20)


def _job_of(pod):
    return pod.rpartition("-")[0]


@pytest.fixture
def searches(cluster, tmp_path):
    with searches_on(cluster, tmp_path) as found:
        yield found


@pytest.mark.parametrize("continuous", [False, True], ids=["barrier", "continuous"])
def test_random_kills_change_nothing(searches, cluster, continuous):
    definition = {"name": "kills", **SEARCH, "continuous": continuous}
    expected = outcome(searches.here(definition))
    killer = PodKiller(cluster)
    while killer.left:
        before = killer.left
        with PodWatch(cluster) as watch:
            killer.begin(watch)
            ledger = searches.on_the_cluster(definition, killer.strike)
        assert killer.left < before, "the search ended before anything could be killed"
        check(ledger, expected)
        print(f"{before - killer.left} kills: as undisturbed; {starts(ledger)}, {watch.started} pods", flush=True)
