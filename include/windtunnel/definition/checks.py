"""What the types of a definition's fields cannot say: names that must exist, and fields that must fit each other."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from windtunnel.definition.early_stopping import EarlyStopping
from windtunnel.definition.model import LAUNCHERS, Definition, Epochs, StrategyChoice
from windtunnel.definition.script import Script, script_faults
from windtunnel.definition.template import template_faults
from windtunnel.errors import DefinitionError, WorkloadError
from windtunnel.ledger import is_run
from windtunnel.ledger.curves import EPOCH, SECONDS
from windtunnel.ledger.ids import canonical_json
from windtunnel.ledger.url import LATEST
from windtunnel.space import Space
from windtunnel.stores.open import ALLOWED, SCHEMES
from windtunnel.strategies import get_strategy
from windtunnel.validation import Fault, shown, unknown
from windtunnel.workload.files import SCRIPT, module_file

_PRESETS = ("@once", "@continuous", "@hourly", "@daily", "@weekly", "@monthly", "@quarterly", "@yearly")
_SOME_DAY = datetime(2026, 1, 1, tzinfo=UTC)
_WITHOUT_HOUR = ("@once", "@continuous")


def cross_faults(fields: Mapping[str, Any]) -> Iterator[Fault]:
    """What is wrong across fields.

    Args:
        fields: those top-level fields of a definition that are well formed, as written; others are passed over, so
            that all that can be found is found in one go.
    """
    for name, check in _CHECKS.items():
        if fields.get(name) is not None:
            yield from check(fields[name], fields)


def _name(name: str, _: Mapping[str, Any]) -> Iterator[Fault]:
    if name.lower() == LATEST:
        yield Fault(
            ("name",), f"found {shown(name)}; allowed: another name, for <store>/{LATEST} leads to the last run"
        )


def _workload(name: str, fields: Mapping[str, Any]) -> Iterator[Fault]:
    if name == SCRIPT and fields.get("script") is None:
        yield Fault(("script",), "is missing; give the script that is to run")
    try:
        module_file(name)
    except WorkloadError as error:
        yield Fault(("workload",), str(error))


def _script(section: Any, fields: Mapping[str, Any]) -> Iterator[Fault]:
    yield from script_faults(Script.model_validate(section), fields)


def _space(space: dict[str, Any], _: Mapping[str, Any]) -> Iterator[Fault]:
    yield from _inner("space", lambda: Space.parse(space))


def _strategy(section: Any, _: Mapping[str, Any]) -> Iterator[Fault]:
    choice = StrategyChoice.model_validate(section)
    yield from _inner("strategy", lambda: get_strategy(choice.name, choice.options))


def _launcher(name: str, _: Mapping[str, Any]) -> Iterator[Fault]:
    if name not in LAUNCHERS:
        yield Fault(("launcher",), f"found {shown(name)}; {unknown(name, LAUNCHERS, 'launcher')}")


def _pod_template(template: Any, fields: Mapping[str, Any]) -> Iterator[Fault]:
    resources = fields.get("resources")
    if isinstance(template, Mapping):
        yield from template_faults(template, resources.get("gpus") if isinstance(resources, Mapping) else None)


def _objectives(objectives: dict[str, str], _: Mapping[str, Any]) -> Iterator[Fault]:
    for name in objectives:
        if name in (EPOCH, SECONDS):
            yield Fault(("objectives", name), "is a metric of the trainer's own; allowed: what the workload reports")


def _stopping(stopping: dict[str, Any], fields: Mapping[str, Any]) -> Iterator[Fault]:
    objectives = fields.get("objectives")
    for name in stopping.get("target", {}):
        if objectives and name not in objectives:
            yield Fault(("stopping", "target", name), unknown(name, objectives, "objective"))


def _early_stopping(section: dict[str, Any], fields: Mapping[str, Any]) -> Iterator[Fault]:
    early = EarlyStopping.model_validate(section)
    objectives = fields.get("objectives")
    if early.metric is not None and objectives and early.metric not in objectives:
        yield Fault(("early_stopping", "metric"), unknown(early.metric, objectives, "objective"))
    if early.halving is None:
        return
    partial = fields.get("epochs", {}).get("partial", Epochs().partial)
    rungs = early.halving.epochs(partial)
    if rungs[-2] >= partial:
        name = "rungs" if early.halving.rungs else "first"
        text = f"found {rungs[-2]:g}; allowed: below epochs.partial, {partial:g}, which is the last rung"
        yield Fault(("early_stopping", "halving", name), text)
    more = fields.get("repeats", 1) - 1
    why = "as many as early_stopping.halving has rungs" + (f", and {more} that only repeat" if more else "")
    yield from _too_few(len(rungs) + more, why, fields)


def _repeats(repeats: int, fields: Mapping[str, Any]) -> Iterator[Fault]:
    if repeats > 1 and not fields.get("early_stopping", {}).get("halving"):  # the last iterations only repeat
        yield from _too_few(repeats, "as many as repeats", fields)


def _too_few(needed: int, why: str, fields: Mapping[str, Any]) -> Iterator[Fault]:
    enough = "trials" in fields.get("limits", {}) and "iterations" not in fields  # as many as it takes
    iterations = fields.get("iterations", Definition.model_fields["iterations"].default)
    if iterations < needed and not enough:
        yield Fault(("iterations",), f"found {iterations}; allowed: at least {needed}, {why}")


def _continuous(continuous: bool, fields: Mapping[str, Any]) -> Iterator[Fault]:
    parallel = fields.get("limits", {}).get("parallel")
    if continuous and parallel is None and fields.get("launcher") == "kubernetes":
        yield Fault(("limits", "parallel"), "is missing; with continuous the lanes of a cluster must be given")


def _trials(trials: dict[str, Any], fields: Mapping[str, Any]) -> Iterator[Fault]:
    if trials.get("ahead") is not None and not fields.get("continuous"):
        yield Fault(("trials", "ahead"), "is given without continuous; allowed: beside `continuous: true`")


def _schedule(schedule: str, _: Mapping[str, Any]) -> Iterator[Fault]:
    from croniter import CroniterBadDateError, croniter

    if schedule in _PRESETS:
        return
    if not (len(schedule.split()) in (5, 6) and croniter.is_valid(schedule)):
        allowed = f"a cron expression of five fields such as '0 3 * * 1', or one of {', '.join(_PRESETS)}"
        yield Fault(("schedule",), f"found {shown(schedule)}; allowed: {allowed}")
        return
    try:
        croniter(schedule, _SOME_DAY).get_next()
    except CroniterBadDateError:
        yield Fault(("schedule",), f"found {shown(schedule)}; allowed: an hour that comes")


def _dag(section: dict[str, Any], fields: Mapping[str, Any]) -> Iterator[Fault]:
    zone, schedule = section.get("timezone"), fields.get("schedule")
    if zone is None:
        return
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        hint = unknown(zone, available_timezones(), "time zone").partition("; allowed")[0]
        yield Fault(("dag", "timezone"), f"found {shown(zone)}; {hint}; allowed: an IANA name such as 'Europe/Berlin'")
        return
    if schedule in (None, *_WITHOUT_HOUR):
        problem = "there is no schedule" if schedule is None else f"schedule {schedule} has no hour"
        yield Fault(
            ("dag", "timezone"), f"is given, and {problem}; allowed: beside a cron expression, or one like @daily"
        )


def _store(url: str, _: Mapping[str, Any]) -> Iterator[Fault]:
    scheme, separator, _rest = url.partition("://")
    if not url or (separator and scheme not in SCHEMES):
        yield Fault(("store",), f"found {shown(url)}; allowed: {ALLOWED}")


def _warm_start(urls: list[str], _: Mapping[str, Any]) -> Iterator[Fault]:
    for index, url in enumerate(urls):
        if not is_run(url):
            yield Fault(("warm_start", index), f"found {shown(url)}; allowed: a run's folder, <store>/<search>/<run>")


def _plain_values(field: str) -> Any:
    def check(value: Any, _: Mapping[str, Any]) -> Iterator[Fault]:
        try:
            canonical_json(value)
        except (ValueError, TypeError, RecursionError) as error:
            yield Fault((field,), f"holds what JSON has no word for: {error}")
        else:
            yield from _other_keys(value, (field,))

    return check


def _other_keys(value: Any, path: tuple[str | int, ...]) -> Iterator[Fault]:
    """Keys that are no text: a run, whose definition travels as JSON, would have them as text, `try` as they are."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            if isinstance(key, str):
                yield from _other_keys(item, (*path, key))
            else:
                yield Fault((*path, f"{key}"), f"found {shown(key)}; allowed: text (put it in quotes)")
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from _other_keys(item, (*path, index))


def _inner(field: str, build: Any) -> Iterator[Fault]:
    """The faults of a part that has a reader of its own, their paths beginning at the definition."""
    try:
        build()
    except DefinitionError as error:
        for fault in error.faults:
            yield Fault((field, *fault.path), fault.text)


_CHECKS = {
    "name": _name,
    "workload": _workload,
    "script": _script,
    "data": _plain_values("data"),
    "settings": _plain_values("settings"),
    "space": _space,
    "strategy": _strategy,
    "launcher": _launcher,
    "pod_template": _pod_template,
    "objectives": _objectives,
    "stopping": _stopping,
    "early_stopping": _early_stopping,
    "repeats": _repeats,
    "continuous": _continuous,
    "trials": _trials,
    "schedule": _schedule,
    "dag": _dag,
    "store": _store,
    "warm_start": _warm_start,
}
