"""A run's trials, and the other units of its jobs: what was asked of each, its starts, its files and its result."""

import hashlib
import json
from collections.abc import Callable

from windtunnel.errors import LedgerError, NoObjectError, NotFoundError, UnreadableError
from windtunnel.ledger.ids import is_trial, safe_name
from windtunnel.ledger.listing import metadata_of, result_of, unreadable_result
from windtunnel.ledger.model import ONNX
from windtunnel.ledger.objects import RunObjects, moment
from windtunnel.ledger.reading import named, read_record
from windtunnel.ledger.records import Attempt, Job, Request, Result
from windtunnel.ledger.trial import Trial
from windtunnel.stores.base import Entry

_LOG = 16 * 1024  # bytes of a log that people are shown


class Trials(RunObjects):
    """A run's units: trials, and the steps that are none, such as a preparation or a verification."""

    def trial_path(self, trial: str, name: str) -> str:
        """The store's path of one of a trial's files."""
        return self.path(f"trials/{trial}/{name}")

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
        return attempt if self.take(self._attempt_path(unit, 1), attempt.to_bytes()) else None

    def begin_attempt(self, unit: str, job: str, host: str, started: str, after: int | None = None) -> Attempt:
        """Record one more start of a unit, `after` so many; the attempt's number tells how many there are."""
        number = (len(self.attempts(unit)) if after is None else after) + 1
        while True:
            attempt = Attempt(number=number, job=job, host=host, started=started)
            if self.take(self._attempt_path(unit, number), attempt.to_bytes()):
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
            self._started(entry, Attempt) or Attempt(number=number, job="", host="", started=moment(entry))
            for number, entry in listed[-most:]
        ]

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
        path = self._result_path(unit)
        try:
            return result_of(self.store.stat(path), self._read_result)
        except NoObjectError:
            return self._read_result(path)
        except NotFoundError:
            return None

    def outcomes(self) -> dict[str, Result]:
        """How all trials with a result ended, by id: one listing."""
        return self._outcomes("results/", is_trial)

    def ended(self) -> set[str]:
        """Ids of the trials, or of the mini-batches, that have a result: one listing."""
        folder = self.path("results/")
        return {unit for unit, _ in named(self.store, folder)}

    def step_outcomes(self) -> dict[str, Result]:
        """How all other units (preparation, verifications) ended, by id: one listing."""
        return self._outcomes("steps/", lambda unit: safe_name(unit) == unit)

    def owed(self, job: Job) -> list[str]:
        """Those of the job's units that have no result yet: one listing."""
        trains = any(is_trial(unit) for unit in job.units)
        return job.owed(self.outcomes() if trains else self.step_outcomes())

    def _end(self, result: Result) -> bool:
        return self.take(self._result_path(result.trial), result.to_bytes(), metadata_of(result))

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
        listed = named(self.store, folder)
        return {unit: result_of(entry, self._read_result) for unit, entry in listed if is_own(unit)}
