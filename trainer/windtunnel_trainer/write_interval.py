"""How often a unit brings to the ledger what changes all the time."""

from dataclasses import dataclass

from windtunnel.stores.base import Store


@dataclass(frozen=True, slots=True)
class WriteInterval:
    """A share of a length of time, within bounds: so a long trial costs a metered store hardly more than a short one.

    Attributes:
        share: of the time that is asked about.
        shortest: seconds between two writes.
        longest: seconds between two writes where they are free.
        metered: seconds between two writes where each is paid for.
    """

    share: float
    shortest: float
    longest: float
    metered: float

    def pause(self, store: Store, seconds: float) -> float:
        """Seconds that must lie between two writes.

        Args:
            store: that is written to.
            seconds: the age of what is written, or the length that it will have.
        """
        longest = self.metered if store.metered else self.longest
        return min(longest, max(self.shortest, self.share * seconds))
