"""A person's word before the expensive part, where the run asks for it."""

from typing import Any

from airflow.providers.standard.operators.hitl import HITLBranchOperator

from windtunnel.launchers import get_launcher
from windtunnel.launchers.lanes import end_idle
from windtunnel.ledger import Approval
from windtunnel.stages import History, Search
from windtunnel.stages.finalists import full_stage
from windtunnel.workload.contract import load_workload
from windtunnel_airflow.context import current_search

APPROVE, REJECT = "Approve", "Reject"
_ANSWER = "answer"  # key of the XCom that proves an answer


class Approve(HITLBranchOperator):
    """Asks whether to train the finalists fully, if the run wants to be asked; the answer is kept in the ledger.

    The ledger shows it, and names the DAG run that has it from Airflow: an answer that nobody gave there counts for
    nothing.

    Finalists that were approved are not asked for again when the run is resumed; after a refusal they are. The answer
    chooses the branch: `approved` or `refused`, so that a refusal reads as what it is.
    """

    template_fields = (*HITLBranchOperator.template_fields, "store")

    def __init__(self, *, store: str, approved: str, refused: str, **kwargs: Any) -> None:
        """Ask before the tasks named `approved` and `refused`.

        Args:
            store: where the search's ledgers live.
            approved: id of the task that an approval leads to.
            refused: id of the task that a refusal leads to.
            **kwargs: the operator's.
        """
        super().__init__(
            subject="Train these finalists fully?",
            options=[APPROVE, REJECT],
            options_mapping={APPROVE: approved, REJECT: refused},
            **kwargs,
        )
        self.store = store

    def execute(self, context: Any) -> Any:
        """Ask, or go straight on where nobody wants to be asked, or where these finalists were approved before."""
        search = current_search(self.store, context)
        if not search.definition.approval or self._approved(search, context["ti"]):
            return self.do_branch(context, self.options_mapping[APPROVE])
        self.body = _finalists(search)
        end_idle(search.ledger, get_launcher(search.definition.launcher))
        return super().execute(context)

    def execute_complete(self, context: Any, event: dict[str, Any]) -> Any:
        """Keep the answer in the ledger, and follow it."""
        if "chosen_options" in event:
            search = current_search(self.store, context)
            approval = Approval(
                approved=event["chosen_options"] == [APPROVE],
                by=event.get("responded_by_user"),
                at=str(event.get("responded_at")),
                session=search.session.session,
                stage=full_stage(search, History(search.ledger)),
            )
            search.ledger.answer(approval)
            context["ti"].xcom_push(key=_ANSWER, value={"approved": approval.approved, "stage": approval.stage})
        return super().execute_complete(context, event)

    def _approved(self, search: Search, ti: Any) -> bool:
        """Whether these finalists were approved before, in this run's DAG run or another."""
        stage, approval = full_stage(search, History(search.ledger)), search.ledger.approval()
        if approval is None or not approval.allows(stage):
            return False
        given = ti.xcom_pull(task_ids=self.task_id, run_id=approval.session, key=_ANSWER, map_indexes=-1)
        return given is not None and Approval.model_validate(given).allows(stage)


def _finalists(search: Search) -> str:
    from windtunnel.stages import choose_finalists

    outcomes = search.ledger.outcomes()
    names = list(search.definition.objectives)
    rows = [f"| trial | {' | '.join(names)} | parameters |", "|---" * (len(names) + 2) + "|"]
    for request in choose_finalists(search).requests:
        seen = outcomes.get(request.continue_from or request.trial)
        values = [f"{seen.objectives[name]:.6g}" if seen and name in seen.objectives else "" for name in names]
        rows.append(f"| {request.trial} | {' | '.join(values)} | {request.params} |")
    checked = load_workload(search.definition.workload).verify is not None
    then = (
        "each model is verified on the test data" if checked else "no model is verified: the workload has no `verify`"
    )
    return "\n".join([*rows, "", f"They are trained to {search.definition.epochs.full:g} epochs; then {then}."])
