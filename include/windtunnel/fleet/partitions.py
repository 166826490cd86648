"""The partitions of a run's data: a table with a row each, written once, so that twenty thousand are one request."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from windtunnel.errors import LedgerError, NotFoundError
from windtunnel.ledger import Ledger
from windtunnel.ledger.ids import canonical_json
from windtunnel.ledger.reading import unreadable
from windtunnel.stores.base import is_name
from windtunnel.validation import shown

FOLDER = "data/partitions"
_TABLE = "data/partitions.json"


class Partition(NamedTuple):
    """A part of the data that gets a model of its own.

    Attributes:
        name: of its file, unique in the run.
        keys: values of the table's key columns.
        digest: SHA-256 of its file, in hexadecimal digits.
        rows: of its table, the header not counted; 0 where it is no table.
    """

    name: str
    keys: tuple[str, ...]
    digest: str
    rows: int

    @property
    def path(self) -> str:
        """Its file, within the run."""
        return f"{FOLDER}/{self.name}"


class Partitions(Sequence[Partition]):
    """All partitions of a run, in their order, which is that of everything gathered.

    Attributes:
        columns: names of the keys.
    """

    def __init__(self, columns: Iterable[str], partitions: Iterable[Partition]) -> None:
        """A table of partitions."""
        self.columns = tuple(columns)
        self._partitions = tuple(partitions)

    def __len__(self) -> int:
        return len(self._partitions)

    def __getitem__(self, index):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN204
        return self._partitions[index]

    def keys_of(self, partition: Partition) -> dict[str, str]:
        """The partition's keys by column."""
        return dict(zip(self.columns, partition.keys, strict=True))

    def write(self, ledger: Ledger) -> None:
        """Leave the table in the ledger: the data is whole then. Whoever comes first wins."""
        table = {"columns": self.columns, "partitions": self._partitions}
        ledger.store.create(ledger.path(_TABLE), json.dumps(table, separators=(",", ":")).encode() + b"\n")

    @classmethod
    def read(cls, ledger: Ledger) -> "Partitions | None":
        """The run's partitions, once its data is prepared.

        Raises:
            UnreadableError: what is there is no such table.
        """
        path = ledger.path(_TABLE)
        try:
            content = ledger.store.get(path)
        except NotFoundError:
            return None
        try:
            table = json.loads(content)
            columns = tuple(map(_text, table["columns"]))
            partitions = [_partition(len(columns), *fields) for fields in table["partitions"]]
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise unreadable(ledger.store, path, f"is no table of partitions: {error}") from error
        return cls(columns, partitions)


def check_columns(partitions: Partitions, columns: Sequence[str]) -> None:
    """See that the keys are the definition's: a script has them as flags, or as names of variables.

    Raises:
        LedgerError: somebody changed the table.
    """
    if list(partitions.columns) != list(columns):
        columns_found, allowed = ", ".join(partitions.columns), ", ".join(columns)
        raise LedgerError(f"{_TABLE}: found the keys {columns_found}; allowed: those of the definition, {allowed}")


def _partition(columns: int, name: Any, keys: Any, digest: Any, rows: Any) -> Partition:
    """A row of the table.

    Raises:
        ValueError: it is none.
    """
    if not (isinstance(name, str) and all(map(is_name, name.split("/")))):
        raise ValueError(f"found {shown(name)}; allowed: a path below {FOLDER}")
    if not isinstance(keys, list) or len(keys) != columns:
        raise ValueError(f"{name}: found {shown(keys)}; allowed: {columns} keys")
    return Partition(name, tuple(map(_text, keys)), _text(digest), int(rows))


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"found {shown(value)}; allowed: text")
    return value


def identity(partition: Partition, basis: str) -> str:
    """What decides a partition's model: with the same, it is not trained again.

    Args:
        partition: its keys and data.
        basis: digest of the entry's source and of the fleet's settings.
    """
    return hashlib.sha256(canonical_json([partition.name, partition.keys, partition.digest, basis])).hexdigest()[:16]
