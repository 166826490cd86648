"""Dealing trials into lanes, so that the lanes end at about the same time."""

from collections.abc import Sequence

from windtunnel.ledger import Request


def deal(requests: Sequence[Request], lanes: int) -> list[list[Request]]:
    """Deal trials into at most `lanes` lanes, the longest first, each to the lane with the least to do.

    This is Graham's LPT rule ("Bounds on Multiprocessing Timing Anomalies", 1969): the longest lane has at most
    4/3 of the work it would have in the best dealing of all. The answer depends on nothing but the requests.

    Args:
        requests: trials with their predicted `cost`; only its ratios matter.
        lanes: how many run at once.

    Returns:
        The lanes that got something, each with its longest trial first.
    """
    dealt: list[list[Request]] = [[] for _ in range(min(lanes, len(requests)))]
    loads = [0.0] * len(dealt)
    for request in sorted(requests, key=lambda request: (-request.cost, request.trial)):
        lane = min(range(len(dealt)), key=lambda lane: (loads[lane], len(dealt[lane]), lane))
        dealt[lane].append(request)
        loads[lane] += request.cost
    return dealt
