import json
import sys
from importlib import import_module

import pytest

from tests.core.definition.conftest import GOOD
from tests.definitions import definition_from
from windtunnel.definition import Definition, load_definition, resolve, with_overrides
from windtunnel.definition.checks import cross_faults
from windtunnel.errors import DefinitionError, WorkloadError
from windtunnel.ledger.stage import Stage
from windtunnel.space import Int, List

BASE = """\
workload: tests.workloads.formula
space: {x: [1, 2], y: [1, 2]}
objectives: {quality: maximize}
"""


def fault_of(**fields):
    with pytest.raises(DefinitionError) as caught:
        definition_from({**GOOD, **fields})
    return str(caught.value)


def test_the_shortest_definition_is_named_after_its_file(write):
    definition = load_definition(write(BASE, "tiny_search.yaml"))
    assert definition.name == "tiny_search"
    assert definition.strategy.name == "pareto"
    assert definition.launcher == "local"


def test_a_strategy_is_named_in_one_word(write):
    assert load_definition(write(f"{BASE}strategy: bayesian\n")).strategy.name == "bayesian"


def test_a_name_in_the_file_wins(write):
    assert load_definition(write(f"name: other\n{BASE}")).name == "other"


def test_the_definition_survives_the_ledgers_json():
    definition = definition_from({**GOOD, "limits": {"trial_time": "2m", "memory": "1 GiB"}, "epochs": {"full": 3}})
    assert Definition.model_validate(definition.model_dump(mode="json")) == definition


