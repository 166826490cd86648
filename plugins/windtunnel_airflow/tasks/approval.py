"""A person's word before the expensive part, where the run asks for it."""

from typing import Any

from airflow.providers.standard.operators.hitl import HITLBranchOperator

from windtunnel.launchers import get_launcher
from windtunnel.launchers.lanes import end_idle
from windtunnel.ledger import Approval
from windtunnel.stages import History, Search
from windtunnel.stages.finalists import full_stage
from windtunnel.stages.question import QUESTION, describe_finalists
from windtunnel_airflow.context import current_search
from windtunnel_airflow.triggers.answer import AnswerTrigger

APPROVE, REJECT = "Approve", "Reject"
_ANSWER = "answer"  # key of the XCom that proves an answer


class Approve(HITLBranchOperator):
    """Asks whether to train the finalists fully, if the run wants to be asked; the answer is kept in the ledger.

    The ledger shows it, and names the DAG run that has it from Airflow: an answer that nobody gave there counts for
    nothing.

    Finalists that were approved are not asked for again when the run is resumed; after a refusal they are. Nor are they
    where the task died with the answer, which Airflow still has; where a person cleared the task, they are. The answer
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
            subject=QUESTION,
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
        if _is_retry(context["ti"], context["task"].retries):
            self.defer(trigger=AnswerTrigger(str(context["ti"].id)), method_name="follow_or_ask")
        return self._ask(search, context)

    def follow_or_ask(self, context: Any, event: dict[str, Any]) -> Any:
        """Follow the answer that was given before the task died, or ask where there was none."""
        if "chosen_options" in event:
            return self.execute_complete(context, event)
        return self._ask(current_search(self.store, context), context)

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

    def _ask(self, search: Search, context: Any) -> Any:
        self.body = describe_finalists(search)
        end_idle(search.ledger, get_launcher(search.definition.launcher))
        return super().execute(context)

    def _approved(self, search: Search, ti: Any) -> bool:
        """Whether these finalists were approved before, in this run's DAG run or another."""
        stage, approval = full_stage(search, History(search.ledger)), search.ledger.approval()
        if approval is None or not approval.allows(stage):
            return False
        given = ti.xcom_pull(task_ids=self.task_id, run_id=approval.session, key=_ANSWER, map_indexes=-1)
        return given is not None and Approval.model_validate(given).allows(stage)


def _is_retry(ti: Any, retries: int) -> bool:
    """Whether the task died at its last try; clearing it, which asks anew, adds to the tries that it may have."""
    return bool(ti.try_number - (ti.max_tries - retries) > 1)
