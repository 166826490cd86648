"""Claims: who runs which unit of a queue, a trial of a search or a mini-batch of a fleet; settled by one write.

Units are not dealt out beforehand. Any number of lanes look at one queue, and whoever creates a unit's claim runs it:

    claims = Claims(ledger)
    known = claims.listing()                         # one listing tells all
    for unit in queue:                               # in the queue's order
        claim = claims.take(unit, "lane-1-0", launch, known.get(unit))
        if claim is not None:
            run(unit)                                # whatever comes of it, its result is recorded once

No other lock is needed, and no clock. A claim is never changed: it holds until a unit's result is there, or until
somebody **releases** it because its lane is gone for good. A lane that starts anew goes on with what it held:
`under_way`. A lane that was only thought to be gone may still be running what another one has claimed since; results
are recorded once, so that this costs work and nothing else.

In the ledger a unit's n-th claim is `claims/<unit>.<n>.json`, with lane and launch in the object's metadata, and its
release `claims/<unit>.<n>.released.json`. Both are created once. A claim that cannot be read is that of a lane which
is gone.
"""

import json
from collections.abc import Container, Iterable
from typing import Any, Final, Literal

from pydantic import Field, ValidationError

from windtunnel.errors import NoObjectError, NotFoundError, UnreadableError
from windtunnel.ledger.ids import safe_name
from windtunnel.ledger.ledger import Ledger
from windtunnel.ledger.reading import named, read_record
from windtunnel.ledger.records import Id, Record
from windtunnel.stores.base import Entry

_RELEASED: Final = ".released"
_UNKNOWN: Final = "unknown"  # the lane of a claim that cannot be read


class Claim(Record):
    """That a lane runs a unit (`claims/<unit>.<n>.json`).

    Attributes:
        unit: id of the trial, or whatever else stands in a queue.
        number: of the unit's claims, counted from 1.
        lane: id of the job that claimed it.
        launch: number of the lane's launch that did.
        since: when, in seconds since 1970 by the store's clock; only a listing has it.
        released: whether the unit may be claimed again; only a listing has it.
    """

    unit: Id
    number: int = Field(default=1, ge=1)
    lane: Id
    launch: int = Field(ge=0)
    since: float = Field(default=0.0, exclude=True)
    released: bool = Field(default=False, exclude=True)


class Claims:
    """The claims of a run; holds nothing in memory."""

    def __init__(self, ledger: Ledger) -> None:
        """Address the claims of the run; nothing is read or written yet."""
        self._ledger = ledger

    def take(self, unit: str, lane: str, launch: int, last: Claim | None = None) -> Claim | None:
        """Claim a unit: one write, which one lane of all wins.

        Args:
            unit: its id.
            lane: id of the job that wants to run it.
            launch: number of the lane's launch.
            last: the unit's latest claim as a listing has it, if it has one.

        Returns:
            The claim; None where another lane has it.
        """
        if last is not None and not last.released:
            return None
        claim = Claim(unit=unit, number=last.number + 1 if last else 1, lane=lane, launch=launch)
        metadata = {"lane": json.dumps(lane), "launch": str(launch)}
        created = self._ledger.take(self._path(claim), claim.to_bytes(), metadata)
        return claim if created else None

    def release(self, claim: Claim) -> None:
        """Let others claim the unit: its lane is gone for good. A claim that is released already stays so."""
        self._ledger.store.create(self._path(claim, _RELEASED), b"{}\n")

    def read(self, unit: str, number: int) -> Claim | None:
        """A unit's claim of that number, without a listing; None where there is none."""
        name = f"claims/{unit}.{number}"
        try:
            claim = self._claim(unit, number, self._ledger.store.stat(self._ledger.path(f"{name}.json")))
        except NoObjectError:
            claim = _unknown(unit, number)
        except NotFoundError:
            return None
        return claim.model_copy(update={"released": self._ledger.has(f"{name}{_RELEASED}.json")})

    def listing(self) -> dict[str, Claim]:
        """The latest claim of each unit that was ever claimed, by unit: one listing."""
        folder = self._ledger.path("claims/")
        latest: dict[str, tuple[int, Entry]] = {}
        released: set[tuple[str, int]] = set()
        for name, entry in named(self._ledger.store, folder):
            unit, _, number = name.removesuffix(_RELEASED).rpartition(".")
            if not (unit and safe_name(unit) == unit and number.isdecimal() and number.isascii()):
                continue  # a stranger's file
            if name.endswith(_RELEASED):
                released.add((unit, int(number)))
            elif int(number) > latest.get(unit, (0, None))[0]:
                latest[unit] = int(number), entry
        claims = {unit: self._claim(unit, number, entry) for unit, (number, entry) in latest.items()}
        return {
            unit: claim.model_copy(update={"released": True}) if (unit, claim.number) in released else claim
            for unit, claim in claims.items()
        }

    def _claim(self, unit: str, number: int, entry: Entry) -> Claim:
        fields: dict[str, Any] = {"unit": unit, "number": number, "since": entry.modified.timestamp()}
        try:
            facts = {name: json.loads(value) for name, value in entry.metadata.items()}
            return Claim.model_validate(facts | fields)
        except (ValueError, ValidationError):  # lost in copying
            pass
        try:
            return read_record(self._ledger.store, entry.path, Claim).model_copy(update=fields)
        except UnreadableError:  # some lane made it; which one, nobody knows: it is a lane that does not live
            return _unknown(unit, number, fields["since"])

    def _path(self, claim: Claim, suffix: Literal["", ".released"] = "") -> str:
        return self._ledger.path(f"claims/{claim.unit}.{claim.number}{suffix}.json")


def _unknown(unit: str, number: int, since: float = 0.0) -> Claim:
    """What stands for a claim that cannot be read."""
    return Claim(unit=unit, number=number, lane=_UNKNOWN, launch=0, since=since)


def under_way(claims: Iterable[Claim], ended: Container[str] = (), lane: str | None = None) -> list[Claim]:
    """What a lane, or any, has claimed and not released and has not ended, the earliest first.

    Args:
        claims: the latest of each unit.
        ended: ids of the units that have a result.
        lane: id of the lane; all where it is None.
    """
    held = [one for one in claims if not one.released and one.unit not in ended and lane in (None, one.lane)]
    return sorted(held, key=lambda claim: (claim.since, claim.unit))
