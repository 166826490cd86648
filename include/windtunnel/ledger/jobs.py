"""A run's jobs, and each job's launches."""

import json
import re

from windtunnel.errors import LedgerError
from windtunnel.ledger.objects import RunObjects, moment
from windtunnel.ledger.reading import named
from windtunnel.ledger.records import Job, Launch
from windtunnel.ledger.stage import Stage, StageKind


class Jobs(RunObjects):
    """A run's jobs."""

    def create_job(self, job: Job) -> Job:
        """Write a job unless it was written, and return the one that holds."""
        return self._create(f"jobs/{job.job}.json", job)

    def preparation(self) -> Job | None:
        """The job that prepares the run's data, the last one if some have failed."""
        folder = self.path("jobs/")
        listed = named(self.store, folder, StageKind.PREPARE)
        stages = [stage for name, _ in listed if (stage := Stage(name)).is_one]
        return self.job(max(stages, key=lambda stage: stage.number)) if stages else None

    def job(self, job: str) -> Job:
        """The job; a lane has no record, for its name says all.

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

    def last_launch(self, job: str) -> int:
        """Number of the job's latest launch; 0 before the first."""
        return max((number for number, _ in self._numbered(f"jobs/{job}/launches/")), default=0)

    def refuse_launch(self, job: str, kind: str, message: str) -> None:
        """Say why the job cannot be launched once more; a later launch that succeeds is another matter."""
        self.store.put(self.path(self._refusal(job)), json.dumps({"kind": kind, "message": message}).encode())

    def refused_launch(self, job: str) -> tuple[str, str] | None:
        """Kind and message of what keeps the job from being launched once more, as far as that was tried."""
        refusal = self.read_json(self._refusal(job))
        return (str(refusal.get("kind")), str(refusal.get("message"))) if refusal else None

    def _refusal(self, job: str) -> str:
        return f"jobs/{job}/refused/{self.last_launch(job)}.json"

    def cancel_launch(self, job: str) -> None:
        """Say that the job's last launch is cancelled; a later one is not."""
        self.store.create(self.path(f"jobs/{job}/cancelled/{self.last_launch(job)}.json"), b"{}\n")

    def cancelled(self, job: str) -> bool:
        """Whether the job's last launch was cancelled."""
        return self.has(f"jobs/{job}/cancelled/{self.last_launch(job)}.json")

    def launches(self, job: str) -> list[Launch]:
        """All launches of a job, in order; one whose record cannot be read counts too."""
        launches = [
            self._started(entry, Launch) or Launch(number=number, host="", launched=moment(entry))
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
