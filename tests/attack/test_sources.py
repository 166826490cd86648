"""Earlier runs in places that nobody trusts: from the trigger form, and from what a ledger says."""

from pathlib import Path

import pytest

from tests.core.stages.conftest import Bench, definition
from windtunnel.errors import LedgerError
from windtunnel.ledger import Ledger
from windtunnel.stages import begin, choose_finalists, suggest
from windtunnel.stores.local import LocalStore
from windtunnel_trainer.trial import Trial

EPOCHS = {"partial": 1, "full": 8}


def searched(folder) -> Ledger:
    """A run with an iteration's results, in a store of its own."""
    bench = Bench(folder)
    search = bench.begin("first")
    bench.iterate(search, 1)
    return search.ledger


def refused(ledger, field, **choices):
    with pytest.raises(LedgerError) as caught:
        begin(definition(epochs=EPOCHS, **choices.pop("fields", {})), ledger, "s1", **choices)
    message = str(caught.value)
    assert message.startswith(f"{field}: ")
    assert len(message.splitlines()) == 1
    return message


def ways(tmp_path, theirs: Ledger) -> list[str]:
    """Ways to write a run that is in another store than `tmp_path/runs`."""
    (tmp_path / "runs" / "inside").symlink_to(theirs.store.folder)
    (tmp_path / "runs" / "toy").mkdir(exist_ok=True)
    (tmp_path / "runs" / "toy" / "link").symlink_to(theirs.store.folder / theirs.root)
    return [
        theirs.url,
        f"{theirs.url}/",
        f"file://{theirs.url}",
        f"{tmp_path}/runs/../{theirs.store.folder.name}/{theirs.root}",
        f"{tmp_path}/runs/inside/{theirs.root}",
        f"{tmp_path}/runs/toy/../../{theirs.store.folder.name}/{theirs.root}",
    ]


@pytest.mark.parametrize("name", ["elsewhere", "runs-evil", "Runs"])
def test_the_form_takes_no_run_of_another_store(tmp_path, name):
    theirs = searched(tmp_path / name)
    trial = theirs.plan("1").requests[0].trial
    (tmp_path / "runs").mkdir()
    for way in ways(tmp_path, theirs):
        for run, (field, choices) in enumerate(
            {
                "warm_start": {"fields": {"warm_start": [way]}},
                "from_run": {"origin": {"from_run": way, "trials": [trial]}},
            }.items()
        ):
            message = refused(Ledger(LocalStore(tmp_path / "runs"), "toy", f"run-{run}"), field, **choices)
            assert "WINDTUNNEL_STORES" in message


@pytest.mark.parametrize(
    "url",
    [
        "azure://other-container/runs/toy/first",
        "azure://other-container/toy/first",
        "azure://other-container/runs/../toy/first",
        "AZURE://other-container/toy/first",
        "s3://bucket/toy/first",
        "https://evil.example/toy/first",
    ],
)
def test_the_form_takes_no_run_of_another_container(tmp_path, url):
    for field, choices in {
        "warm_start": {"fields": {"warm_start": [url]}},
        "from_run": {"origin": {"from_run": url, "trials": ["x"]}},
    }.items():
        refused(Ledger(LocalStore(tmp_path / "runs"), "toy", "run"), field, **choices)


def test_stores_of_azure_are_compared_letter_by_letter(monkeypatch):
    from windtunnel.ledger.sources import open_source

    class Azure:
        url = "azure://container/team"

    ledger = Ledger(Azure(), "toy", "run")  # type: ignore[arg-type]
    for near in (
        "azure://container/team-evil/toy/first",
        "azure://container/team/../other/toy/first",
        "azure://container/team/more/toy/first",
        "azure://container/Team/toy/first",
        "azure://container/team%2f..%2fother/toy/first",
        "azure://container//team/toy/first",
        "azure://container2/team/toy/first",
        "azure://container/team/toy/..",
        "azure://container/toy/first",
    ):
        with pytest.raises(LedgerError, match="warm_start"):
            open_source(near, ledger, "warm_start")
    assert open_source("azure://container/team/toy/first", ledger, "warm_start").url == f"{Azure.url}/toy/first"
    assert open_source("azure://container/team/toy/first/", ledger, "warm_start").url == f"{Azure.url}/toy/first"


