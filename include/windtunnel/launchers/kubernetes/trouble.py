"""What a cluster's events say of a pod that does not start: since when, why, and whether that passes by itself."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

# What a registry, or the way to it, says that is away or busy for a while.
_PASSES = re.compile(
    r"timeout|timed out|deadline exceeded|too ?many ?requests|connection (refused|reset)|unexpected EOF|no such host"
    r"|temporar|unavailable|try again|\b(429|50[0234])\b",
    re.IGNORECASE,
)


Trouble = tuple[datetime | None, str]
"""Since when a pod fails to start, None where no event tells; and what was said of it."""


def trouble(events: Sequence[dict[str, Any]]) -> Trouble:
    """What a pod's warnings, the earliest first, say of its failing to start."""
    failures = [event for event in events if event.get("reason") in ("Failed", "BackOff", "InspectFailed")]
    moments = [
        moment
        for event in failures
        if (
            moment := event.get("firstTimestamp")
            or event.get("eventTime")
            or event["metadata"].get("creationTimestamp")
        )
    ]
    texts = [str(event.get("message", "")) for event in failures if event.get("reason") == "Failed"]
    telling = next((text for text in reversed(texts) if "pull" in text), texts[-1] if texts else "")
    return min(map(_moment, moments), default=None), telling


def passes_by_itself(text: str) -> bool:
    """Whether a message is of a registry, or of the way to it, that is away or busy for a while."""
    return _PASSES.search(text) is not None


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
