"""Asks the definition's rules whether a trial is worth more training, and records every answer."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict

from windtunnel.definition.model import Definition
from windtunnel.errors import NotFoundError, WindtunnelError
from windtunnel.ledger import Ledger, Request
from windtunnel.ledger.curves import read_curves, rounded
from windtunnel.ledger.ids import config_of
from windtunnel.stopping.rules import Judgement, judgements
from windtunnel_trainer.checkpoints import Report

DECISIONS = "decisions.json"

Stopper = Callable[[Sequence[Report]], Judgement | None]  # from a trial's reports, the judgement that ends it


class TrialStopped(WindtunnelError):  # noqa: N818  (it is no error: the trial is told to end, and why)
    """Raised by `Trial.report` where the trial is not worth more training; a workload lets it pass."""


class Rules:
    """The rules for one trial: called with its reports at the end of an epoch.

    A decision is made from the curves that all other configurations have in the ledger then, by one listing, and stands
    in the trial's `decisions.json` from then on: a trial that is begun anew, because something died, meets the same
    decisions again, whatever others have reported meanwhile.
    """

    def __init__(self, ledger: Ledger, definition: Definition, request: Request) -> None:
        """The rules of a definition that has some.

        Args:
            ledger: of the run.
            definition: of the search.
            request: of the trial.
        """
        self._ledger = ledger
        self._early = definition.early_stopping
        self._metric = definition.watched
        self._direction = definition.objectives[self._metric]
        self._request = request
        self._path = ledger.trial_path(request.trial, DECISIONS)
        self._decided = self._recorded()

    def __call__(self, reports: Sequence[Report]) -> Judgement | None:
        """The judgement that ends the trial; None where it goes on."""
        own = curve(reports, self._metric)
        due = [judgement for judgement in self._decided if judgement.interval == len(own)]
        if own and not due and any(rule.due(len(own)) for rule in self._early.rules.values()):
            due = judgements(self._early, own, self._peers(), self._direction)
            self._decided += due
            self._ledger.store.put(self._path, json.dumps([asdict(one) for one in self._decided], indent=1).encode())
        return next((judgement for judgement in due if judgement.stop), None)

    def _peers(self) -> list[list[float]]:
        """The curves of the other configurations; of several trials of one, the one that came furthest."""
        longest: dict[str, list[float]] = {}
        for trial, values in read_curves(self._ledger, self._metric).items():
            config = config_of(trial)
            if config != self._request.config and len(values) > len(longest.get(config, ())):
                longest[config] = values
        return list(longest.values())

    def _recorded(self) -> list[Judgement]:
        try:
            return [Judgement(**facts) for facts in json.loads(self._ledger.store.get(self._path))]
        except NotFoundError:
            return []
        except (ValueError, TypeError):  # torn or strange: the rules decide anew
            return []


def curve(reports: Sequence[Report], metric: str) -> list[float]:
    """The metric at the end of each whole epoch that reported it."""
    whole = (report.metrics.get(metric) for report in reports if report.ends_epoch)
    return [rounded(value) for value in whole if value is not None]