def test_every_fault_is_told_at_once_with_its_line_field_and_mend(write):
    file = write("""\
        workload: tests.workloads.formula
        itertions: 5
        space:
          nb_layers: {type: int, low: one, high: 12}
          kernel: {type: categorial, choices: [1, 3]}
        objectives:
          val_acc: maximise
        strategy:
          name: evolution_pareto
          options:
            num_crossover: 3
        launcher: locl
        limits:
          paralel: 3
        """)
    with pytest.raises(DefinitionError) as caught:
        load_definition(file)
    lines = str(caught.value).splitlines()
    assert [line.split(";")[0] for line in lines] == [
        f"{file}:2: itertions: no such field (did you mean 'iterations'?)",
        f'{file}:4: space.nb_layers.low: found "one"',
        f'{file}:5: space.kernel.type: found "categorial"',
        f'{file}:7: objectives.val_acc: found "maximise"',
        f"{file}:11: strategy.options.num_crossover: no such field (did you mean 'num_crossovers'?)",
        f'{file}:12: launcher: found "locl"',
        f"{file}:14: limits.paralel: no such field (did you mean 'parallel'?)",
    ]
    assert "allowed: name, description, workload," in lines[0]
    assert lines[1].endswith("allowed: a whole number")
    assert "(did you mean 'categorical'?); allowed: int, float, categorical, bool, dict, list, " in lines[2]
    assert lines[3].endswith("allowed: 'maximize' or 'minimize'")
    assert lines[5].endswith("(did you mean 'local'?); allowed: kubernetes, local")
    assert [fault.path for fault in caught.value.faults][1] == ("space", "nb_layers", "low")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"iterations": 0}, "iterations: found 0; allowed: at least 1"),
        ({"iterations": 2.5}, "iterations: found 2.5; allowed: a whole number"),
        ({"iterations": True}, "iterations: found true; allowed: a whole number"),
        ({"iterations": "5"}, 'iterations: found "5"; allowed: a whole number'),
        ({"approval": "yes"}, 'approval: found "yes"; allowed: true or false'),
        ({"name": "my search"}, 'name: found "my search"; allowed: text that matches'),
        ({"description": 5}, "description: found 5; allowed: text"),
        ({"objectives": {}}, "objectives: found {}; allowed: 1 or more"),
        ({"early_stopping": {"bandit": {}}}, "early_stopping.bandit: give either slack_factor or slack_amount"),
        (
            {"early_stopping": {"median": {"evaluation_interval": 0}}},
            "early_stopping.median.evaluation_interval: found 0; allowed: above 0",
        ),
        (
            {"early_stopping": {"truncation": {"truncation_percentage": 100}}},
            "early_stopping.truncation.truncation_percentage: found 100; allowed: at most 99",
        ),
        (
            {"early_stopping": {"truncation": {"percentage": 10, "truncation_percentage": 10}}},
            "early_stopping.truncation.percentage: no such field (did you mean 'truncation_percentage'?)",
        ),
        (
            {"early_stopping": {"metric": "speed", "median": {}}},
            "early_stopping.metric: no such objective; allowed: quality",
        ),
        ({"early_stopping": {"metric": "quality"}}, "early_stopping: metric is watched by no rule"),
        ({"early_stopping": {"halving": {}}}, "early_stopping.halving: give either first or rungs"),
        (
            {"early_stopping": {"halving": {"first": 2}}, "epochs": {"partial": 2}},
            "early_stopping.halving.first: found 2; allowed: below epochs.partial, 2, which is the last rung",
        ),
        (
            {"early_stopping": {"halving": {"rungs": [1, 5]}}, "epochs": {"partial": 4}},
            "early_stopping.halving.rungs: found 5; allowed: below epochs.partial, 4, which is the last rung",
        ),
        (
            {"early_stopping": {"halving": {"first": 1}}, "epochs": {"partial": 9}, "iterations": 2},
            "iterations: found 2; allowed: at least 3, as many as early_stopping.halving has rungs",
        ),
        ({"repeats": 3, "iterations": 2}, "iterations: found 2; allowed: at least 3, as many as repeats"),
        (
            {"early_stopping": {"halving": {"first": 1}}, "epochs": {"partial": 9}, "iterations": 3, "repeats": 2},
            "found 3; allowed: at least 4, as many as early_stopping.halving has rungs, and 1 that only repeat",
        ),
        ({"objectives": {f"o{i}": "minimize" for i in range(6)}}, "allowed: 5 or fewer"),
        ({"objectives": {"seconds": "minimize"}}, "objectives.seconds: is a metric of the trainer's own"),
        ({"objectives": {"val acc": "maximize"}}, "objectives.val acc: found"),
        ({"constraints": {"cost": {}}}, "constraints.cost: give max, min or both"),
        ({"constraints": {"cost": {"min": 3, "max": 1}}}, "constraints.cost: min 3 is above max 1"),
        ({"constraints": {"cost": {"max": float("nan")}}}, "constraints.cost.max: found NaN; allowed: a finite number"),
        ({"constraints": {"cost": 5}}, "constraints.cost: found 5; allowed: a mapping of fields"),
        ({"epochs": {"partial": 3, "full": 1}}, "epochs: partial 3 is above full 1"),
        ({"epochs": {"partial": 0}}, "epochs.partial: found 0; allowed: at least 1e-06"),
        ({"workload": "tests.workloads.none"}, "workload: workload 'tests.workloads.none' cannot be found"),
        ({"strategy": {"name": "evolution"}}, "strategy.name: found 'evolution'; no such strategy"),
        ({"strategy": "evolution"}, "strategy.name: found 'evolution'; no such strategy"),
        (
            {"stopping": {"target": {"qualty": 0.9}}},
            "stopping.target.qualty: no such objective (did you mean 'quality'",
        ),
        ({"schedule": "daily"}, 'schedule: found "daily"; allowed: a cron expression of five fields'),
        ({"schedule": "0 3 *"}, "schedule: found"),
        ({"schedule": "0 25 * * *"}, 'schedule: found "0 25 * * *"; allowed: a cron expression'),
        ({"store": "s3://bucket/runs"}, 'store: found "s3://bucket/runs"; allowed: a folder, a file:// or an azure://'),
        ({"tags": ["x" * 101]}, "allowed: at most 100 characters"),
        ({"store": ""}, 'store: found ""; allowed: a folder'),
        ({"warm_start": ["azure://container/run"]}, 'warm_start[0]: found "azure://container/run"; allowed: a run'),
        ({"trial_seed": 2**53}, "trial_seed: found 9007199254740992; allowed: at most 9007199254740991"),
        (
            {"early_stopping": {"halving": {"first": 1, "factor": 1.01}}},
            "halving.factor: found 1.01; allowed: at",
        ),
        (
            {"early_stopping": {"halving": {"first": 1e-12}}, "epochs": {"partial": 2}},
            "iterations: found 5; allowed: at least 26, as many as early_stopping.halving has rungs",
        ),
        ({"warm_start": ["runs"]}, 'warm_start[0]: found "runs"; allowed: a run\'s folder, <store>/<search>/<run>'),
        ({"warm_start": "runs/a/b"}, 'warm_start: found "runs/a/b"; allowed: a list'),
        ({"limits": {"quorum": 0.9}}, "limits.quorum: is no more: give `continuous: true`"),
        ({"trials": {"ahead": 2}}, "trials.ahead: is given without continuous"),
        (
            {"limits": {"trial_time": "15 parsecs"}},
            'limits.trial_time: found "15 parsecs"; allowed: a number of seconds',
        ),
        ({"limits": {"trial_time": 0}}, "limits.trial_time: found 0; allowed: above 0"),
        ({"limits": {"memory": "2 gigs"}}, 'limits.memory: found "2 gigs"; allowed: a number of bytes'),
        ({"settings": {"lr": float("inf")}}, "settings: holds what JSON has no word for"),
        ({"settings": {"a": [{1: 2}]}}, "settings.a[0].1: found 1; allowed: text (put it in quotes)"),
        ({"settings": {"a": {None: 2}}}, "settings.a.None: found null; allowed: text (put it in quotes)"),
        ({"space": {"x": [{1: 2}, {1: 3}]}}, "space.x.choices: keys that are text, not 1: put it in quotes"),
        ({"schedule": "0 0 30 2 *"}, 'schedule: found "0 0 30 2 *"; allowed: an hour that comes'),
        ({"limits": {"parallel": 10**9}}, "limits.parallel: found 1000000000; allowed: at most 100000"),
        ({"trials": {"initial": 10**12}}, "trials.initial: found 1000000000000; allowed: at most 100000"),
        ({"epochs": {"partial": 5e-324}}, "epochs.partial: found 5e-324; allowed: at least 1e-06"),
        ({"epochs": {"full": 1e308}}, "epochs.full: found 1e+308; allowed: at most 1000000000.0"),
        ({"space": {}}, "space: a space needs at least one parameter"),
        ({"space": {"x": {"type": "int", "low": 3, "high": 1}}}, "space.x: low 3 is above high 1"),
        ({"space": [1]}, "space: found [1]; allowed: a mapping"),
        ({"seed": -1}, "seed: found -1; allowed: at least 0"),
    ],
)
def test_what_is_wrong_is_named_with_what_is_allowed(fields, message):
    assert message in fault_of(**fields)


