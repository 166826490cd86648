import json
import sys

import pytest

from tests.core.report import made_up
from windtunnel.ledger import Approval, Ledger, Plan
from windtunnel.ledger.claims import Claims
from windtunnel.ledger.session import Session
from windtunnel.report import RunReader, collect
from windtunnel.report.payloads import Curves, compare, curves, importance, lanes, overview, trial, trials


def test_documents_are_json_of_a_finished_and_of_an_empty_run(ledger: Ledger) -> None:
    made_up.begin(ledger, made_up.definition())
    for _ in range(2):
        snapshot = collect(ledger)
        made = [
            overview(snapshot),
            trials(snapshot),
            curves(snapshot, Curves(ledger)),
            importance(snapshot),
            lanes(snapshot),
        ]
        json.dumps([*made, compare(snapshot, snapshot)], allow_nan=False)
        made_up.fill(ledger, hostile=True)


def test_the_overview_says_what_was_found_and_decided(ledger: Ledger) -> None:
    results = made_up.fill(ledger)
    found = overview(collect(ledger))
    fit = [result for result in results if result.objectives]
    assert found["best"]["val_acc"]["value"] == max(result.objectives["val_acc"] for result in fit)
    assert found["best"]["flops"]["value"] == min(result.objectives["flops"] for result in fit)
    values = [value for _, value in found["volume"]]
    assert values == sorted(set(values))
    assert "parents" in found["iterations"][0]["decisions"][0]["reason"]
    assert found["trial_seconds"] > sum(result.seconds for result in results)
    assert found["gpu_seconds"] == 0


def test_caps_are_counted_while_trials_run(ledger: Ledger) -> None:
    caps = {"trials": 20, "parallel": 2, "slots": 3, "failed_trials": 4}
    made_up.fill(ledger, limits=caps, iterations=1, finalists=0)
    found = overview(collect(ledger))["caps"]
    assert found == {"trials": (10, 20), "at once": (0, 6), "failed": (1, 4)}


def test_documents_say_which_version_of_the_run_they_are_of(ledger: Ledger) -> None:
    made_up.fill(ledger)
    snapshot = collect(ledger)
    made = [
        overview(snapshot),
        trials(snapshot),
        trials(snapshot, "46.1"),
        curves(snapshot, Curves(ledger)),
        lanes(snapshot),
    ]
    assert {each["version"] for each in made} == {snapshot.version}


def test_gpu_time_is_what_trials_held(ledger: Ledger) -> None:
    results = made_up.fill(ledger, iterations=1, finalists=0)
    ledger.store.delete(ledger.path(f"results/{results[0].trial}.json"))
    ledger.record(results[0].model_copy(update={"gpus": 2}))
    assert overview(collect(ledger))["gpu_seconds"] == pytest.approx(2 * results[0].seconds)


def test_results_of_earlier_runs_cost_a_run_nothing(ledger: Ledger) -> None:
    made_up.fill(ledger)
    warm = Ledger(ledger.store, "digits_cnn", "warm")
    own = made_up.fill_warm(warm, ledger)
    snapshot = collect(warm)
    assert len(snapshot.trials) == 10 + 6
    assert len(snapshot.models) == 4
    found = overview(snapshot)
    assert found["trial_seconds"] == pytest.approx(sum(result.seconds for result in own))
    assert found["gpu_seconds"] == 0
    assert set(lanes(snapshot)["columns"]["unit"]) == {result.trial for result in own}
    assert trial(snapshot, warm, snapshot.trials[0])["source"] == ledger.url
    assert trial(snapshot, warm, snapshot.models[0].trial)["source"] == ledger.url


def test_weights_of_another_run_make_a_training_no_less_ones_own(ledger: Ledger) -> None:
    made_up.fill(ledger)
    again = Ledger(ledger.store, "digits_cnn", "again")
    own = made_up.fill_retrained(again, ledger)
    snapshot = collect(again)
    assert overview(snapshot)["trial_seconds"] == pytest.approx(sum(result.seconds for result in own))
    assert set(lanes(snapshot)["columns"]["unit"]) == {result.trial for result in own}
    assert trial(snapshot, again, snapshot.models[0].trial)["source"] is None


