"""Counts of a run's items, mini-batches and partitions, and the thresholds that end it."""

from collections.abc import Iterable
from dataclasses import dataclass

from windtunnel.definition import Fleet
from windtunnel.fleet.records import Ended, FleetPlan
from windtunnel.ledger import State
from windtunnel.text import counted

SHORT = "short"  # kind of the failure of a mini-batch that returned too little


@dataclass
class Accounts:
    """How far a run is.

    Attributes:
        batches, batches_done, batches_failed: mini-batches: all, those that have ended, and those of them that failed.
        batches_retried: those that were begun more than once.
        short_returns: those that failed because too few elements came back.
        items, items_failed: paths or rows of the mini-batches that have ended, and those of them that failed.
        partitions: all.
        partitions_done, partitions_failed: those that were trained in this run, and those that failed in it.
        taken, skipped: partitions that an earlier run's model stands for, and that were not chosen.
    """

    batches: int
    partitions: int
    taken: int
    skipped: int
    batches_done: int = 0
    batches_failed: int = 0
    batches_retried: int = 0
    short_returns: int = 0
    items: int = 0
    items_failed: int = 0
    partitions_done: int = 0
    partitions_failed: int = 0

    @classmethod
    def of(cls, plan: FleetPlan, ended: Iterable[Ended]) -> "Accounts":
        """The accounts of a run by its plan and what has ended."""
        to_do = sum(map(len, plan.batches))
        taken, skipped = len(plan.taken), len(plan.skipped)
        accounts = cls(len(plan.batches), to_do + taken + skipped, taken, skipped)
        for one in ended:
            accounts.batches_done += 1
            accounts.batches_failed += one.state == State.FAILED
            accounts.batches_retried += one.attempts > 1
            accounts.short_returns += one.kind == SHORT
            accounts.items += one.items
            accounts.items_failed += one.failed
            accounts.partitions_done += len(plan.batches[one.number]) if one.number < len(plan.batches) else 0
            accounts.partitions_failed += one.partitions_failed
        return accounts

    @property
    def message(self) -> str:
        """The accounts as one line."""
        trained, to_do = self.partitions_done - self.partitions_failed, self.partitions - self.taken - self.skipped
        retried = f"{counted(self.batches_retried, 'mini-batch', 'mini-batches')} retried"
        parts = [f"{trained} of {counted(to_do, 'partition')} trained"]
        parts += [f"{self.partitions_failed} failed"] if self.partitions_failed else []
        parts += [f"{self.taken} taken over"] if self.taken else []
        parts += [f"{self.skipped} skipped"] if self.skipped else []
        parts += [retried] if self.batches_retried else []
        return ", ".join(parts)


def exceeded(fleet: Fleet, accounts: Accounts) -> str | None:
    """Which threshold a run has gone beyond, for people; None where it has not."""
    items, batches = accounts.items_failed, accounts.batches_failed
    of_batches = counted(batches, "mini-batch", "mini-batches")
    counts = (
        ("error_threshold", fleet.error_threshold, items, counted(items, "item")),
        ("mini_batch_error_threshold", fleet.mini_batch_error_threshold, batches, of_batches),
    )
    for name, most, failed, what in counts:
        if 0 <= most < failed:
            return f"{what} failed; {name} allows {most}"
    percent = 100 * accounts.batches_failed / accounts.batches if accounts.batches else 0.0
    if percent > fleet.allowed_failed_percent:
        allowed = fleet.allowed_failed_percent
        return f"{percent:g} % of the mini-batches failed; allowed_failed_percent allows {allowed:g}"
    return None
