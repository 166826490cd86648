"""The definition of a fleet, one model for each partition of the data: what its YAML file may say, field by field."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, PositiveInt, model_validator

from windtunnel.definition.checks import cross_faults
from windtunnel.definition.document import Document
from windtunnel.definition.fleet_checks import evaluation_warnings, fleet_faults
from windtunnel.definition.model import Dag, Direction, Resources, Verification
from windtunnel.definition.script import Script, with_script
from windtunnel.definition.template import with_template
from windtunnel.definition.units import Bytes, Seconds
from windtunnel.errors import DefinitionError, LedgerError
from windtunnel.ledger import Ledger
from windtunnel.validation import LARGEST, Fault, Name, StrictModel, read_model, read_reported
from windtunnel.workload.files import SCRIPT
from windtunnel.workload.placeholders import placeholders

KIND = "fleet"
DATA_VARIABLE = "WINDTUNNEL_DATA"
_MADE = ("name", "pod_template", "workload")  # fields that are written where a file does not give them
_ANY = -1  # of a threshold: all failures are ignored


class Split(StrictModel):
    """How the data is split into partitions: `by: files`, `rows: N` or `keys: [column, …]`; one of them."""

    by: Literal["files"] | None = None
    """Each file is a partition."""
    rows: PositiveInt | None = None
    """Rows of a table that make a partition; the last has what is left."""
    keys: Annotated[list[str], Field(min_length=1)] | None = None
    """Columns of a table: the rows that are equal in all of them make a partition."""
    name: str | None = None
    """Name of a partition's file, with its keys in braces: `tenant_{tenant_id}`; by default the keys' values."""

    @model_validator(mode="after")
    def _is_one(self) -> "Split":
        given = [name for name in ("by", "rows", "keys") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"found {' and '.join(given) or 'none of them'}; allowed: one of by, rows, keys")
        if self.name is not None and self.keys is None:
            raise ValueError("found a name without keys; allowed: beside keys, whose values make it")
        return self

    @property
    def columns(self) -> list[str]:
        """Names of a partition's keys: those of the table, its file, or which of the parts it is."""
        return self.keys or (["file"] if self.by else ["part"])


class RetrySettings(StrictModel):
    """What happens to a mini-batch that fails: by an error, a time-out, a lost process or a short return."""

    max_retries: Annotated[int, Field(ge=0)] = 2
    """Tries after the first."""
    timeout: Seconds = 60.0
    """The longest time that one try may take."""


class Gather(StrictModel):
    """What becomes of all partitions' rows, files and metrics."""

    append_row_to: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$", max_length=200)] | None = None
    """CSV file that all returned rows are in, with their partitions' keys as columns: `predictions.csv`."""
    outputs: dict[Name, str] = Field(default_factory=dict)
    """Folders, relative to this file, or URLs, by name, that partitions' files go to; made if missing, with an MLTable.
    Empty text is a folder of the run's own. In `program_arguments`, `${{outputs.NAME}}` is a folder whose files go
    there."""


class FleetLimits(StrictModel):
    """What a fleet may use. Times are seconds or text such as `90s`, `15m`, `2h`; sizes bytes or `500 MB`, `2 GiB`."""

    parallel: PositiveInt | None = None
    """Lanes, that is jobs (nodes) at once; Azure's `instance_count`. By default as many as the cores allow."""
    slots: PositiveInt = 1
    """Processes at once within one lane; Azure's `max_concurrency_per_instance`."""
    pending: Seconds = 3600.0
    """The longest time that a lane may wait to be started."""
    init: Seconds = 600.0
    """The longest time that a process may take to import the entry and to come through its `init`."""
    memory: Bytes | None = None
    """The most resident memory that one process may use."""
    threads: PositiveInt | None = None
    """Threads of each process; by default the cores are shared out among the processes."""


