"""Whether a request is one that its search can have made: it was read from a ledger, which others may write."""

from collections.abc import Collection, Iterator

from windtunnel.definition import Definition
from windtunnel.errors import DefinitionError, LedgerError
from windtunnel.ledger import Request
from windtunnel.ledger.ids import config_of, is_trial
from windtunnel.space import Space


def check_request(request: Request, definition: Definition, sources: Collection[str]) -> None:
    """Refuse a request that is not of the search.

    Args:
        request: as the ledger has it.
        definition: of the search, its space written out; parameters of a class that this host lacks are not checked.
        sources: URLs of the runs whose checkpoints may be taken up, beside the run's own.

    Raises:
        LedgerError: naming all that the search does not allow.
    """
    faults = "; ".join(_faults(request, definition, sources))
    if faults:
        raise LedgerError(f"the request of {request.trial} is not of this search, so nothing is run for it: {faults}")


def _faults(request: Request, definition: Definition, sources: Collection[str]) -> Iterator[str]:
    most = max(definition.epochs.full, definition.epochs.horizon or 0.0)
    if not 0 < request.epochs <= most:
        yield f"epochs: found {request.epochs:g}; allowed: above 0 and at most {most:g}"
    if request.continue_from is not None and not _same(request.continue_from, request.config):
        yield f"continue_from: found {request.continue_from!r}; allowed: a trial of configuration {request.config}"
    if request.source is not None and request.source not in sources:
        yield f"source: found {request.source!r}; allowed: {', '.join(sources) or 'none'}"
    try:
        space = Space.parse(definition.space) if definition.space is not None else None
    except DefinitionError:
        return
    try:
        if space is not None:
            space.canonical(request.params)
    except DefinitionError as error:
        yield from (f"params.{fault}" for fault in error.faults)


def _same(trial: str, config: str) -> bool:
    return is_trial(trial) and config_of(trial) == config