def test_the_searchs_own_store_is_taken_however_it_is_written(tmp_path, monkeypatch):
    first = searched(tmp_path / "runs")
    (tmp_path / "alias").symlink_to(tmp_path / "runs")
    monkeypatch.chdir(tmp_path)
    for number, way in enumerate(
        [first.url, f"{first.url}/", f"file://{first.url}", f"runs/{first.root}", f"{tmp_path}/alias/{first.root}"]
    ):
        bench = Bench(tmp_path / "runs")
        assert len(bench.begin(f"run-{number}", warm_start=[way]).ledger.plan("0").requests) == 6


def test_what_the_deployment_lists_is_taken(tmp_path, monkeypatch):
    theirs = searched(tmp_path / "theirs")
    monkeypatch.setenv("WINDTUNNEL_STORES", f"azure://somewhere/runs, {tmp_path}/theirs/")
    search = Bench(tmp_path / "runs").begin(warm_start=[theirs.url])
    assert len(search.ledger.plan("0").requests) == 6
    monkeypatch.setenv("WINDTUNNEL_STORES", f"{tmp_path}/their")
    refused(Ledger(LocalStore(tmp_path / "runs"), "toy", "other"), "warm_start", fields={"warm_start": [theirs.url]})


def test_what_the_definitions_file_names_is_the_teams_own_word(tmp_path):
    theirs = searched(tmp_path / "theirs")
    ledger = Ledger(LocalStore(tmp_path / "runs"), "toy", "run")
    begin(definition(warm_start=[theirs.url]), ledger, "s1", named=[theirs.url])


def test_a_resumed_run_reads_no_run_that_its_ledger_makes_up(tmp_path):
    theirs = searched(tmp_path / "theirs")
    ledger = Ledger(LocalStore(tmp_path / "runs"), "toy", "run")
    begin(definition(epochs=EPOCHS), ledger, "s1")
    forged = ledger.read_json("search.json") | {"origin": {"from_run": theirs.url, "trials": ["x"]}}
    ledger.write_json("search.json", forged)
    with pytest.raises(LedgerError, match=r"from_run: .*WINDTUNNEL_STORES"):
        begin(definition(epochs=EPOCHS), ledger, "s2")


def test_a_trial_takes_no_checkpoint_from_where_its_ledger_says(tmp_path):
    """It would load weights of the attacker's, or read files of another team's."""
    mine, theirs = (Bench(tmp_path / name).begin() for name in ("mine", "theirs"))
    (request, *_) = suggest(mine, 1).requests
    partial = f"{request.config}-e0.5"
    theirs.ledger.store.put(theirs.ledger.trial_path(partial, "checkpoint.pt"), b"weights")
    forged = request.model_copy(update={"continue_from": partial, "source": theirs.ledger.url})
    trial = Trial(mine.ledger, mine.definition, forged)
    with pytest.raises(LedgerError, match="WINDTUNNEL_STORES"):
        trial.restore()


@pytest.mark.parametrize(
    ("params", "told"),
    [
        ({"x": 10**9, "y": 1}, "x"),
        ({"x": 3, "y": 3}, "y"),
        ({"x": 3}, "y"),
        ({"x": 3, "y": 1, "cmd": "rm -rf"}, "cmd"),
        ({"x": "3; rm", "y": 1}, "x"),
    ],
)
def test_trials_outside_the_space_are_not_trained(tmp_path, params, told):
    first = searched(tmp_path / "runs")
    plan = first.plan("1")
    chosen = plan.requests[0]
    forged = plan.model_copy(update={"requests": [chosen.model_copy(update={"params": params}), *plan.requests[1:]]})
    first.write_json("iterations/1/plan.json", forged.model_dump(mode="json"))
    first.write_json("plans.json", {"plans": [forged.model_dump(mode="json")]})
    origin = {"from_run": first.url, "trials": [chosen.trial]}
    search = Bench(Path(first.store.url)).begin("retrain", origin=origin, epochs=EPOCHS)
    with pytest.raises(LedgerError) as caught:
        choose_finalists(search)
    assert f"trials: {chosen.trial} of {first.url} is not of this search's space" in str(caught.value)
    assert told in str(caught.value).rpartition("space: ")[2]
