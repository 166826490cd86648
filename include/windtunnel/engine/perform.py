"""A search performed in this process: what its DAG does, one stage after another."""

import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import ParamSpec, TypeVar

from windtunnel import stages
from windtunnel.errors import SearchError, Stopped, UnavailableError
from windtunnel.host.machine import now, user
from windtunnel.launchers import get_launcher
from windtunnel.launchers.base import Launcher
from windtunnel.launchers.lanes import end_idle, end_other_sessions, lanes_for, launch
from windtunnel.launchers.monitor import Progress, StageMonitor, wait
from windtunnel.ledger import Approval, Job, Model, Plan, State
from windtunnel.ledger.failures import cause
from windtunnel.ledger.queue import open_queue, owed
from windtunnel.ledger.stage import Stage
from windtunnel.stages import Search
from windtunnel.strategies import get_strategy
from windtunnel.text import error_text

_INTERVAL = 0.1  # seconds between two looks at a stage, at most
_FIRST_DELAY, _LONGEST_DELAY = 1.0, 60.0  # seconds until a store that did not answer is asked again

P = ParamSpec("P")
T = TypeVar("T")


@dataclass
class Engine:
    """Performs a search that has begun. Whatever ends it, nothing that it launched runs on.

    Attributes:
        search: at work, see `stages.begin`.
        approve: asked whether these finalists are to be trained fully, where the definition wants that.
        look: told of each look at what runs, ten times a second.
        say: told what a person should know of, a line each.
        sleep: waits for some seconds.
    """

    search: Search
    approve: Callable[[Plan], bool] = lambda plan: True
    look: Callable[[Progress], None] = lambda progress: None
    say: Callable[[str], None] = lambda line: None
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)

    def perform(self) -> list[Model]:
        """Go from the data to the published models; what is done already is not done again.

        Returns:
            The models that may be used, the best first; none where a person refused the finalists.

        Raises:
            SearchError: the search is hopeless, its data cannot be prepared, or there is nothing to publish.
            WindtunnelError: a stage cannot be performed.
        """
        session = self.search.session.session
        try:
            self._prepare()
            self._patiently(end_other_sessions, self.search.ledger, self._launcher)
            self._start()
            for group in itertools.count(1):
                if not self._patiently(stages.goes_on, self.search, group):
                    break
                self._iterate(self.search.iteration(group))
            models = self._finish()
        except BaseException as error:
            self.search.ledger.end(session, why_ended(error))
            raise
        finally:
            self._launcher.cancel(self.search.ledger)
        self._patiently(self.search.ledger.close, session)
        return models

    @property
    def _launcher(self) -> Launcher:
        return get_launcher(self.search.definition.launcher)

    def _prepare(self) -> None:
        job = self._patiently(stages.prepare_job, self.search)
        self._run(job.stage, [job])
        for unit in job.units:
            result = self._patiently(self.search.ledger.result, unit)
            if result is not None and result.state is State.FAILED:
                raise SearchError(f"the data cannot be prepared: {cause(result)}")

    def _start(self) -> None:
        """Take over what earlier runs know."""
        plan = self._patiently(stages.start, self.search)
        if plan is not None:
            self.say(plan.note)

    def _iterate(self, k: int) -> None:
        plan = self._patiently(stages.suggest, self.search, k)
        if plan.left_out:
            self.say(plan.left_out)
        self._train(plan, self._load_strategy)
        selection = self._patiently(stages.select, self.search, k)
        if selection.failure:
            raise SearchError(f"the search ends, for it only fails: {selection.failure}")

    def _finish(self) -> list[Model]:
        """The finalists: trained fully, verified and published, unless a person refuses them."""
        plan = self._patiently(stages.choose_finalists, self.search)
        if self.search.definition.approval:
            self._patiently(end_idle, self.search.ledger, self._launcher)
            if not self._approved(plan):
                self._patiently(stages.refuse, self.search)
                return []
        self._train(plan)
        checks = self._patiently(stages.plan_verification, self.search)
        self._run(checks.stage, checks.jobs)
        return self._patiently(stages.publish, self.search)

    def _approved(self, plan: Plan) -> bool:
        """Ask whether the finalists are to be trained fully, and keep the answer, with who gave it and when."""
        approved = self.approve(plan)
        session = self.search.session.session
        answer = Approval(approved=approved, by=user(), at=now(), session=session, stage=plan.stage)
        self._patiently(self.search.ledger.answer, answer)
        return approved

    def _load_strategy(self) -> None:
        """Import what the next suggestion takes while the lanes begin, which takes them about as long."""
        if self.search.session.iterations > 1:
            chosen = self.search.definition.strategy
            get_strategy(chosen.name, chosen.options).load()

    def _train(self, plan: Plan, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Let the lanes train a stage's trials, and do something meanwhile."""
        self._patiently(open_queue, self.search.ledger, plan.stage)
        lanes = self._patiently(lanes_for, self.search.ledger, self.search.definition, plan)
        self._run(plan.stage, lanes, meanwhile)

    def _run(self, stage: Stage | None, jobs: Sequence[Job], meanwhile: Callable[[], None] = lambda: None) -> None:
        """Launch what works for a stage, and wait for its results."""
        if stage is None or not any(self._patiently(owed, self.search.ledger, job) for job in jobs):
            return
        self._launch(jobs)
        meanwhile()
        monitor = self._patiently(StageMonitor, self.search.ledger, self._launcher, stage)
        self._patiently(wait, monitor.poll, self._launch, _INTERVAL, self.look, self.sleep)

    def _launch(self, jobs: Sequence[Job]) -> None:
        self._patiently(launch, self.search.ledger, self._launcher, jobs, self.say)

    def _patiently(self, work: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        return patiently(partial(work, *arguments, **named), self.say, self.sleep)


def why_ended(error: BaseException) -> str:
    """Why a session ended without an outcome, for people."""
    return str(error) if isinstance(error, Stopped) else error_text(error)


def patiently(work: Callable[[], T], say: Callable[[str], None], sleep: Callable[[float], None] = time.sleep) -> T:
    """Do what may be repeated at any time, and repeat it while the store does not answer.

    Args:
        work: to do.
        say: told why it is repeated, the first time.
        sleep: waits for some seconds.
    """
    delay, announced = _FIRST_DELAY, False
    while True:
        try:
            return work()
        except UnavailableError as error:
            if not announced:
                say(f"waiting: {error}")
            announced = True
            sleep(delay)
            delay = min(2 * delay, _LONGEST_DELAY)