def test_a_trial_that_is_a_finalist_as_it_is_counts_once(ledger: Ledger) -> None:
    results = made_up.fill(ledger, iterations=1, finalists=0)
    ledger.store.delete(ledger.path("iterations/full-1/plan.json"))
    plan = ledger.plan("1")
    assert plan is not None
    same = plan.requests[0].model_copy(update={"stage": "full-1"})
    ledger.create_plan(Plan(stage="full-1", requests=[same], jobs=[]))
    found = collect(ledger)
    assert overview(found)["trial_seconds"] == pytest.approx(sum(result.seconds for result in results))
    assert len(lanes(found)["columns"]["unit"]) == 10


def test_what_a_run_waits_for_follows_its_stages(ledger: Ledger) -> None:
    made_up.begin(ledger, made_up.definition())

    def waits() -> str:
        return " ".join(overview(collect(ledger))["waits_for"])

    assert "data" in waits()
    made_up.fill(ledger, iterations=4, finalists=2)
    assert waits() == "publishing"
    ledger.store.delete(next(iter(ledger.store.list(ledger.path("steps/verify")))).path)
    assert waits() == "the verification of 1 model"
    for path in ("iterations/full-4/plan.json", "steps"):
        for entry in list(ledger.store.list(ledger.path(path))):
            ledger.store.delete(entry.path)
    assert waits() == "the choice of the finalists"
    ledger.store.delete(ledger.path("iterations/4/known.json"))
    assert waits() == "the selection of iteration 4"
    plan = ledger.plan("4")
    assert plan is not None
    ledger.store.delete(ledger.path(f"results/{plan.requests[0].trial}.json"))
    assert waits() == "iteration 4: 0 running and 1 waiting of 12 trials"
    ledger.finish(made_up.SESSION)  # so that the report, which is written then, does not wait for itself
    assert waits() == ""


def test_an_extended_run_waits_for_what_its_last_session_is_to_do(ledger: Ledger) -> None:
    """What the first one ended and trained fully is no part of that."""
    made_up.fill(ledger, iterations=4, finalists=2)
    ledger.close(made_up.SESSION)
    made_up.open_session(ledger, made_up.definition(iterations=2), "second", offset=4)
    reader = RunReader(ledger)

    def waits() -> list[str]:
        return overview(reader.read())["waits_for"]

    assert waits() == ["the suggestions of iteration 5"]
    made_up.fill_more(ledger, "5")
    assert waits() == ["the suggestions of iteration 6"]
    made_up.fill_more(ledger, "6")
    assert waits() == ["the choice of the finalists"]
    made_up.fill_more(ledger, "full-6", selected=False)
    assert waits() == ["full training: 0 running and 1 waiting of 1 finalist"]
    found = overview(reader.read())
    assert (found["begun"], found["planned"]) == (6, 6)


def test_a_warm_start_is_no_iteration(ledger: Ledger) -> None:
    made_up.fill(ledger)
    warm = Ledger(ledger.store, "digits_cnn", "warm")
    made_up.fill_warm(warm, ledger)
    found = overview(collect(warm))
    assert (found["begun"], found["planned"]) == (1, 4)


def test_finalists_wait_for_a_persons_word(ledger: Ledger) -> None:
    made_up.fill(ledger, iterations=4, finalists=2)
    plan = ledger.plan("full-4")
    assert plan is not None
    for request in plan.requests:
        ledger.store.delete(ledger.path(f"results/{request.trial}.json"))
    asking = made_up.definition(approval=True).model_dump(mode="json")
    ledger.open_session(
        Session(session="asking", offset=4, iterations=0, definition=asking, started="2026-11-22T09:00:00+00:00")
    )
    reader = RunReader(ledger)
    before = reader.read()
    assert overview(before)["waits_for"] == ["a person's approval of 2 finalists"]
    refusal = Approval(approved=False, session=made_up.SESSION, stage="full-4")
    ledger.answer(refusal)  # another session's
    assert reader.read().asking
    ledger.answer(refusal.model_copy(update={"approved": True, "stage": "full-3"}))
    assert reader.read().asking
    ledger.answer(refusal.model_copy(update={"approved": True}))
    after = reader.read()
    assert overview(after)["waits_for"] == ["full training: 0 running and 2 waiting of 2 finalists"]
    assert after.version != before.version


