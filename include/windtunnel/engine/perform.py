"""A search performed in this process: what its DAG does, one stage after another."""

import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import ParamSpec, TypeVar

from windtunnel import stages
from windtunnel.errors import LaunchError, SearchError, UnavailableError
from windtunnel.launchers import get_launcher
from windtunnel.launchers.base import Launcher
from windtunnel.launchers.monitor import Progress, StageMonitor, wait
from windtunnel.ledger import Job, Model, Plan, State
from windtunnel.ledger.failures import record_unlaunched
from windtunnel.stages import Search
from windtunnel.text import error_text

_INTERVAL = 0.1  # seconds between two looks at a stage
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
            self._go_on_with_what_is_left()
            for group in itertools.count(1):
                if not self._patiently(stages.goes_on, self.search, group):
                    break
                self._iterate(self.search.iteration(group))
            models = self._finish()
        except BaseException as error:
            self.search.ledger.end(session, error_text(error))
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
        self._train([job])
        for unit in job.units:
            result = self._patiently(self.search.ledger.result, unit)
            if result is not None and result.state is State.FAILED:
                raise SearchError(f"the data cannot be prepared: {result.kind}: {result.message}")

    def _go_on_with_what_is_left(self) -> None:
        """Launch stragglers that an earlier session left, and take over what earlier runs know."""
        history = stages.History(self.search.ledger)
        self._launch(self._patiently(history.stragglers, self.search.session.offset))
        plan = self._patiently(stages.start, self.search)
        if plan is not None:
            self.say(plan.note)

    def _iterate(self, k: int) -> None:
        plan = self._patiently(stages.suggest, self.search, k, self._live())
        if plan.left_out:
            self.say(plan.left_out)
        self._train(plan.jobs)
        selection = self._patiently(stages.select, self.search, k)
        if selection.failure:
            raise SearchError(f"the search ends, for it only fails: {selection.failure}")

    def _finish(self) -> list[Model]:
        """The finalists: trained fully, verified and published, unless a person refuses them."""
        plan = self._patiently(stages.choose_finalists, self.search, self._live())
        if self.search.definition.approval and not self.approve(plan):
            self._patiently(stages.refuse, self.search)
            return []
        self._train(plan.jobs)
        self._train(self._patiently(stages.plan_verification, self.search).jobs)
        return self._patiently(stages.publish, self.search)

    def _train(self, jobs: Sequence[Job]) -> None:
        """Launch a stage's jobs, and wait for their results."""
        if not any(job.units for job in jobs):
            return
        self._launch(jobs)
        monitor = self._patiently(StageMonitor, self.search.ledger, self._launcher, jobs[0].stage)
        self._patiently(wait, monitor, _INTERVAL, self.look, self.sleep)

    def _launch(self, jobs: Sequence[Job]) -> None:
        """Launch jobs. The trials of one that cannot be launched have failed."""
        for job in jobs:
            try:
                self._patiently(self._launcher.launch, self.search.ledger, job)
            except LaunchError as error:
                self.say(f"job {job.job} cannot be launched: {error}")
                record_unlaunched(self.search.ledger, job, error)

    def _live(self) -> set[str]:
        return self._patiently(self._launcher.live, self.search.ledger)

    def _patiently(self, work: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        return patiently(partial(work, *arguments, **named), self.say, self.sleep)


def patiently(work: Callable[[], T], say: Callable[[str], None], sleep: Callable[[float], None] = time.sleep) -> T:
    """Do what may be repeated at any time, and repeat it while the store does not answer.

    Args:
        work: to do.
        say: told why it is repeated, the first time.
        sleep: waits for some seconds.
    """
    delay, said = _FIRST_DELAY, False
    while True:
        try:
            return work()
        except UnavailableError as error:
            if not said:
                say(f"waiting: {error}")
            said = True
            sleep(delay)
            delay = min(2 * delay, _LONGEST_DELAY)
