"""What a fleet's page shows: an overview, blocks of partitions, one partition, and two runs compared.

The overview is small however many partitions there are, and names each block's version: a page asks only for blocks
that have changed.
"""

import hashlib
import json
import re
from collections import defaultdict
from itertools import islice
from typing import Any

from windtunnel.errors import NotFoundError
from windtunnel.fleet.files import SavedFiles
from windtunnel.fleet.gathering import gathered
from windtunnel.fleet.planning import taken
from windtunnel.fleet.records import Outcome, batch_name, read_plan, result_of
from windtunnel.ledger import Ledger
from windtunnel.ledger.artifacts import is_artifact_name
from windtunnel.ledger.failures import LOG_TAIL
from windtunnel.objectives.direction import sign
from windtunnel.report.fleet.snapshot import FleetSnapshot
from windtunnel.report.payloads.plain import plain
from windtunnel.text import printable

BLOCK = 2000  # partitions
_CAUSES, _NAMED = 20, 10  # reasons that are told, and partitions that are named for each
_LONGEST = 500  # characters of a reason in an overview
_SHOWN = 100  # partitions that a comparison names
_FILES = 1000  # of a partition
_VARYING = re.compile(r"\d+")  # what reasons that are one may differ in
_OWN = ("report.html", "report.txt", "published.json", "search.json")
_LOGS = ("logs/", "samples/")