def test_all_trials_come_column_by_column(ledger: Ledger) -> None:
    results = made_up.fill(ledger, hostile=True)
    found = trials(collect(ledger))
    assert found["columns"]["trial"] == [result.trial for result in results]
    lengths = {len(column) for column in found["columns"].values()}
    lengths |= {len(values) for kind in ("params", "values", "metrics") for _, values in found[kind]}
    assert lengths == {46}
    assert "\"><b>quoted'" in dict(found["params"])
    assert sum(value is None for value in dict(found["values"])["val_acc"]) == 3


def test_only_what_changed_is_sent_again(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["windtunnel.report.payloads.trials"], "_SLACK", 0.0)
    results = made_up.fill(ledger, iterations=2, finalists=0)
    late = results[5]
    ledger.store.delete(ledger.path(f"results/{late.trial}.json"))
    reader = RunReader(ledger)
    cursor = trials(reader.read())["cursor"]
    assert trials(reader.read(), cursor)["columns"]["trial"] == []
    ledger.record(late)
    changed = trials(reader.read(), cursor)
    assert changed["columns"]["trial"] == [late.trial]
    assert changed["columns"]["state"] == [late.state]
    assert changed["total"] == 22
    assert trials(collect(ledger), changed["cursor"])["columns"]["trial"] == []  # another process says the same
    for nonsense in ("", "x.y", "1", "-1.5", "9" * 40 + ".x"):
        assert len(trials(reader.read(), nonsense)["columns"]["trial"]) == 22


def test_a_finalists_curve_begins_with_its_partial_training(ledger: Ledger) -> None:
    made_up.fill(ledger)
    snapshot = collect(ledger)
    found = {each["trial"]: each["points"] for each in curves(snapshot, Curves(ledger))["curves"]}
    epochs = [point["epoch"] for point in found[snapshot.models[0].trial.trial]]
    assert epochs == [0.25, 0.5, 0.75, 1.0, *range(2, 13)]


def test_curves_come_in_pages_finalists_and_front_first(ledger: Ledger) -> None:
    made_up.fill(ledger, finalists=2)
    snapshot, source = collect(ledger), Curves(ledger)
    first = curves(snapshot, source, most=5)
    assert [each["trial"] for each in first["curves"]][:2] == first["finalists"]
    assert {each["trial"] for each in first["curves"]} <= snapshot.front | set(first["finalists"])
    found, start = 0, 0
    while start is not None:
        page = curves(snapshot, source, start=start, most=20)
        found, start = found + len(page["curves"]), page["next"]
    assert found == 43 + 2
    assert len(curves(snapshot, source, [snapshot.trials[0].trial, "nonsense"])["curves"]) == 1


def test_curves_leave_out_what_is_no_point(ledger: Ledger) -> None:
    results = made_up.fill(ledger, iterations=1, finalists=0)
    path = ledger.trial_path(results[0].trial, "metrics.jsonl")
    ledger.store.put(path, b'{"epoch": 1.0, "loss": NaN}\n[1]\n{"epoch": "x"}\n{"epo')
    found = curves(collect(ledger), Curves(ledger), [results[0].trial])
    assert found["curves"] == [{"trial": results[0].trial, "points": [{"epoch": 1.0, "loss": None}]}]


