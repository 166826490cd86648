"""A trial's artifacts: files that its training keeps for people, such as pictures, tables and models of its own."""

from windtunnel.ledger.ledger import Ledger
from windtunnel.stores.base import Entry, is_name

FOLDER = "artifacts"  # in a trial's folder
MOST = 1000  # artifacts of one trial
_LONGEST = 200  # characters of a name
_MODEL = "model"  # the key that says in an artifact's metadata that it is the trial's model


def is_artifact_name(name: str) -> bool:
    """Whether an artifact may be called so: a relative path without hidden parts, which leads nowhere else."""
    return 0 < len(name) <= _LONGEST and all(map(is_name, name.split("/")))


def artifact_path(ledger: Ledger, trial: str, name: str) -> str:
    """The store's path of one of a trial's artifacts."""
    return ledger.trial_path(trial, f"{FOLDER}/{name}")


def artifacts(ledger: Ledger, trial: str) -> dict[str, Entry]:
    """A trial's artifacts by name, in order: one listing."""
    folder = artifact_path(ledger, trial, "")
    return {entry.path.removeprefix(folder): entry for entry in ledger.store.list(folder)}


def model_metadata() -> dict[str, str]:
    """What is noted with an artifact that is the trial's model, in a format of its own."""
    return {_MODEL: "true"}


def is_model(entry: Entry) -> bool:
    """Whether an artifact is the trial's model."""
    return entry.metadata.get(_MODEL) == "true"