def overview(snapshot: FleetSnapshot) -> dict[str, Any]:
    """The run as a whole.

    Returns:
        `message`, `counts` (partitions by state), `objectives`, `metrics` (names, the objectives first), `columns` (the
        keys' names), `causes`, `pace`, `partitions` (how many), `block` (how many of them one has), `blocks` (the
        version of each), and more.
    """
    accounts = snapshot.accounts
    blocks = [block(snapshot, number) for number in range(-(-len(snapshot.partitions) // BLOCK))]
    return {
        "search": snapshot.search,
        "run": snapshot.run,
        "url": snapshot.url,
        "accounts": vars(accounts) if accounts else None,
        "message": snapshot.message,
        "counts": snapshot.counts,
        "over": snapshot.over,
        "failure": snapshot.failure,
        "evaluation": snapshot.evaluation,
        "objectives": snapshot.objectives,
        "metrics": list(snapshot.metrics),
        "columns": snapshot.partitions.columns,
        "causes": causes(snapshot),
        "pace": {"throughput": snapshot.throughput, "left": snapshot.left},
        "partitions": len(snapshot.partitions),
        "block": BLOCK,
        "blocks": [hashlib.sha256(json.dumps(each).encode()).hexdigest()[:8] for each in blocks],
    }


def block(snapshot: FleetSnapshot, number: int) -> dict[str, Any]:
    """The columns of some partitions that follow each other: `names`, `keys`, `states`, `seconds`, and `metrics`."""
    part = slice(number * BLOCK, (number + 1) * BLOCK)
    partitions = snapshot.partitions[part]
    return {
        "names": [each.name for each in partitions],
        "keys": [each.keys for each in partitions],
        "states": snapshot.states[part],
        "seconds": snapshot.seconds[part],
        "metrics": {name: column[part] for name, column in snapshot.metrics.items()},
    }


def partition(snapshot: FleetSnapshot, ledger: Ledger, place: int) -> dict[str, Any]:
    """One partition, with its mini-batch: where it ran, its tries, why it failed, its logs, and its files."""
    one = snapshot.partitions[place]
    shown = {
        "name": one.name,
        "keys": snapshot.partitions.keys_of(one),
        "rows": one.rows,
        "digest": one.digest,
        "state": snapshot.states[place],
        "seconds": snapshot.seconds[place],
        "metrics": snapshot.metrics_of(place),
        "message": snapshot.messages.get(place, ""),
        "source": snapshot.sources.get(place, ""),
        "verified": None,
        "files": [],
        "batch": None,
        "logs": [],
    }
    plan = read_plan(ledger)
    if plan is not None and shown["source"]:
        past = next((each for each in taken(ledger, plan) if each.partition == place), None)
        return shown | (_kept(past.outcome) if past else {})
    batches = enumerate(plan.batches) if plan else ()
    number = next((number for number, places in batches if place in places), None)
    result = result_of(ledger, batch_name(number)) if number is not None else None
    if result is None or plan is None or number is None:
        return shown
    outcome = dict(zip(plan.batches[number], result.outcomes, strict=False)).get(place)
    facts = ("batch", "state", "items", "succeeded", "lane", "slot", "process", "host", "attempts", "started")
    batch = {name: getattr(result, name) for name in (*facts, "seconds", "kind", "message", "log_tail")}
    logs = [each for each in files(ledger) if each.startswith(f"logs/{result.lane}-{result.slot}.")]
    batch["log_tail"] = result.log_tail[-LOG_TAIL:]
    return shown | (_kept(outcome) if outcome else {}) | {"batch": plain(batch), "logs": logs}


def _kept(outcome: Outcome) -> dict[str, Any]:
    return {"verified": outcome.verified, "files": [name for name in outcome.files if is_artifact_name(name)][:_FILES]}


def compare(snapshot: FleetSnapshot, earlier: FleetSnapshot) -> dict[str, Any]:
    """Which partitions became better or worse since an earlier run, by each metric that both have.

    Returns:
        `run`; `metrics`, by name: `direction` (None of what is no objective), counts `better`, `worse` and `same` (of
        what is no objective: higher, lower), and `changed`, the most changed `[name, before, now, gain]`, the best
        gains first, a half of each kind at most; `states`: `[name, before, now]` of those that fail now or no more.
    """
    before = {one.name: place for place, one in enumerate(earlier.partitions)}
    both = [(place, before[one.name]) for place, one in enumerate(snapshot.partitions) if one.name in before]
    names = [name for name in snapshot.metrics if name in earlier.metrics]
    states = (
        [snapshot.partitions[now].name, earlier.states[was], snapshot.states[now]]
        for now, was in both
        if "failed" in (earlier.states[was], snapshot.states[now]) and earlier.states[was] != snapshot.states[now]
    )
    return {
        "run": earlier.run,
        "both": len(both),
        "metrics": {name: _changes(snapshot, earlier, both, name) for name in names},
        "states": list(islice(states, _SHOWN)),
    }


def _changes(snapshot: FleetSnapshot, earlier: FleetSnapshot, both: list[tuple[int, int]], name: str) -> dict[str, Any]:
    direction = snapshot.objectives.get(name)
    here, there = snapshot.metrics[name], earlier.metrics[name]
    changed, same = [], 0
    for now, was in both:
        value, old = here[now], there[was]
        if value is None or old is None:
            continue
        gain = sign(direction or "maximize") * (old - value)
        same += not gain
        if gain:
            changed.append([snapshot.partitions[now].name, old, value, gain])
    changed.sort(key=lambda row: -row[3])
    better = sum(row[3] > 0 for row in changed)
    gained, lost = changed[:better], changed[better:]
    shown = gained[: max(_SHOWN // 2, _SHOWN - len(lost))]
    return {
        "direction": direction,
        "better": better,
        "worse": len(lost),
        "same": same,
        "changed": shown + (lost[-(_SHOWN - len(shown)) :] if len(shown) < _SHOWN else []),
    }


def files(ledger: Ledger) -> list[str]:
    """Paths within the run of the files that belong to all partitions: what was gathered, reports, logs, samples."""
    own = ledger.path("")
    there = [entry.path.removeprefix(own) for folder in _LOGS for entry in ledger.store.list(ledger.path(folder))]
    for name in _OWN:
        try:
            ledger.store.stat(ledger.path(name))
        except NotFoundError:
            continue
        there.append(name)
    named = filter(is_artifact_name, map(str, (gathered(ledger) or {}).get("files", [])))
    return sorted({*there, *named})


def saved_file(snapshot: FleetSnapshot, ledger: Ledger, place: int, name: str) -> str | None:
    """The path in the store of a file that a partition has saved; None where it has none of that name."""
    if name not in partition(snapshot, ledger, place)["files"]:
        return None
    source = snapshot.sources.get(place) or ledger.run
    return SavedFiles(ledger).path(snapshot.partitions[place].name, source, name)


def causes(snapshot: FleetSnapshot) -> list[dict[str, Any]]:
    """Why partitions failed, the commonest reason first; those that differ in numbers only are one.

    Returns:
        Of each reason its `message`, `count`, and `names` of some of the partitions.
    """
    groups: dict[str, list[int]] = defaultdict(list)
    for place, message in snapshot.messages.items():
        if snapshot.states[place] == "failed":
            groups[_VARYING.sub("#", message)].append(place)
    largest = sorted(groups.values(), key=lambda places: (-len(places), places[0]))
    return [
        {
            "message": printable(snapshot.messages[places[0]])[:_LONGEST],
            "count": len(places),
            "names": [snapshot.partitions[place].name for place in places[:_NAMED]],
        }
        for places in largest[:_CAUSES]
    ]
