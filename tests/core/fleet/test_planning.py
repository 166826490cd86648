"""What a run trains, what it takes over from the fleet's runs before it, and what it leaves out."""

import pytest

from tests.fleets import ECHO, RAW, fall_short, fleet_from, prepared, succeed
from windtunnel.errors import DefinitionError, LedgerError
from windtunnel.fleet.accounts import Accounts
from windtunnel.fleet.beginning import begin, lanes
from windtunnel.fleet.entry import source_of_entry
from windtunnel.fleet.planning import RunChoice, plan, taken
from windtunnel.fleet.records import ended, read_plan


def run(tmp_path, name, choice=None, failing=(), **fields):
    """A run of which every mini-batch ends, those of `failing` badly; returns ledger, plan, and names to do."""
    fleet = fleet_from(tmp_path, **fields)
    ledger, partitions, what = prepared(tmp_path, fleet, name, choice)
    lanes(ledger, fleet, what)
    names = [[partitions[place].name for place in batch] for batch in what.batches]
    for number, batch in enumerate(names):
        if set(batch) & set(failing):
            fall_short(ledger, what, number)
        else:
            succeed(ledger, what, number)
    return ledger, what, [name for batch in names for name in batch]


ALL = ["tenant_1.csv", "tenant_2.csv", "tenant_3.csv"]


def test_partitions_are_dealt_into_mini_batches_in_their_order(tmp_path):
    _, _, what = prepared(tmp_path, fleet_from(tmp_path, mini_batch_size=2))
    assert what.batches == ((0, 1), (2,))


def test_what_has_not_changed_is_taken_over_and_counted(tmp_path):
    first, _, done = run(tmp_path, "a")
    assert done == ALL
    again, what, done = run(tmp_path, "b", raw=RAW.replace("2,south,21", "2,south,22") + "4,west,1\n")
    assert done == ["tenant_2.csv", "tenant_4.csv"]
    assert [(past.partition, past.source) for past in taken(again, what)] == [(0, first.run), (2, first.run)]
    assert Accounts.of(what, ended(again)).taken == 2
    third, what, done = run(tmp_path, "c", raw=RAW.replace("2,south,21", "2,south,22") + "4,west,1\n")
    assert done == []
    assert sorted((past.partition, past.source) for past in taken(third, what)) == [
        (0, "a"),
        (1, "b"),
        (2, "a"),
        (3, "b"),
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"code": ECHO + "# changed\n"},
        {"program_arguments": "--param_1 5"},
        {"environment_variables": {"env_var_1": "x"}},
        {"seed": 1},
        {"settings": {"depth": 2}},
    ],
)
def test_other_code_or_settings_train_all_anew(tmp_path, change):
    run(tmp_path, "a")
    assert run(tmp_path, "b", **change)[2] == ALL


def test_other_limits_change_no_model(tmp_path):
    run(tmp_path, "a")
    assert run(tmp_path, "b", limits={"parallel": 3}, error_threshold=0, mini_batch_size=2)[2] == []


def test_what_failed_is_trained_again(tmp_path):
    run(tmp_path, "a", failing=["tenant_2.csv"])
    assert run(tmp_path, "b")[2] == ["tenant_2.csv"]


def test_only_failed_leaves_out_what_has_changed_since_it_succeeded(tmp_path):
    run(tmp_path, "a", failing=["tenant_2.csv"])
    _, what, done = run(tmp_path, "b", RunChoice(only_failed=True), raw=RAW + "3,north,31\n4,west,1\n")
    assert done == ["tenant_2.csv", "tenant_4.csv"]
    assert (what.taken, what.skipped) == ((0,), (2,))


def test_force_trains_again_what_was_chosen(tmp_path):
    run(tmp_path, "a")
    assert run(tmp_path, "b", RunChoice(force=True))[2] == ALL
    _, what, done = run(tmp_path, "c", RunChoice(partitions=["tenant_2"], force=True))
    assert done == ["tenant_2.csv"]
    assert what.taken == (0, 2)


@pytest.mark.parametrize(
    ("patterns", "chosen"),
    [
        (["tenant_[12]"], ["tenant_1.csv", "tenant_2.csv"]),
        (["3"], ["tenant_3.csv"]),
        (["tenant=2", "tenant_3.csv"], ["tenant_2.csv", "tenant_3.csv"]),
        ([], ALL),
    ],
)
def test_partitions_are_chosen_by_name_key_or_pattern(tmp_path, patterns, chosen):
    _, what, done = run(tmp_path, "a", RunChoice(partitions=patterns))
    assert done == chosen
    assert len(what.skipped) == 3 - len(chosen)


def test_a_pattern_that_fits_nothing_is_an_error_that_names_what_there_is(tmp_path):
    with pytest.raises(DefinitionError, match=r"partitions: tenat_1: no such partition \(did you mean 'tenant_1'\?\)"):
        prepared(tmp_path, fleet_from(tmp_path), choice=RunChoice(partitions=["tenat_1"]))


def test_a_partition_that_the_last_run_skipped_is_taken_from_the_run_before(tmp_path):
    run(tmp_path, "a")
    changed = RAW.replace("2,south,21", "2,south,22")
    run(tmp_path, "b", RunChoice(partitions=["tenant_1"]), raw=changed)  # the new tenant 2 is not trained
    again, what, done = run(tmp_path, "c")
    assert done == []
    assert sorted((past.partition, past.source) for past in taken(again, what)) == [(0, "a"), (1, "a"), (2, "a")]


def test_a_run_that_was_cut_off_counts_with_what_it_did(tmp_path):
    fleet = fleet_from(tmp_path)
    ledger, _, what = prepared(tmp_path, fleet, "a")
    lanes(ledger, fleet, what)
    succeed(ledger, what, 1)
    assert run(tmp_path, "b")[2] == ["tenant_1.csv", "tenant_3.csv"]


def test_a_plan_is_made_once(tmp_path):
    fleet = fleet_from(tmp_path)
    ledger, partitions, what = prepared(tmp_path, fleet)
    assert plan(ledger, fleet, partitions, RunChoice(partitions=["tenant_1"])) == what == read_plan(ledger)


def test_a_run_goes_on_with_the_same_definition_only(tmp_path):
    fleet = fleet_from(tmp_path)
    ledger, _, _ = prepared(tmp_path, fleet)
    assert begin(fleet, ledger, "session").digest == ledger.digest
    wider = fleet.model_copy(update={"limits": fleet.limits.model_copy(update={"parallel": 7})})
    assert begin(wider, ledger, "other").turn.number == 2  # what is trained stays the same
    with pytest.raises(LedgerError, match="began with another definition or other code: seed changed"):
        begin(fleet.model_copy(update={"seed": 5}), ledger, "other")


def test_data_outputs_and_runs_beside_the_script_are_no_code(tmp_path):
    (tmp_path / "entry.py").write_text("def run(mini_batch):\n    return mini_batch\n")
    (tmp_path / "helper.py").write_text("x = 1\n")
    outputs = {"kept": str(tmp_path / "made" / "kept"), "own": ""}
    fleet = fleet_from(tmp_path, entry_script=str(tmp_path / "entry.py"), gather={"outputs": outputs})
    code = {"entry.py", "helper.py", "code/entry.py"}
    assert source_of_entry(fleet).keys() == code
    first, _, _ = prepared(tmp_path, fleet, "first")
    (tmp_path / "made" / "kept").mkdir(parents=True)
    (tmp_path / "made" / "kept" / "1.csv").write_text("x\n")
    assert source_of_entry(fleet).keys() == code
    second, _, _ = prepared(tmp_path, fleet, "second")
    assert first.spec.code == second.spec.code
