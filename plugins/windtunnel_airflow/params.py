"""The trigger form: what a person may change for one run."""

from collections.abc import Mapping
from typing import Any

from airflow.sdk import Param

from windtunnel.definition import OVERRIDES, Definition, Fleet
from windtunnel.definition.choices import choice_name

_SEARCH, _FLEET, _RUNS, _RETRAIN = "Search", "Fleet", "Other runs", "Retrain"


def trigger_form(definition: Definition) -> dict[str, Param]:
    """The DAG's Params; their defaults are the definition's."""
    epochs = definition.epochs
    return {
        "seed": Param(definition.seed, type="integer", minimum=0, section=_SEARCH, description_md="Of the search."),
        "iterations": Param(
            definition.iterations,
            type="integer",
            minimum=1,
            maximum=definition.iterations,
            section=_SEARCH,
            description_md="At most as many as the definition has; to go on, trigger again with *resume*.",
        ),
        "epochs_partial": Param(
            epochs.partial,
            type="number",
            exclusiveMinimum=0,
            section=_SEARCH,
            description_md="How far a trial is trained to be compared.",
        ),
        "epochs_full": Param(
            epochs.full,
            type="number",
            exclusiveMinimum=0,
            section=_SEARCH,
            description_md="How far a finalist is trained.",
        ),
        "parallel": Param(
            definition.limits.parallel,
            type=["null", "integer"],
            minimum=1,
            section=_SEARCH,
            description_md="Trials at once. Empty: as many as the machine has cores, or as the cluster bears.",
        ),
        "approval": Param(
            definition.approval,
            type="boolean",
            section=_SEARCH,
            description_md="Ask a person before the finalists are fully trained.",
        ),
        "resume": Param(
            None,
            type=["null", "string"],
            section=_RUNS,
            description_md="Name or URL of an earlier run: one cut short is finished, a finished one extended.",
        ),
        "retry_failed": Param(
            False,
            type="boolean",
            section=_RUNS,
            description_md="With *resume*: give the failed trials another try.",
        ),
        "warm_start": Param(
            list(definition.warm_start),
            type="array",
            items={"type": "string"},
            section=_RUNS,
            description_md="Ledgers of earlier runs, one a line, whose results count from the start.",
        ),
        "from_run": Param(
            None,
            type=["null", "string"],
            section=_RETRAIN,
            description_md="Ledger of an earlier run. No search: *trials* of that run are trained fully.",
        ),
        "trials": Param(
            [],
            type="array",
            items={"type": "string"},
            section=_RETRAIN,
            description_md="Ids of the trials of *from_run*, one a line.",
        ),
    }


def fleet_form(fleet: Fleet) -> dict[str, Param]:
    """The Params of a fleet's DAG."""
    return {
        "partitions": Param(
            [],
            type="array",
            items={"type": "string"},
            section=_FLEET,
            description_md="Those to train, one a line: names, keys or patterns, such as `tenant_1*` or"
            " `region=north`. Empty: all.",
        ),
        "only_failed": Param(
            False,
            type="boolean",
            section=_FLEET,
            description_md="Train only what failed in the last run, or was never come to.",
        ),
        "force": Param(
            False, type="boolean", section=_FLEET, description_md="Train what is chosen even if nothing has changed."
        ),
        "parallel": Param(
            fleet.limits.parallel,
            type=["null", "integer"],
            minimum=1,
            section=_FLEET,
            description_md="Lanes at once. Empty: as many as the cores allow.",
        ),
        "resume": Param(
            None,
            type=["null", "string"],
            section=_RUNS,
            description_md="Name or URL of an earlier run of this fleet that was cut short, to finish it.",
        ),
    }


def carried(conf: Mapping[str, Any]) -> dict[str, Any]:
    """The form's choices that a DAG run was triggered with, for the one that goes on from it to make the same.

    Args:
        conf: of the DAG run, as Airflow has it: what a ledger says of it must not come into a form.
    """
    names = [choice_name(path) for path in OVERRIDES if path != "iterations"]
    return {name: conf[name] for name in names if conf.get(name) is not None}
