"""Which errors are tried again: those that may pass by themselves. What a person must mend is not."""

from datetime import timedelta
from typing import Any

from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule

from windtunnel.errors import DefinitionError, LedgerError, RefusedError, SearchError, WorkloadError
from windtunnel_airflow.failures import tell_failure

FOR_A_PERSON = (DefinitionError, WorkloadError, SearchError, LedgerError, RefusedError)


def retries() -> dict[str, Any]:
    """The tasks' arguments for retries: quick, for every task finds what is done and does the rest.

    Many, for what a retry can mend, such as a worker that was killed, may well happen again; what a person must mend
    is not tried again at all.
    """
    rule = RetryRule(exception=list(FOR_A_PERSON), action=RetryAction.FAIL)
    return {
        "on_failure_callback": tell_failure,
        "retries": 5,
        "retry_delay": timedelta(seconds=5),
        "retry_policy": ExceptionRetryPolicy(rules=[rule]),
    }


def is_last_try(ti: Any, error: Exception) -> bool:
    """Whether the task will not be tried again after this error."""
    return ti.try_number > ti.max_tries or isinstance(error, FOR_A_PERSON)