def test_required_fields_are_named():
    with pytest.raises(DefinitionError) as caught:
        definition_from({"name": "a"})
    assert str(caught.value).splitlines() == [
        "workload: is missing; give a workload, or a script of yours in its place",
        "objectives: is missing; it must be given",
    ]


def test_what_is_right_is_taken():
    definition = definition_from(
        GOOD
        | {
            "schedule": "0 3 * * 1",
            "warm_start": ["runs/good/first"],
            "limits": {"trial_time": "1.5 h", "search_time": 90, "memory": "2 GiB"},
            "stopping": {"target": {"quality": 0.9}},
        }
    )
    assert definition.limits.trial_time == 5400
    assert definition.limits.search_time == 90
    assert definition.limits.memory == 2 * 2**30


# Files that are no definitions


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "found nothing; allowed: a mapping"),
        ("- a\n- b\n", "found a list; allowed: a mapping"),
        ("a: [1, 2\n", ":2: no valid YAML"),
        ("a: 1\n\tb: 2\n", ":2: no valid YAML"),
        ("a: 1\n--- \nb: 2\n", "no valid YAML"),
        ("a: !!python/object/apply:os.system ['true']\n", ":1: no valid YAML"),
        ("a: *nobody\n", ":1: no valid YAML"),
        (f"{BASE}iterations: 3\nlimits: {{parallel: 1}}\niterations: 4\n", "iterations: is given twice, in line 4"),
        (f"{BASE}limits: {{parallel: 1, parallel: 2}}\n", "limits.parallel: is given twice"),
        (f"{BASE}1: 2\n", "found 1; keys should be strings"),
    ],
)
def test_files_that_are_no_definition(write, text, message):
    file = write(text)
    with pytest.raises(DefinitionError) as caught:
        load_definition(file)
    assert str(caught.value).startswith(str(file))
    assert message in str(caught.value)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(DefinitionError, match=r"none\.yaml: cannot be read: No such file"):
        load_definition(tmp_path / "none.yaml")
    with pytest.raises(DefinitionError, match="cannot be read: Is a directory"):
        load_definition(tmp_path)
    (tmp_path / "latin.yaml").write_bytes(b"description: caf\xe9")
    with pytest.raises(DefinitionError, match="it is not UTF-8 text"):
        load_definition(tmp_path / "latin.yaml")


