"""A run's ledger: every fact of the run as an object in a store, each written by whoever knows it, once."""

from functools import cached_property

from windtunnel.errors import LedgerError, NotFoundError
from windtunnel.ledger.jobs import Jobs
from windtunnel.ledger.reading import content_of
from windtunnel.ledger.records import Plan
from windtunnel.ledger.selection import Selection
from windtunnel.ledger.sessions import Sessions
from windtunnel.ledger.spec import Spec, is_digest, read_spec
from windtunnel.ledger.stage import FLEET, Stage
from windtunnel.ledger.trial import infeasible
from windtunnel.ledger.trials import Trials
from windtunnel.ledger.url import parts_of
from windtunnel.stores import Store, open_store
from windtunnel.stores.credentials import Credentials

_PLAN, _SELECTION = "plan.json", "known.json"


class Ledger(Sessions, Jobs, Trials):
    """Reads and writes one run's facts: here what it runs and its stages.

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
            session: number of the session that writes it, see `RunObjects`.
        """
        super().__init__(store, search, run, session)
        self._spec = spec

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

    # What is to be run

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
            content, _ = content_of(self.store, self.path(name))
        except NotFoundError as error:
            raise LedgerError(f"{self.url} has no {name}, by which it is to be run: resume the run") from error
        return read_spec(content, self.digest, f"{self.url}/{name}")

    def write_spec(self, spec: Spec) -> "Ledger":
        """Write what is to be run, whatever is there; returns the run for those who run it."""
        self.store.put(self.path(f"specs/{spec.digest}.json"), spec.to_bytes())
        return self.with_spec(spec)

    # Stages

    def create_plan(self, plan: Plan) -> Plan:
        """Fix a stage's plan unless it is fixed, write what follows from it, and return the one that holds.

        That is its requests, unless it is a warm start, the results of its infeasible trials, and its jobs.
        """
        plan = self.fix("planned", plan.stage, f"iterations/{plan.stage}/{_PLAN}", plan)
        for request in plan.requests if plan.stage != Stage.iteration(0) else ():
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
        return self.fix("selected", selection.stage, f"iterations/{selection.stage}/{_SELECTION}", selection)

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
        planned += [FLEET] if self.has(_PLAN) else []
        return planned, [stage for stage in selected if stage.is_iteration]
