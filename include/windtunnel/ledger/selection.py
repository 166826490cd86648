"""What an iteration's selection knew and decided."""

from pydantic import Field

from windtunnel.ledger.records import Record
from windtunnel.ledger.stage import Stage


class Decision(Record):
    """One thing that was decided of a search or of a trial, and why.

    Attributes:
        what: one word for machines. Of a trial: `promote` (it goes on to more epochs), `hold` (it does not, for now),
            `stop` (a rule ended its training) or `late` (the search ends without it). Of the search: `front`, `late`,
            `note`, or `end`.
        reason: a sentence for people.
        trial: that it is about; empty where it is about the search.
    """

    what: str
    reason: str
    trial: str = ""

    def __str__(self) -> str:
        """The decision as one line."""
        return f"{self.what} {self.trial}: {self.reason}" if self.trial else self.reason


class Selection(Record):
    """What selection knew and decided after an iteration (`iterations/<stage>/known.json`).

    Attributes:
        stage: the iteration.
        results: trials of all iterations so far whose results it knew, in order of request.
        front: trials on the Pareto front of those.
        hypervolume: of that front, over `reference`; None without a front.
        reference: the worst corner of the hypervolume, in the order of the objectives.
        decisions: what was decided and why.
        promotions: trials that go on to more epochs in the next iteration, with the epochs.
        underway: of trials without a result what they had reported last: the `epoch`, and objectives by name.
        stop: why the search ends here, where it does.
        failure: why the search is hopeless, where it is.
    """

    stage: Stage
    results: list[str]
    front: list[str]
    hypervolume: float | None
    reference: list[float] = Field(default_factory=list)
    decisions: list[Decision] = Field(default_factory=list)
    promotions: dict[str, float] = Field(default_factory=dict)
    underway: dict[str, dict[str, float]] = Field(default_factory=dict)
    stop: str | None = None
    failure: str | None = None
