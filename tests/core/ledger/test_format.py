"""Ledgers of other versions: newer formats are refused in every door, and what a newer version adds is passed over."""

import json

import pytest

from tests.core.report import made_up
from tests.core.stages.conftest import Bench
from windtunnel.cli import main
from windtunnel.definition import recorded_definition
from windtunnel.errors import LedgerError
from windtunnel.ledger import Ledger, Request
from windtunnel.ledger.format import FORMAT
from windtunnel.report import collect, write_report
from windtunnel.stores.local import LocalStore


def change(ledger, **fields):
    ledger.write_json("search.json", ledger.read_json("search.json") | fields)


@pytest.fixture
def newer(tmp_path):
    """A run of a format that comes after this version's."""
    ledger = Ledger(LocalStore(tmp_path), "digits_cnn", "newer")
    made_up.fill(ledger)
    change(ledger, format=FORMAT + 1, versions={"windtunnel": "9.9"})
    return ledger


TOLD = f"was made by Windtunnel 9.9 and has format {FORMAT + 1}; this version reads formats up to {FORMAT}: upgrade"


@pytest.mark.parametrize("command", [["status"], ["results", "--csv"], ["results", "--json"], ["fetch"]])
def test_the_command_line_refuses_a_newer_format(newer, command, capsys):
    assert main([*command, newer.url]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert TOLD in line and newer.url in line


def test_pages_and_reports_refuse_a_newer_format(newer):
    for read in (collect, write_report, recorded_definition):
        with pytest.raises(LedgerError, match=TOLD):
            read(newer)


def test_no_search_goes_on_with_a_newer_format_or_begins_from_one(tmp_path):
    bench = Bench(tmp_path)
    search = bench.begin("first")
    bench.iterate(search, 1)
    trial = search.ledger.plan("1").requests[0].trial
    change(search.ledger, format=FORMAT + 1, versions={"windtunnel": "9.9"})
    origin = {"from_run": search.ledger.url, "trials": [trial]}
    for run, choices in {
        "first": {"session": "s2"},
        "warm": {"warm_start": [search.ledger.url]},
        "again": {"origin": origin},
    }.items():
        with pytest.raises(LedgerError, match=TOLD):
            bench.begin(run, **choices)
    assert search.ledger.writer().session == "s1"


@pytest.mark.parametrize("number", ["2", None, True, [2]])
def test_a_format_that_is_no_number_is_refused(newer, number):
    change(newer, format=number)
    with pytest.raises(LedgerError, match=r"format: found .*; allowed: a whole number"):
        collect(newer)


def test_fields_of_a_newer_version_of_the_same_format_are_passed_over(tmp_path):
    bench = Bench(tmp_path)
    search = bench.begin("first")
    bench.iterate(search, 1)
    ledger = search.ledger
    for entry in list(ledger.store.list(ledger.path(""))):
        if entry.path.endswith(".json") and "/specs/" not in entry.path:
            content = json.loads(ledger.store.get(entry.path))
            ledger.store.put(entry.path, json.dumps(content | {"later": 1}).encode(), entry.metadata)
    record = ledger.read_json("search.json")
    record["definition"]["later"] = record["definition"]["limits"]["later"] = 1
    ledger.write_json("search.json", record)
    assert len(collect(ledger).trials) == 6
    assert ledger.plan("1").requests[0] == ledger.request(ledger.plan("1").requests[0].trial)
    assert isinstance(ledger.plan("1").requests[0], Request)
    assert recorded_definition(ledger, record) == search.definition
    assert len(bench.begin("warm", warm_start=[ledger.url]).ledger.plan("0").requests) == 6
    assert bench.begin("first", session="s2").session.offset == 1
