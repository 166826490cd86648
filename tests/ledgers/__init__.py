"""Runs that earlier versions made, as they lay in their stores: one object a line, without data and weights."""

import json
from pathlib import Path

from windtunnel.ledger import Ledger
from windtunnel.stores import Store

_LISTED = ("state", "objectives", "metrics", "violation", "kind", "epoch", "seconds", "gpus", "started", "attempts")


def unpack(version: str, store: Store, run: str = "old") -> Ledger:
    """Write the run that a version has made into a store.

    Args:
        version: that made it: `0.1.0` is a small search of the digits with a quorum, two finalists verified.
        store: any one.
        run: its name there.
    """
    ledger = Ledger(store, "digits_small", run)
    for line in (Path(__file__).parent / f"{version}.jsonl").read_text().splitlines():
        entry = json.loads(line)
        path, content, metadata = entry["path"], entry["content"], entry.get("metadata", {})
        if path.startswith(("results/", "steps/")):  # of these the metadata repeats the content
            metadata = {name: json.dumps(content[name]) for name in _LISTED}
        text = content if isinstance(content, str) else json.dumps(content, indent=1) + "\n"
        store.put(ledger.path(path), text.encode(), metadata)
    return ledger