def test_a_trial_has_its_kin_files_and_reason(ledger: Ledger) -> None:
    made_up.fill(ledger, hostile=True)
    snapshot = collect(ledger)
    failed = next(each for each in snapshot.trials if snapshot.state(each) == "failed")
    ledger.store.put(ledger.trial_path(failed.trial, "log.txt"), b"x" * 100_000 + b"the end")
    ledger.store.put(ledger.trial_path(failed.trial, "checkpoint.pt"), b"x")
    found = trial(snapshot, ledger, failed)
    assert found["message"] == made_up.HOSTILE
    assert found["log_tail"].endswith("the end")
    assert len(found["log_tail"]) == 16 * 1024
    assert [each["name"] for each in found["files"]] == ["log.txt", "request.json"]
    child = next(each for each in snapshot.trials if each.parents)
    parent = trial(snapshot, ledger, child)["parents"][0]["trials"][0]
    whole = snapshot.find(parent)
    assert whole is not None
    assert child.trial in trial(snapshot, ledger, whole)["children"]


def test_a_finalist_and_its_partial_training_know_each_other(ledger: Ledger) -> None:
    made_up.fill(ledger)
    snapshot = collect(ledger)
    model = snapshot.models[1]
    assert trial(snapshot, ledger, model.trial)["same"] == [model.partial]
    partial = snapshot.find(str(model.partial))
    assert partial is not None
    assert trial(snapshot, ledger, partial)["model"]["test"] == model.test


def test_importance_finds_what_the_values_hang_on(ledger: Ledger) -> None:
    pytest.importorskip("optuna")
    made_up.fill(ledger)
    snapshot = collect(ledger)
    for number, each in enumerate(snapshot.trials):
        each.params["only_some"] = number if number % 2 else None
        each.params["mixed"] = [1, 2] if number % 3 else "text"
    found = importance(snapshot)
    assert set(found["objectives"]) == set(snapshot.objectives)
    assert found["objectives"]["flops"][0][0] == "kernel_size"
    for shares in found["objectives"].values():
        assert sum(share for _, share in shares) == pytest.approx(1)
        assert {"only_some", "mixed"} <= {name for name, _ in shares}


def test_importance_leaves_out_trials_without_the_objective(ledger: Ledger) -> None:
    pytest.importorskip("optuna")
    made_up.fill(ledger)
    snapshot = collect(ledger)
    for each in snapshot.trials[:5]:
        each.objectives.pop("val_acc", None)
        each.params["kernel_size"] = 99
    found = importance(snapshot)["objectives"]
    assert "kernel_size" in dict(found["val_acc"])
    assert sum(share for _, share in found["val_acc"]) == pytest.approx(1)


def test_importance_says_why_there_is_none(ledger: Ledger) -> None:
    made_up.begin(ledger, made_up.definition())
    assert "10 completed configurations" in importance(collect(ledger))["missing"]


def test_lanes_say_how_busy_each_stage_was(ledger: Ledger) -> None:
    results = made_up.fill(ledger, finalists=0)
    found = lanes(collect(ledger))
    assert len(found["columns"]["unit"]) == 46
    first = next(stage for stage in found["stages"] if stage["stage"] == "1")
    assert first["busy"] == pytest.approx(sum(result.seconds for result in results[:10]))
    assert first["lanes"] == 2
    assert first["busy"] <= first["room"]


def test_lanes_are_busy_or_idle(ledger: Ledger) -> None:
    made_up.fill(ledger, limits={"parallel": 3}, finalists=0)
    found = lanes(collect(ledger))
    whole, idle = found["whole"], found["idle"]
    spans = list(zip(idle["lane"], idle["start"], idle["end"], strict=True))
    assert whole["busy"] + sum(end - start for _, start, end in spans) >= whole["room"] - 1e-3
    assert [end - start for lane, start, end in spans if lane == 2] == [whole["seconds"]]  # it never had any
    work = list(zip(*(found["columns"][name] for name in ("lane", "start", "end")), strict=True))
    for lane, start, end in spans:
        assert start < end
        assert not [one for one in work if one[0] == lane and one[1] < end and one[2] > start]


def test_a_running_trial_is_on_its_lane_without_an_end(ledger: Ledger) -> None:
    made_up.fill(ledger, iterations=1, finalists=0)
    plan = ledger.plan("1")
    assert plan is not None
    ledger.store.delete(ledger.path(f"results/{plan.jobs[0].units[-1]}.json"))
    ledger.begin_launch(plan.jobs[0].job, "here", "2026-11-21T09:00:00+00:00")
    columns = lanes(collect(ledger))["columns"]
    place = columns["unit"].index(plan.jobs[0].units[-1])
    assert columns["end"][place] is None
    before = columns["unit"].index(plan.jobs[0].units[-2])
    assert columns["start"][place] >= columns["end"][before]


