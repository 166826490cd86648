"""What a person is asked before the finalists are trained fully."""

from windtunnel.definition.program import workload_of
from windtunnel.stages.finalists import choose_finalists
from windtunnel.stages.search import Search
from windtunnel.text import counted

QUESTION = "Train these finalists fully?"


def describe_finalists(search: Search) -> str:
    """The finalists and what is done with them, in Markdown."""
    outcomes = search.ledger.outcomes()
    names = list(search.definition.objectives)
    rows = [f"| trial | {' | '.join(names)} | parameters |", "|---" * (len(names) + 2) + "|"]
    for request in choose_finalists(search).requests:
        seen = outcomes.get(request.continue_from or request.trial)
        values = [f"{seen.objectives[name]:.6g}" if seen and name in seen.objectives else "" for name in names]
        rows.append(f"| {request.trial} | {' | '.join(values)} | {request.params} |")
    checked = workload_of(search.definition).verify is not None
    then = (
        "each model is verified on the test data" if checked else "no model is verified: the workload has no `verify`"
    )
    return "\n".join(
        [*rows, "", f"They are trained to {counted(search.definition.epochs.full, 'epoch')}; then {then}."]
    )
