"""The manifest of a run's prepared data: it is written last, and says that the data is whole."""

import hashlib
from collections.abc import Mapping
from typing import Any

from windtunnel.ledger.ids import canonical_json

MANIFEST = "data/manifest.json"  # in the run's folder


def manifest_of(files: Mapping[str, Any], splits: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The content of the manifest.

    Args:
        files: the digest of each, by name.
        splits: each with its `digest`, by name; none where a search needs no data.
    """
    digests = {name: split["digest"] for name, split in splits.items()}
    digest = hashlib.sha256(canonical_json(digests)).hexdigest()[:16]
    return {"digest": digest, "files": dict(files), "splits": dict(splits)}
