"""What a session runs, under one digest: whoever runs any of it was told the digest, and checks what it reads by it."""

import hashlib
import json
import re
from typing import Any

from pydantic import ValidationError

from windtunnel.errors import LedgerError
from windtunnel.ledger.records import Record

DIGEST = "[0-9a-f]{64}"


class Spec(Record):
    """All that decides what a session runs (`specs/<digest>.json`), made by `begin` from Airflow's own files.

    The digest goes from Airflow to those who run something by ways of Airflow's own: XCom, trigger, command line, pod.
    So whoever writes the ledger can keep the specification from being found, and cannot change what is run.

    Attributes:
        definition: the search as the session performs it, its space, pod template, lanes and threads written out.
        code: digest of the workload's source.
        archive: SHA-256 of the packed source; None for a workload that every trainer has.
        origin: the run whose trials are trained fully, and which; None for a search.
    """

    definition: dict[str, Any]
    code: str
    archive: str | None = None
    origin: dict[str, Any] | None = None

    def to_bytes(self) -> bytes:
        """The one way to write it: equal ones give equal bytes. Order counts, as that of the objectives does."""
        return json.dumps(self.model_dump(mode="json"), indent=1).encode() + b"\n"

    @property
    def digest(self) -> str:
        """SHA-256 of its bytes, 64 hexadecimal digits."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    @property
    def sources(self) -> list[str]:
        """URLs of the runs whose files its trials may take up."""
        return [*self.definition.get("warm_start", []), *([self.origin["from_run"]] if self.origin else [])]


def is_digest(text: str) -> bool:
    """Whether a text can be a SHA-256 in hexadecimal digits, as all digests here are."""
    return re.fullmatch(DIGEST, text) is not None


def read_spec(content: bytes, digest: str, place: str) -> Spec:
    """The specification that these bytes are.

    Args:
        content: as a ledger holds it.
        digest: of the bytes, as Airflow gave it.
        place: that they were read from.

    Raises:
        LedgerError: they are not the bytes of that digest.
    """
    if hashlib.sha256(content).hexdigest() != digest:
        raise LedgerError(
            f"{place} is not what begin wrote there: somebody changed it, and nothing is run by it. Resume the run"
        )
    try:
        return Spec.model_validate_json(content)
    except ValidationError as error:
        raise LedgerError(f"{place} is of another version of Windtunnel: resume the run") from error