def test_values_are_read_as_yaml_1_2(write):
    definition = load_definition(
        write(f"{BASE}settings: {{lr: 1e-4, on: yes, no: off, at: 12:30, day: 2026-11-21, n: 010, none: ~, t: true}}")
    )
    assert definition.settings == {
        "lr": 1e-4,
        "on": "yes",
        "no": "off",
        "at": "12:30",
        "day": "2026-11-21",
        "n": 10,
        "none": None,
        "t": True,
    }


def test_anchors_and_merges_are_understood(write):
    text = "data: &small {size: 1, seed: 2}\nsettings: {<<: *small, size: 3}\n"
    assert load_definition(write(BASE + text)).settings == {"size": 3, "seed": 2}


# A run's choices


def test_choices_change_the_definition():
    definition = definition_from({**GOOD, "iterations": 5})
    choices = {"seed": 4, "iterations": 2, "epochs.partial": 0.5, "epochs": {"full": 3}, "approval": True}
    changed = with_overrides(definition, {**choices, "limits.parallel": 2, "warm_start": ["a/b/c"]})
    assert (changed.seed, changed.iterations, changed.approval, changed.limits.parallel) == (4, 2, True, 2)
    assert (changed.epochs.partial, changed.epochs.full) == (0.5, 3.0)
    assert changed.warm_start == ["a/b/c"]


def test_no_choice_leaves_the_definition():
    definition = definition_from(GOOD)
    assert with_overrides(definition, {}) == definition
    assert with_overrides(definition, {"seed": None, "limits": {"parallel": None}}) == definition


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"iterations": 6}, "iterations: found 6; allowed: at most 5, as many as the definition has"),
        ({"iterations": 0}, "iterations: found 0; allowed: at least 1"),
        ({"seed": "x"}, 'seed: found "x"; allowed: a whole number'),
        ({"epochs.partial": 20}, "epochs: partial 20 is above full 10"),
        ({"epochs": {"ful": 2}}, "epochs.ful: no such choice (did you mean 'epochs.full'?)"),
        ({"workload": "other"}, "workload: no such choice; allowed: seed, iterations, epochs.partial"),
        ({"warm_start": ["x"]}, 'warm_start[0]: found "x"'),
    ],
)
def test_wrong_choices_are_named(choices, message):
    with pytest.raises(DefinitionError) as caught:
        with_overrides(definition_from({**GOOD, "iterations": 5}), choices)
    assert f"good, this run's choices: {message}" in str(caught.value)


def test_all_wrong_choices_are_told_at_once():
    with pytest.raises(DefinitionError) as caught:
        with_overrides(definition_from(GOOD), {"seed": -1, "iterations": 99, "sed": 1})
    assert len(str(caught.value).splitlines()) == 3


# The workload's own space