def test_a_claimed_trial_is_on_the_lane_that_claimed_it_from_then_on(ledger: Ledger) -> None:
    made_up.fill(ledger, iterations=1, finalists=0)
    plan = ledger.plan("1")
    assert plan is not None
    unit = plan.requests[-1].trial
    ledger.store.delete(ledger.path(f"results/{unit}.json"))
    before = lanes(collect(ledger))
    assert unit not in before["columns"]["unit"]
    Claims(ledger).take(unit, "lane-1-5", 1)
    found = lanes(collect(ledger))
    assert found["version"] != before["version"]
    place = found["columns"]["unit"].index(unit)
    assert found["columns"]["lane"][place] == 5 and found["columns"]["end"][place] is None
    assert found["columns"]["start"][place] == Claims(ledger).listing()[unit].since


def test_two_runs_compare_over_one_reference(ledger: Ledger) -> None:
    made_up.fill(ledger)
    other = Ledger(ledger.store, "digits_cnn", "second")
    made_up.fill(other, seed=2, iterations=2)
    found = compare(collect(ledger), collect(other))
    assert [run["run"] for run in found["runs"]] == ["first", "second"]
    for run in found["runs"]:
        volumes = [value for _, _, value in run["volume"]]
        assert volumes == sorted(volumes)
        assert run["hypervolume"] == volumes[-1] > 0
    assert found["same"] == 0


def test_a_comparison_counts_all_that_a_run_trained(ledger: Ledger) -> None:
    made_up.fill_promoted(ledger, lower={"a": 0.9, "b": 0.5, "c": 0.8}, higher={"a": 0.6, "c": None})
    snapshot = collect(ledger)
    for number, each in enumerate(snapshot.trials):
        object.__setattr__(each.result, "seconds", 5.0)
        object.__setattr__(each.result, "recorded", 100.0 + 10 * number)
    run = compare(snapshot, snapshot)["runs"][0]
    assert run["trial_seconds"] == 5 * 5
    assert run["seconds"] == 40 + 5


def test_a_comparison_does_not_count_what_earlier_runs_trained(ledger: Ledger) -> None:
    made_up.fill(ledger)
    warm = Ledger(ledger.store, "digits_cnn", "warm")
    own = made_up.fill_warm(warm, ledger)
    run = compare(collect(warm), collect(ledger))["runs"][0]
    assert run["trial_seconds"] == pytest.approx(sum(result.seconds for result in own))


def test_runs_without_a_common_objective_are_told_apart(ledger: Ledger) -> None:
    made_up.fill(ledger)
    snapshot, other = collect(ledger), collect(ledger)
    object.__setattr__(other, "objectives", {"val_acc": "minimize"})
    assert "no objective in common" in compare(snapshot, other)["missing"]


def test_a_trials_many_files_and_starts_are_counted_rather_than_listed(ledger: Ledger) -> None:
    made_up.fill(ledger, iterations=1, finalists=0)
    snapshot = collect(ledger)
    of = snapshot.trials[0]
    for number in range(130):
        ledger.store.put(ledger.trial_path(of.trial, f"picture-{number:03}.png"), b"")
    for name in ("log.txt", "model.onnx"):
        ledger.store.put(ledger.trial_path(of.trial, name), b"")
    for number in range(len(ledger.attempts(of.trial)), 140):
        ledger.begin_attempt(of.trial, "1-0", "here", "2026-11-28T00:00:00+00:00", number)
    found = trial(snapshot, ledger, of)
    names = [each["name"] for each in found["files"]]
    assert len(names) == 100 and {"log.txt", "model.onnx"} <= set(names)
    assert [each["number"] for each in found["attempts"]] == list(range(41, 141))
    assert found["left_out"]["attempts"] == 40
    assert found["left_out"]["files"] == len(ledger.files(of.trial)) - 100
