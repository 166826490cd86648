"""A person's answer that a task died with."""

from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent


class AnswerTrigger(BaseTrigger):
    """Looks once whether a task has its answer: Airflow keeps it, and tells it to triggers only.

    Its event is that of an answer, or empty where there is none.
    """

    def __init__(self, ti_id: str) -> None:
        """Look at one task.

        Args:
            ti_id: id of the task's present try.
        """
        super().__init__()  # type: ignore[no-untyped-call]
        self._ti_id = ti_id

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """How another process makes the same trigger."""
        return f"{type(self).__module__}.{type(self).__name__}", {"ti_id": self._ti_id}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look, and tell."""
        from uuid import UUID

        from airflow.sdk.execution_time.hitl import get_hitl_detail_content_detail
        from asgiref.sync import sync_to_async

        answer: dict[str, Any] = {}
        try:
            detail = await sync_to_async(get_hitl_detail_content_detail)(ti_id=UUID(self._ti_id))
        except Exception as error:  # it died before it had asked
            self.log.info("Nobody was asked: %s", error)
        else:
            if detail.response_received and detail.chosen_options:
                by = detail.responded_by_user
                answer = {
                    "chosen_options": list(detail.chosen_options),
                    "params_input": detail.params_input or {},
                    "responded_at": detail.responded_at,
                    "responded_by_user": by and {"id": by.id, "name": by.name},
                }
        yield TriggerEvent(answer)  # type: ignore[no-untyped-call]
