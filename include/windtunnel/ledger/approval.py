"""A person's answer to the question whether the finalists are to be trained fully."""

from datetime import UTC, datetime
from typing import Any

from windtunnel.ledger.records import Record


class Approval(Record):
    """A person's answer (`approval.json`); the latest one holds.

    Attributes:
        approved: whether they are to be trained fully.
        by: the user, as Airflow names them.
        at: when, ISO 8601 in UTC.
        session: the DAG run that asked.
        stage: the full training that it is about.
    """

    approved: bool
    by: Any = None
    at: str = ""
    session: str = ""
    stage: str = ""

    def __str__(self) -> str:
        """The answer, who gave it, and when: `refused by admin, 2026-01-31 10:00 UTC`."""
        named = self.by.get("name") or self.by.get("id") if isinstance(self.by, dict) else self.by
        words = "approved" if self.approved else "refused"
        by = f" by {named}" if named else ""
        try:
            at = f", {datetime.fromisoformat(self.at).astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        except ValueError:
            at = f", {self.at}" if self.at else ""
        return f"{words}{by}{at}"

    def allows(self, stage: str) -> bool:
        """Whether these finalists need not be asked for again, in whatever session."""
        return self.approved and self.stage == stage

    def answers(self, session: str, stage: str) -> bool:
        """Whether a session that asks has its answer: a refusal counts in the session that it was given to."""
        return self.allows(stage) or (self.session == session and self.stage == stage)