class Fleet(StrictModel):
    """One fleet. `name` is the file's stem unless given."""

    elsewhere: ClassVar[dict[str, str]] = {
        name: f"is Azure's word; here it is {place}"
        for name, place in {
            "input_data": "data",
            "partition_keys": "split.keys",
            "instance_count": "limits.parallel",
            "max_concurrency_per_instance": "limits.slots",
            "append_row_to": "gather.append_row_to",
            "outputs": "gather.outputs",
            "max_retries": "retry_settings.max_retries",
            "timeout": "retry_settings.timeout",
            "code": "entry_script, whose folder travels",
            "environment": "Python's, or the image of the pod template",
        }.items()
    }

    kind: Literal["fleet"]
    """What tells a fleet's file from a search's."""
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$", max_length=100)]
    """Name of the fleet and of its DAG."""
    description: str = ""
    """Text for the DAG's page."""
    data: str
    """File, folder or pattern of files, relative to `$WINDTUNNEL_DATA` if that is set, else to this file."""
    split: Split = Split(by="files")
    """How the data is split into partitions."""
    workload: str | None = None
    """Dotted name of the module with `train(partition)`, or with Azure's `init`, `run` and `shutdown`."""
    script: Script | None = None
    """A script of yours that is run for each partition, with its keys as flags and its file as `{data}`; its file, or
    a section as searches have it."""
    entry_script: str | None = None
    """Azure's entry script, untouched, relative to this file; in place of `workload`."""
    mini_batch_size: PositiveInt = 1
    """Partitions that are claimed, run, retried and recorded as one."""
    mini_batch_type: Literal["paths", "frame"] = "paths"
    """What Azure's `run(mini_batch)` gets: a list of the files' paths, or a pandas frame of their rows."""
    program_arguments: str = ""
    """What the entry script finds in `sys.argv`."""
    environment_variables: dict[str, str] = Field(default_factory=dict)
    """Variables that every process has."""
    logging_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """What an entry script's `EntryScript().logger` writes to its process's log, from this level up."""
    settings: dict[str, Any] = Field(default_factory=dict)
    """Fixed settings for the workload's `train`."""
    reuse: bool = False
    """Whether a process trains one partition after another; by default each has a process of its own. Azure's contract
    always reuses."""
    objectives: dict[Name, Direction] = Field(default_factory=dict, max_length=5)
    """What the leaderboard sorts by: metrics that `train` reports, to `maximize` or `minimize`."""
    retry_settings: RetrySettings = RetrySettings()
    """Retries of a mini-batch."""
    error_threshold: Annotated[int, Field(ge=_ANY, le=LARGEST)] = _ANY
    """The most items that may fail, beyond which the fleet has failed; -1 ignores all, 0 allows none."""
    mini_batch_error_threshold: Annotated[int, Field(ge=_ANY, le=LARGEST)] = _ANY
    """The most mini-batches that may fail; -1 ignores all, 0 allows none."""
    allowed_failed_percent: Annotated[float, Field(ge=0, le=100)] = 100.0
    """The largest share of mini-batches that may fail, in percent; 100 ignores all, 0 allows none."""
    gather: Gather = Gather()
    """What becomes of the partitions' rows and files."""
    evaluation: Annotated[str, Field(pattern=r"^\w+(\.\w+)*:\w+$")] | None = None
    """Your function over the gathered table, `package.module:function`; by default the workload's `evaluate`."""
    verification: Verification = Verification()
    """How near to torch an exported model must be."""
    limits: FleetLimits = FleetLimits()
    """What may be used."""
    launcher: str = "local"
    """`local`, or `kubernetes` for pods on a cluster."""
    resources: Resources = Resources()
    """What each lane asks for; with `launcher: kubernetes`, what its pod does."""
    resource_monitor_interval: Seconds = 10.0
    """Time between two samples of a lane's CPU, memory and GPU."""
    pod_template: str | dict[str, Any] | None = None
    """The pods' template, or its file, relative to the definition's; by default `pod_template.yaml` beside the
    definition or in the folder above."""
    store: str | None = None
    """URL or folder where ledgers live, relative to the working directory; by default `$WINDTUNNEL_STORE`, else
    `runs`."""
    schedule: str | None = None
    """Cron expression or Airflow preset."""
    dag: Dag = Dag()
    """What Airflow is told of the DAG."""
    seed: int = Field(default=0, ge=0, le=LARGEST)
    """Seed of every partition's training."""
    tags: list[Annotated[str, Field(max_length=100)]] = Field(default_factory=list)
    """Tags of the DAG, to find it by."""

    @property
    def entry(self) -> str:
        """The script or the module that trains."""
        return self.entry_script or (self.script.name if self.script is not None else self.workload) or ""

    @property
    def summary(self) -> str:
        """What the fleet does, for people."""
        split = self.split
        parts = f"{split.rows} rows" if split.rows else f"values of {', '.join(split.keys)}" if split.keys else "files"
        return f"one model for each partition of {self.data} by {parts}, trained by {self.entry}"

    @property
    def warnings(self) -> list[str]:
        """What is right and yet may not be meant."""
        script, warned = self.script, list(evaluation_warnings(self.evaluation, self.entry_script))
        if script is not None and not any("data" in placeholders(text) for text in script.texts):
            warned.append(f"script.arguments: {script.name} is never told which file its partition is: write {{data}}")
        return warned