@pytest.fixture
def module(tmp_path, monkeypatch):
    (tmp_path / "windtunnel_test_workload.py").write_text("prepare = train = verify = print\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "modules", sys.modules.copy())
    return import_module("windtunnel_test_workload")


def without_space(module):
    fields = {name: value for name, value in GOOD.items() if name != "space"}
    return definition_from(fields | {"workload": module.__name__})


def test_the_workloads_space_is_the_default(module):
    module.space = lambda: {"x": {"type": "int", "low": 1, "high": 4}, "y": [1, 2]}
    assert resolve(without_space(module)).space == {
        "x": {"type": "int", "low": 1, "high": 4},
        "y": {"type": "categorical", "choices": [1, 2]},
    }


def test_a_workload_may_make_its_space_of_parameters(module):
    module.space = lambda: {"x": Int(low=1, high=4), "layers": List(length=2, of={"kernel": [3, 5]})}
    assert resolve(without_space(module)).space == {
        "x": {"type": "int", "low": 1, "high": 4},
        "layers": {
            "type": "list",
            "of": {"type": "dict", "fields": {"kernel": {"type": "categorical", "choices": [3, 5]}}},
            "length": 2,
        },
    }


def test_the_definitions_own_space_wins(module):
    module.space = lambda: {"x": [1]}
    definition = without_space(module).model_copy(update={"space": {"z": [1, 2]}})
    assert list(resolve(definition).space) == ["z"]


def test_a_workload_without_space_needs_one_in_the_definition(module):
    with pytest.raises(DefinitionError, match=r"space: is missing; .* or as windtunnel_test_workload.space\(\)"):
        resolve(without_space(module))


def test_faults_of_the_workloads_space_name_it(module):
    module.space = lambda: {"x": {"type": "int", "low": 1}}
    with pytest.raises(DefinitionError, match=r"windtunnel_test_workload.space\(\): x.high: is missing"):
        resolve(without_space(module))
    module.space = lambda: [1, 2]
    with pytest.raises(DefinitionError, match=r"space\(\): found \[1, 2\]; allowed: parameters by name"):
        resolve(without_space(module))


def test_a_workload_that_cannot_be_imported_is_an_error_of_its_own(tmp_path, monkeypatch):
    (tmp_path / "broken_workload.py").write_text("raise RuntimeError('boom')\n")
    monkeypatch.syspath_prepend(tmp_path)
    definition = definition_from({**GOOD, "workload": "broken_workload"})
    with pytest.raises(WorkloadError, match="boom"):
        resolve(definition.model_copy(update={"space": None}))


@pytest.mark.parametrize(
    ("zone", "schedule", "words"),
    [
        ("Europe/Berlinn", "@daily", ['"Europe/Berlinn"', "did you mean 'Europe/Berlin'", "an IANA name such as"]),
        ("Europe", "@daily", ["no such time zone"]),
        ("../etc/passwd", "@daily", ["no such time zone"]),
        ("", "@daily", ["no such time zone"]),
        ("UTC", None, ["there is no schedule"]),
        ("UTC", "@once", ["schedule @once has no hour"]),
    ],
)
def test_a_time_zone_must_be_known_and_have_a_schedule(zone, schedule, words):
    fault = fault_of(schedule=schedule, dag={"timezone": zone})
    assert "dag.timezone" in fault
    assert all(word in fault for word in words), fault
    assert len(fault) < 300


def test_a_time_zones_fault_names_its_line(write):
    file = write(f"{BASE}schedule: '@daily'\ndag:\n  owner: me\n  timezone: Mars/Olympus\n")
    with pytest.raises(DefinitionError, match=r":7: dag\.timezone: found"):
        load_definition(file)


def test_a_finalist_may_take_as_much_longer_as_it_has_more_epochs():
    fields = {"name": "a", "workload": "tests.workloads.formula", "objectives": {"score": "maximize"}}
    epochs = {"partial": 0.5, "full": 10}
    limited = definition_from({**fields, "epochs": epochs, "limits": {"trial_time": "4s"}})
    assert limited.trial_time(Stage.iteration(3)) == limited.trial_time(Stage("verify-3")) == 4
    assert limited.trial_time(Stage.full(3)) == 80
    assert definition_from({**fields, "epochs": epochs}).trial_time(Stage.full(3)) is None


def test_a_space_of_python_code_has_the_form_that_a_run_has():
    resolved = resolve(Definition(name="a", workload="tests.workloads.careless", objectives={"score": "maximize"}))
    assert resolved.space["kernel"]["choices"] == [[3, 3], [5, 5]]
    assert Definition.model_validate(json.loads(resolved.model_dump_json())) == resolved


def test_names_of_a_workloads_space_keep_the_definitions_rule(module):
    module.space = lambda: {"größe": [1, 2]}
    with pytest.raises(DefinitionError, match=r"\.space\(\): .*größe: found \"größe\"; allowed: text that matches"):
        resolve(without_space(module))


def test_a_workloads_space_that_fails_names_it(module):
    def space():
        raise SystemExit("no data")

    module.space = space
    with pytest.raises(WorkloadError, match=r"\.space\(\) failed: the workload called sys\.exit\('no data'\)"):
        resolve(without_space(module))


@pytest.mark.parametrize("name", ["latest", "Latest"])
def test_no_search_is_named_as_the_link_to_the_last_run(name):
    with pytest.raises(DefinitionError, match=r"name: found \"[Ll]atest\"; allowed: another name, for <store>/latest"):
        definition_from({"name": name, "workload": "tests.workloads.quick", "objectives": {"val_acc": "maximize"}})


@pytest.mark.parametrize(
    ("fields", "iterations", "initial", "per_iteration"),
    [
        ({}, 5, 10, 16),
        ({"limits": {"trials": 10}}, 1, 10, 16),
        ({"limits": {"trials": 100}, "trials": {"initial": 4}}, 7, 4, 16),
        ({"limits": {"trials": 100}, "iterations": 3}, 3, 10, 16),
        ({"continuous": True}, 5, 10, 8),
        ({"continuous": True, "limits": {"trials": 50}}, 11, 12, 4),
        ({"continuous": True, "limits": {"trials": 50}, "iterations": 3}, 3, 10, 8),
        ({"continuous": True, "limits": {"trials": 50}, "trials": {"ahead": 0}}, 6, 10, 8),
        ({"continuous": True, "limits": {"trials": 5, "parallel": 8}}, 1, 5, 4),
        ({"continuous": True, "limits": {"trials": 20, "parallel": 16}}, 2, 16, 8),
        ({"continuous": True, "limits": {"trials": 10, "parallel": 2}}, 5, 3, 2),
        ({"continuous": True, "limits": {"trials": 10, "parallel": 2}, "trials": {"initial": 4}}, 4, 4, 2),
        ({"continuous": True, "limits": {"trials": 10, "slots": 5, "parallel": 1}, "trials": {"initial": 4}}, 3, 4, 3),
        ({"continuous": True, "limits": {"parallel": 8, "trials": 740}}, 50, 12, 15),
        ({"continuous": True, "limits": {"parallel": 2, "trials": 1000}}, 49, 3, 21),
        ({"continuous": True, "limits": {"parallel": 8}, "trials": {"per_iteration": 3}}, 5, 10, 3),
        (
            {"limits": {"trials": 26}, "early_stopping": {"halving": {"first": 1}}, "epochs": {"partial": 9}},
            4,
            10,
            16,
        ),  # and two that promote only
    ],
)
def test_sizes_follow_from_the_trials_and_the_lanes(fields, iterations, initial, per_iteration):
    found = definition_from(GOOD | fields)
    assert (found.iterations, found.trials.initial, found.trials.per_iteration) == (iterations, initial, per_iteration)
    again = definition_from(found.model_dump(mode="json"))
    assert again == found


def test_a_search_tries_no_more_than_its_limit():
    assert definition_from(GOOD | {"limits": {"trials": 20}}).most_trials == 20
    assert definition_from(GOOD | {"iterations": 2}).most_trials == 26


def test_a_continuous_search_of_a_cluster_says_how_many_lanes_it_has():
    faults = list(cross_faults({"continuous": True, "launcher": "kubernetes", "limits": {"slots": 2}}))
    assert list(map(str, faults)) == [
        "limits.parallel: is missing; with continuous the lanes of a cluster must be given"
    ]


@pytest.mark.parametrize(
    ("train", "full"),
    [("trial.report(quality=1)", 1), ("list(trial.epochs(10))", 10), ("print(trial.target_epochs)", 10)],
)
def test_a_workload_that_asks_for_no_epochs_has_one(write, tmp_path, monkeypatch, train, full):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / f"asks_{full}.py").write_text(f"def train(trial):\n    {train}\n")
    file = write(BASE.replace("tests.workloads.formula", f"asks_{full}"))
    assert load_definition(file).epochs.full == full
    given = write(f"{BASE}epochs: {{ full: 3 }}\n".replace("tests.workloads.formula", f"asks_{full}"), "given.yaml")
    assert load_definition(given).epochs.full == 3
