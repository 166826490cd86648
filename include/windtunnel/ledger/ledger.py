"""A run's ledger: every fact of the run as an object in a store, each written by whoever knows it, once.

**One write decides.** Where several are needed, one of them is the decision: what it rests on is written before it, and
what follows from it is written after it, from its content alone, by everyone who finds it. So a process may die between
any two writes, and whoever repeats its work finishes it.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any, Literal, TypeVar

from windtunnel.errors import ConflictError, LedgerError, NotFoundError, UnreadableError
from windtunnel.ledger.approval import Approval
from windtunnel.ledger.format import FORMAT, require_readable
from windtunnel.ledger.ids import is_trial, safe_name
from windtunnel.ledger.listing import metadata_of, result_of, unreadable_result
from windtunnel.ledger.manifest import MANIFEST
from windtunnel.ledger.model import ONNX
from windtunnel.ledger.reading import named, read_object, read_record, unreadable
from windtunnel.ledger.records import (
    Attempt,
    Job,
    Launch,
    Plan,
    Record,
    Request,
    Result,
    Session,
)
from windtunnel.ledger.selection import Decision, Selection
from windtunnel.ledger.spec import Spec, is_digest, read_spec
from windtunnel.ledger.stage import Stage, StageKind
from windtunnel.ledger.trial import Trial, infeasible
from windtunnel.ledger.url import parts_of
from windtunnel.ledger.writer import WRITER, Turn, Writer
from windtunnel.stores import Store, open_store
from windtunnel.stores.base import Entry
from windtunnel.stores.credentials import Credentials

R = TypeVar("R", bound=Record)

_LOG = 16 * 1024  # bytes of a log that people are shown
_PLAN, _SELECTION = "plan.json", "known.json"


class Ledger:
    """Reads and writes one run's facts. Holds no state of its own: any number of processes may share a run.

    What it reads is data, for anyone who can write the store may have written it. Only `spec` is more than that: it is
    what begin made of Airflow's own files, which its digest proves.
    """

    def __init__(
        self, store: Store, search: str, run: str, spec: Spec | str | None = None, session: int | None = None
    ) -> None:
        """Address the run; nothing is read or written yet.

        Args:
            store: where ledgers live.
            search: the search's name.
            run: the run's name; made safe for a path.
            spec: what is to be run, or the digest of it; without it the run can be read only.
            session: number of the session that writes it: plans, selections and what is published are refused once a
                later one has begun. Without it nothing is.
        """
        self._spec = spec
        self.store = store
        self.search = search
        self.run = safe_name(run)
        self.root = f"{safe_name(search)}/{self.run}"
        self.url = f"{store.url.rstrip('/')}/{self.root}"
        self.turn = Turn(store, self.root, session) if session else None

    @classmethod
    def open(cls, url: str, credentials: Credentials | None = None) -> "Ledger":
        """The ledger at `<store>/<search>/<run>`.

        Args:
            url: of the run.
            credentials: for the store; by default this process's.

        Raises:
            LedgerError: it is no URL of a run.
            StoreError: the URL names no store, or the store cannot be reached.
        """
        parts = parts_of(url)
        if parts is None:
            raise LedgerError(f"{url!r} is no run: give <store>/<search>/<run>")
        base, search, run = parts
        return cls(open_store(base, credentials), search, run)

    def with_spec(self, spec: Spec | str) -> "Ledger":
        """The same run for one who is to run something of it.

        Args:
            spec: what is to be run, or its digest; neither must come from a ledger.
        """
        number = self.turn.number if self.turn is not None else None
        return Ledger(self.store.of_run(self.root), self.search, self.run, spec, number)

    def with_session(self, number: int) -> "Ledger":
        """The same run for a task of the session of that number; 0 is one that has none."""
        return Ledger(self.store, self.search, self.run, self._spec, number)

    # The search

    @property
    def digest(self) -> str:
        """The digest of what is to be run.

        Raises:
            LedgerError: nothing is to be run of this run.
        """
        if self._spec is None:
            raise LedgerError(f"{self.url} can be read only: the digest of what it runs was not given")
        return self._spec.digest if isinstance(self._spec, Spec) else self._spec

    @cached_property
    def spec(self) -> Spec:
        """What is to be run.

        Raises:
            LedgerError: nothing is to be run, or what the ledger holds for it is something else.
        """
        if isinstance(self._spec, Spec):
            return self._spec
        if not is_digest(self.digest):
            raise LedgerError(f"{self.digest!r} is no digest of what is to be run: give 64 hexadecimal digits")
        name = f"specs/{self.digest}.json"
        try:
            content = self.store.get(self.path(name))
        except NotFoundError as error:
            raise LedgerError(f"{self.url} has no {name}, by which it is to be run: resume the run") from error
        return read_spec(content, self.digest, f"{self.url}/{name}")

    def write_spec(self, spec: Spec) -> "Ledger":
        """Write what is to be run, whatever is there; returns the run for those who run it."""
        self.store.put(self.path(f"specs/{spec.digest}.json"), spec.to_bytes())
        return self.with_spec(spec)

    def begin(self, search: dict[str, Any]) -> dict[str, Any]:
        """Write `search.json` unless the run has one, and return what it holds."""
        content = json.dumps({"format": FORMAT} | search, indent=1).encode() + b"\n"
        self.store.create(self.path("search.json"), content)
        return self.search_record()

    def begun(self) -> dict[str, Any] | None:
        """What `search.json` holds, as the run began; None where it has not begun.

        Raises:
            LedgerError: it is no run's, or of a newer format than this version reads.
        """
        record = self.read_json("search.json")
        if record is not None:
            require_readable(record, self.url)
            if not isinstance(record.get("definition"), dict):
                raise unreadable(self.store, self.path("search.json"), "has no definition")
        return record

    def search_record(self) -> dict[str, Any]:
        """What `search.json` holds, with the definition as the latest session has it.

        Raises:
            LedgerError: the run has not begun, or is of a newer format than this version reads.
        """
        record = self.begun()
        if record is None:
            raise LedgerError(f"{self.url} holds no run: it has no search.json")
        sessions = self.sessions()
        return record | {"definition": sessions[-1].definition} if sessions else record

    @property
    def own_turn(self) -> Turn:
        """The turn of the session that writes.

        Raises:
            LedgerError: the run was opened without a session.
        """
        if self.turn is None:
            raise LedgerError(f"{self.url} was opened without a session: it can be read only")
        return self.turn

    def writer(self) -> Writer | None:
        """The session that writes the run, if any has claimed it, and what is fixed."""
        return self._read(WRITER, Writer)

    def open_session(self, session: Session) -> Session:
        """Write the session unless it was written before, and return what holds."""
        return self._create(f"sessions/{safe_name(session.session)}.json", session)

    def sessions(self) -> list[Session]:
        """All sessions, the earliest first."""
        folder = self.path("sessions/")
        records = [
            (name, read_record(self.store, entry.path, Session))
            for name, entry in named(self.store.list(folder), folder)
            if name == safe_name(name)  # another is a person's copy
        ]
        sessions = [session for name, session in records if safe_name(session.session) == name]
        return sorted(sessions, key=lambda session: session.order)

    def session(self, name: str) -> Session:
        """The session of that name.

        Raises:
            LedgerError: there is none.
        """
        session = self._read(f"sessions/{safe_name(name)}.json", Session)
        if session is None:
            raise LedgerError(f"{self.url} has no session {name!r}")
        return self._named(session, session.session, name)

    def finish(self, session: str) -> None:
        """Say that the session came to an outcome: models are published, or a person refused them."""
        self.store.create(self.path(f"finished/{safe_name(session)}.json"), b"{}\n")

    def finished(self, session: str) -> bool:
        """Whether the session came to an outcome."""
        return self._has(f"finished/{safe_name(session)}.json")

    def close(self, session: str) -> None:
        """Say that nothing is left to do for the session: the next one extends the run rather than finishing it."""
        self.store.create(self.path(f"closed/{safe_name(session)}.json"), b"{}\n")

    def closed(self, session: str) -> bool:
        """Whether nothing is left to do for the session."""
        return self._has(f"closed/{safe_name(session)}.json")

    def end(self, session: str, why: str) -> None:
        """Say that the session ended without an outcome, and why; holds until something is launched again."""
        decision = Decision(what="failed", reason=why)
        self.store.put(self.path(f"ended/{safe_name(session)}.json"), decision.to_bytes())

    def end_of(self, session: str) -> tuple[Decision, float] | None:
        """How the session ended without an outcome, and when, in seconds since 1970 by the store's clock."""
        path = self.path(f"ended/{safe_name(session)}.json")
        try:
            return read_record(self.store, path, Decision), self.store.stat(path).modified.timestamp()
        except NotFoundError:
            return None

    def approval(self) -> Approval | None:
        """A person's latest word on the finalists, if there is one."""
        return self._read("approval.json", Approval)

    def answer(self, approval: Approval) -> None:
        """Keep a person's word on the finalists."""
        self._replace("approval.json", approval.to_bytes())

    def manifest(self) -> dict[str, Any] | None:
        """The prepared data's manifest, once it is prepared: `digest`, `files`, `splits`."""
        manifest = self.read_json(MANIFEST)
        if manifest is not None and not isinstance(manifest.get("digest"), str):
            raise unreadable(self.store, self.path(MANIFEST), "has no digest of the data")
        return manifest

    # Stages

    def create_plan(self, plan: Plan) -> Plan:
        """Fix a stage's plan unless it is fixed, write what follows from it, and return the one that holds.

        That is the requests of a stage that has jobs, the results of its infeasible trials, and its jobs.
        """
        plan = self._fix("planned", plan.stage, f"iterations/{plan.stage}/{_PLAN}", plan)
        for request in plan.requests if plan.jobs else ():
            self.begin_trial(request)
            if request.infeasible:
                self._end(infeasible(request))
        for job in plan.jobs:
            self.create_job(job)
        return plan

    def plan(self, stage: str) -> Plan | None:
        """The stage's plan, if it is fixed."""
        plan = self._read(f"iterations/{stage}/{_PLAN}", Plan)
        return plan and self._named(plan, plan.stage, stage)

    def create_selection(self, selection: Selection) -> Selection:
        """Fix what an iteration's selection knew and decided, unless it is fixed, and return what holds."""
        return self._fix("selected", selection.stage, f"iterations/{selection.stage}/{_SELECTION}", selection)

    def selection(self, stage: str) -> Selection | None:
        """What the iteration's selection knew and decided, if it has selected."""
        return self._read(f"iterations/{stage}/{_SELECTION}", Selection)

    def stages(self) -> list[Stage]:
        """The stages that have a plan, in the order in which they happen."""
        return self.stage_records()[0]

    def iterations_done(self) -> int:
        """How many iterations have selected."""
        return max((stage.number for stage in self.stage_records()[1]), default=0)

    def stage_records(self, *, listed: bool = False) -> tuple[list[Stage], list[Stage]]:
        """The stages that have a plan, and the iterations that have selected: as `writer.json` says, or a listing.

        Args:
            listed: whether to list what is there in any case, for some of it may have been deleted.

        Raises:
            LedgerError: a later session than that which reads has begun.
        """
        writer = self.turn.check() if self.turn is not None else self.writer()
        if writer is None or writer.planned is None or writer.selected is None:
            return self._listed_records()
        if not listed:
            return writer.planned, writer.selected
        planned, selected = self._listed_records()
        kept = [stage for stage in planned if stage in writer.planned]
        return kept, [stage for stage in selected if stage in writer.selected]

    def _listed_records(self) -> tuple[list[Stage], list[Stage]]:
        folder = self.path("iterations/")
        paths = [entry.path.removeprefix(folder).partition("/") for entry in self.store.list(folder)]
        stages = [(Stage(stage), name) for stage, _, name in paths]
        planned, selected = (
            sorted({stage for stage, other in stages if other == name and stage.is_one}, key=lambda stage: stage.order)
            for name in (_PLAN, _SELECTION)
        )
        return planned, [stage for stage in selected if stage.is_iteration]

    # Jobs and units

    def create_job(self, job: Job) -> Job:
        """Write a job unless it was written, and return the one that holds."""
        return self._create(f"jobs/{job.job}.json", job)

    def preparation(self) -> Job | None:
        """The job that prepares the run's data, the last one if some have failed."""
        folder = self.path("jobs/")
        listed = named(self.store.list(f"{folder}{StageKind.PREPARE}"), folder)
        stages = [stage for name, _ in listed if (stage := Stage(name)).is_one]
        return self.job(max(stages, key=lambda stage: stage.number)) if stages else None

    def job(self, job: str) -> Job:
        """The job.

        A lane has no record, for its name says all.

        Raises:
            LedgerError: there is no such job.
        """
        lane = Job.named_lane(job)
        if lane is not None:
            return lane
        record = self._read(f"jobs/{job}.json", Job)
        if record is None:
            raise LedgerError(f"{self.url} has no job {job!r}")
        return self._named(record, record.job, job)

    def begin_launch(self, job: str, host: str, launched: str, number: int | None = None) -> Launch:
        """Record one more launch of a job; its number tells how many there are.

        Args:
            job: that is launched.
            host: that launches it.
            launched: when, ISO 8601 in UTC.
            number: of the launch, where it is known; one that is recorded already stays as it is.
        """
        if number is not None:
            return self._create(
                f"jobs/{job}/launches/{number}.json", Launch(number=number, host=host, launched=launched)
            )
        number = 1  # most jobs are launched once: that needs no listing
        while True:
            launch = Launch(number=number, host=host, launched=launched)
            if self.store.create(self.path(f"jobs/{job}/launches/{number}.json"), launch.to_bytes()):
                return launch
            number = max(number, len(self.launches(job))) + 1

    def cancel_launch(self, job: str) -> None:
        """Say that the job's last launch is cancelled; a later one is not."""
        self.store.create(self.path(f"jobs/{job}/cancelled/{len(self.launches(job))}.json"), b"{}\n")

    def cancelled(self, job: str) -> bool:
        """Whether the job's last launch was cancelled."""
        return self._has(f"jobs/{job}/cancelled/{len(self.launches(job))}.json")

    def launches(self, job: str) -> list[Launch]:
        """All launches of a job, in order; one whose record cannot be read counts too."""
        launches = [
            self._started(entry, Launch) or Launch(number=number, host="", launched=_moment(entry))
            for number, entry in self._numbered(f"jobs/{job}/launches/")
        ]
        return sorted(launches, key=lambda launch: launch.number)

    def launch_times(self, jobs: str = "") -> dict[str, list[float]]:
        """When jobs were launched, in seconds since 1970 by the store's clock: one listing.

        Args:
            jobs: what their ids begin with.
        """
        times: dict[str, list[float]] = {}
        for entry in self.store.list(self.path(f"jobs/{jobs}")):
            job, _, name = entry.path.removeprefix(self.path("jobs/")).partition("/launches/")
            if re.fullmatch(r"[0-9]+\.json", name):
                times.setdefault(job, []).append(entry.modified.timestamp())
        return times

    def log(self, unit: str) -> str:
        """The end of a unit's log, at most 16 KiB; empty where there is none."""
        try:
            return self.store.tail(self.trial_path(unit, "log.txt"), _LOG).decode(errors="replace")
        except NotFoundError:
            return ""

    def onnx_digest(self, trial: str) -> str | None:
        """SHA-256 of a trial's ONNX file, in hexadecimal digits; None where there is no such file."""
        path = self.trial_path(trial, ONNX)
        try:
            noted = self.store.stat(path).metadata.get("sha256")
            if noted is not None:  # by whoever exported it
                return str(json.loads(noted))
            with self.store.open(path) as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except NotFoundError:
            return None

    def files(self, unit: str) -> list[Entry]:
        """The objects of a unit, its attempts aside: one listing."""
        folder = self.trial_path(unit, "")
        return [entry for entry in self.store.list(folder) if "/" not in entry.path.removeprefix(folder)]

    def request(self, trial: str) -> Request:
        """What was asked of a trial.

        Raises:
            LedgerError: nothing was.
        """
        request = self._read(f"trials/{trial}/request.json", Request)
        if request is None:
            raise LedgerError(f"{self.url} has no trial {trial!r}")
        return self._named(request, request.trial, trial)

    def begin_trial(self, request: Request) -> Request:
        """Write a trial's request unless it was written, and return the one that holds."""
        return self._create(f"trials/{request.trial}/request.json", request)

    def begin_first_attempt(self, unit: str, job: str, host: str, started: str) -> Attempt | None:
        """Record the first start of a unit; None, and nothing is recorded, where it was started before."""
        attempt = Attempt(number=1, job=job, host=host, started=started)
        return attempt if self.store.create(self._attempt_path(unit, 1), attempt.to_bytes()) else None

    def begin_attempt(self, unit: str, job: str, host: str, started: str, after: int | None = None) -> Attempt:
        """Record one more start of a unit, `after` so many; the attempt's number tells how many there are."""
        number = (len(self.attempts(unit)) if after is None else after) + 1
        while True:
            attempt = Attempt(number=number, job=job, host=host, started=started)
            if self.store.create(self._attempt_path(unit, number), attempt.to_bytes()):
                return attempt
            number += 1

    def mark_preempted(self, unit: str, attempt: Attempt) -> None:
        """Say that the attempt's job was told to go: the start is not held against the unit."""
        preempted = attempt.model_copy(update={"preempted": True})
        self.store.put(self._attempt_path(unit, attempt.number), preempted.to_bytes())

    def mark_taken_down(self, unit: str, attempt: Attempt, kind: str, message: str) -> None:
        """Say what took the attempt's job down with it; the start counts."""
        taken_down = attempt.model_copy(update={"kind": kind, "message": message})
        self.store.put(self._attempt_path(unit, attempt.number), taken_down.to_bytes())

    def attempts(self, unit: str, most: int = 0) -> list[Attempt]:
        """The last starts of a unit, `most` of them or all, in order; one whose record cannot be read counts too."""
        listed = sorted(self._numbered(f"trials/{unit}/attempts/"), key=lambda one: one[0])
        return [
            self._started(entry, Attempt) or Attempt(number=number, job="", host="", started=_moment(entry))
            for number, entry in listed[-most:]
        ]

    # Results

    def record(self, result: Result) -> bool:
        """Write the terminal record of a unit: the first writer wins, whatever it says.

        A record that comes too late is kept among the unit's files, as `late.json`.

        Returns:
            Whether this is the record that holds.
        """
        if self._end(result):
            return True
        self.store.create(self.trial_path(result.trial, "late.json"), result.to_bytes())
        return False

    def result(self, unit: str) -> Result | None:
        """The whole result of a unit, if it has one."""
        try:
            return self._read_result(self._result_path(unit))
        except NotFoundError:
            return None

    def message(self, trial: Trial) -> str:
        """Why the trial failed or was stopped; read from its result where that was too long for a listing."""
        if trial.result is None or trial.result.message:
            return trial.result.message if trial.result else ""
        whole = self.result(trial.trial)
        return whole.message if whole else ""

    def outcome(self, unit: str) -> Result | None:
        """How a unit ended, if it did, without a listing."""
        try:
            return result_of(self.store.stat(self._result_path(unit)), self._read_result)
        except NotFoundError:
            return None

    def outcomes(self) -> dict[str, Result]:
        """How all trials with a result ended, by id: one listing."""
        return self._outcomes("results/", is_trial)

    def step_outcomes(self) -> dict[str, Result]:
        """How all other units (preparation, verifications) ended, by id: one listing."""
        return self._outcomes("steps/", lambda unit: safe_name(unit) == unit)

    def owed(self, job: Job) -> list[str]:
        """Those of the job's units that have no result yet: one listing."""
        trains = any(is_trial(unit) for unit in job.units)
        return job.owed(self.outcomes() if trains else self.step_outcomes())

    # Objects

    def path(self, name: str) -> str:
        """The store's path of one of the run's objects."""
        return f"{self.root}/{name}"

    def trial_path(self, trial: str, name: str) -> str:
        """The store's path of one of a trial's files."""
        return self.path(f"trials/{trial}/{name}")

    def read_json(self, name: str) -> dict[str, Any] | None:
        """One of the run's JSON objects, if it is there.

        Raises:
            UnreadableError: what is there is none.
        """
        try:
            return read_object(self.store, self.path(name))
        except NotFoundError:
            return None

    def write_json(self, name: str, content: Any) -> None:
        """Replace one of the run's JSON objects."""
        self._replace(name, json.dumps(content, indent=1).encode() + b"\n")

    def _replace(self, name: str, content: bytes) -> None:
        """Replace one of the run's objects; a session does so only while it is its turn.

        Raises:
            LedgerError: a later session has begun.
        """
        path = self.path(name)
        while self.turn is not None:
            try:
                etag = self.store.stat(path).etag
            except NotFoundError:
                etag = None
            self.turn.write()
            try:
                if etag is not None:
                    return self.store.put(path, content, if_match=etag)
                if self.store.create(path, content):
                    return None
            except ConflictError:  # somebody wrote it meanwhile; a later session, if this is not its turn any more
                continue
        return self.store.put(path, content)

    def _fix(self, what: Literal["planned", "selected"], stage: Stage, name: str, record: R) -> R:
        """Write what may be decided once, unless it was decided, and return what holds.

        It counts as soon as `writer.json` says so, which an older session cannot bring about. What it may have left is
        replaced.

        Raises:
            LedgerError: a later session has begun.
        """
        if self.turn is None:
            return self._create(name, record)
        path, mark = self.path(name), {"session": str(self.turn.number)}
        while not self.store.create(path, record.to_bytes(), mark):
            entry = self.store.stat(path)
            fixed = stage in (getattr(self.turn.check(), what) or ())
            if fixed or entry.metadata == mark:
                record = read_record(self.store, path, type(record))
                if fixed:
                    return record
                break
            try:
                self.store.put(path, record.to_bytes(), mark, if_match=entry.etag)
                break
            except ConflictError:
                continue
        self.turn.write(lambda writer: writer.with_fixed(what, stage))
        return record

    def _end(self, result: Result) -> bool:
        return self.store.create(self._result_path(result.trial), result.to_bytes(), metadata_of(result))

    def _create(self, name: str, record: R) -> R:
        if self.store.create(self.path(name), record.to_bytes()):
            return record
        return read_record(self.store, self.path(name), type(record))

    def _read(self, name: str, kind: type[R]) -> R | None:
        try:
            return read_record(self.store, self.path(name), kind)
        except NotFoundError:
            return None

    def _has(self, name: str) -> bool:
        """Whether there is such an object, whatever it says."""
        try:
            self.store.stat(self.path(name))
        except NotFoundError:
            return False
        return True

    def _numbered(self, name: str) -> Iterator[tuple[int, Entry]]:
        """The objects of a folder whose names are numbers, with these."""
        folder = self.path(name)
        listed = named(self.store.list(folder), folder)
        return ((int(stem), entry) for stem, entry in listed if stem.isdecimal() and stem.isascii())

    def _started(self, entry: Entry, kind: type[R]) -> R | None:
        """What is recorded of a start or a launch; None where that cannot be read."""
        try:
            return read_record(self.store, entry.path, kind)
        except UnreadableError:
            return None

    def _named(self, record: R, recorded: str, name: str) -> R:
        if recorded != name:
            raise LedgerError(f"{self.url}: the record of {name!r} says that it is {recorded!r}: somebody changed it")
        return record

    def _attempt_path(self, unit: str, number: int) -> str:
        return self.path(f"trials/{unit}/attempts/{number}.json")

    def _result_path(self, unit: str) -> str:
        return self.path(f"{'results' if is_trial(unit) else 'steps'}/{unit}.json")

    def _read_result(self, path: str) -> Result:
        """A result; a failure that tells so where it cannot be read, for it was written once and for all."""
        try:
            return read_record(self.store, path, Result)
        except UnreadableError as error:
            return unreadable_result(path, error)

    def _outcomes(self, name: str, is_own: Callable[[str], bool]) -> dict[str, Result]:
        folder = self.path(name)
        listed = named(self.store.list(folder), folder)
        return {unit: result_of(entry, self._read_result) for unit, entry in listed if is_own(unit)}


def _moment(entry: Entry) -> str:
    """When an object was written, ISO 8601 in UTC."""
    return entry.modified.isoformat(timespec="seconds")