def is_fleet(fields: Mapping[str, Any]) -> bool:
    """Whether these are a fleet's fields, rather than a search's."""
    return fields.get("kind") == KIND


def load_fleet(path: str | Path) -> Fleet:
    """Read a fleet's file; its name is the file's stem unless it gives one. Neither data nor code is read.

    Raises:
        DefinitionError: with everything that is wrong, one line each: file and line, field, what was found and what is
            allowed.
    """
    return fleet_in(Document(Path(path)))


def fleet_in(document: Document) -> Fleet:
    """The fleet that a file holds, as `load_fleet` has it."""
    folder = document.file.absolute().parent
    fields = with_template({"name": document.file.stem, **document.data}, document.file.parent)
    fields = {
        name: value for name, value in with_script(fields, folder).items() if name in document.data or name in _MADE
    }
    fleet, faults = read_fleet(_beside(fields, folder))
    faults = document.twice + faults
    if fleet is None or faults:
        raise document.error(faults)
    return fleet


def read_fleet(fields: Mapping[str, Any]) -> tuple[Fleet | None, list[Fault]]:
    """A fleet from its fields as plain values.

    Returns:
        The fleet, where each field by itself is well formed; and everything that is wrong.
    """
    fleet, faults, well_formed = read_reported(Fleet, fields)
    shared = {name: value for name, value in well_formed.items() if name != "script" and value != SCRIPT}
    return fleet, faults + list(cross_faults(shared)) + list(fleet_faults(well_formed))


def fleet_of(ledger: Ledger) -> Fleet:
    """The fleet that a run is performed by, as its digest proves.

    Raises:
        LedgerError: no digest was given, the ledger holds something else under it, or the run is no fleet's.
    """
    try:
        return read_model(Fleet, ledger.spec.definition)
    except DefinitionError as error:
        raise LedgerError(f"{ledger.url} has no fleet that this version can read: {error}") from error


def _beside(fields: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The fields with all paths as found from the definition's file; the data's from `$WINDTUNNEL_DATA` if set."""

    def at(place: Path, path: Any) -> Any:
        return str(place / path) if isinstance(path, str) and path and "://" not in path else path

    places = {"entry_script": folder, "data": Path(os.environ.get(DATA_VARIABLE) or folder)}
    fields = fields | {name: at(place, fields[name]) for name, place in places.items() if name in fields}
    gather = fields.get("gather")
    if isinstance(gather, Mapping) and isinstance(gather.get("outputs"), Mapping):
        outputs = {name: at(folder, path) for name, path in gather["outputs"].items()}
        fields["gather"] = {**gather, "outputs": outputs}
    return fields
