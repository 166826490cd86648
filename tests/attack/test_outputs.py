"""What a run says, obeyed by a spreadsheet, a terminal or a browser."""

import csv
import io
import re

import pytest

from windtunnel.cli import main
from windtunnel.ledger import State

ESCAPES = {
    "colour": "\x1b[31mred",
    "clears the screen": "\x1b[2J\x1b[H",
    "title": "\x1b]0;owned\x07",
    "link": "\x1b]8;;https://evil.example\x1b\\click\x1b]8;;\x1b\\",
    "clipboard": "\x1b]52;c;ZXZpbA==\x07",
    "one byte": "\x9b31m",
    "back": "good\b\b\b\bevil",
    "return": "finished\rwritten over",
    "bidirectional": "\u202egnp.exe",
    "isolate": "\u2066x\u2069",
    "zero width": "a\u200bb",
    "null": "\x00",
    "delete": "\x7f",
    "line separator": "a\u2028b",
}
HARMFUL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
FORMULAS = ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(1)", "\t=1", "\r=1", "  =1", "=HYPERLINK(1)", "\uff1d1+1"]


def rewrite(ledger, **fields):
    """Let the run's first result that failed say something else."""
    trial = next(name for name, outcome in ledger.outcomes().items() if outcome.state is State.FAILED)
    result = ledger.result(trial).model_copy(update=fields)
    ledger.store.delete(ledger.path(f"results/{trial}.json"))
    ledger.record(result)
    return trial


def replan(ledger, change):
    """Let the first iteration's plan say something else of its first trial."""
    plan = ledger.read_json("iterations/1/plan.json")
    change(plan["requests"][0])
    ledger.write_json("iterations/1/plan.json", plan)
    return plan["requests"][0]["trial"]


def printed(capsys, *arguments):
    main(list(arguments))
    said = capsys.readouterr()
    return said.out + said.err


@pytest.mark.parametrize("command", [["status"], ["status", "--follow"], ["results", "--csv"], ["results", "--json"]])
def test_no_escape_reaches_the_terminal(ledger, capsys, command):
    ledger.close("manual__2026-11-21")
    hostile = " ".join(ESCAPES.values())
    rewrite(ledger, message=f"before {hostile} after", kind=f"k{hostile}", log_tail=hostile)

    def change(request):
        request["params"] = {f"name{hostile}": f"value{hostile}"}
        request["note"] = {"from": hostile}

    replan(ledger, change)
    said = printed(capsys, command[0], ledger.url, *command[1:])
    assert not HARMFUL.search(said)
    assert "before" in said
    assert "after" in said


@pytest.mark.parametrize("escape", ESCAPES)
def test_no_escape_reaches_the_terminal_in_an_error(tmp_path, capsys, escape):
    hostile = ESCAPES[escape].replace("\x00", "\x01")
    assert not HARMFUL.search(printed(capsys, "status", f"{tmp_path}/store/{hostile}/run"))
    file = tmp_path / "search.yaml"
    file.write_text(f"workload: {hostile!r}\nobjectives: {{'{hostile.encode('unicode_escape').decode()}': 1}}\n")
    assert not HARMFUL.search(printed(capsys, "validate", str(file)))


def test_the_live_display_shows_escapes_and_obeys_no_markup(ledger):
    from windtunnel.report.display import Display
    from windtunnel.report.reader import RunReader

    out = io.StringIO()
    hostile = "\x1b[2J[bold red]x[/] [/nonsense]"
    with Display(RunReader(ledger), f"run {hostile}", file=out) as display:
        display.update(now=True)
    assert not HARMFUL.search(out.getvalue())
    assert "[bold red]x[/] [/nonsense]" in out.getvalue()


def cells(capsys, ledger):
    return list(csv.DictReader(io.StringIO(printed(capsys, "results", ledger.url, "--csv"))))


@pytest.mark.parametrize("formula", FORMULAS)
def test_no_formula_reaches_a_spreadsheet(ledger, capsys, formula):
    failed = rewrite(ledger, message=formula, kind=formula)
    trial = replan(ledger, lambda request: request["params"].update(lr=formula))
    rows = {row["trial"]: row for row in cells(capsys, ledger)}
    for cell in (rows[failed]["message"], rows[failed]["kind"], rows[trial]["params.lr"]):
        assert cell
        assert not cell.lstrip().startswith(tuple("=+-@\t\r\uff1d"))


@pytest.mark.parametrize("number", [-1.5, -3, 1e-7, "-0.25", "+1.5e-3"])
def test_numbers_stay_numbers(ledger, capsys, number):
    trial = replan(ledger, lambda request: request["params"].update(lr=number))
    rows = {row["trial"]: row for row in cells(capsys, ledger)}
    assert float(rows[trial]["params.lr"]) == float(number)


@pytest.mark.parametrize(
    "since", ["x\r\nSet-Cookie: a=b", 'x", W/"y', "\u20ac", "1.2\x7f", "<script>", "0" * 400, "46.99999999999999"]
)
def test_the_etag_echoes_nothing(page, since):
    reply = page.data("trials", since=since)
    assert reply.status_code == 200
    assert re.fullmatch(r'W/"[0-9a-f.]+"', reply.headers["etag"])
    assert since not in reply.headers["etag"]
    assert "set-cookie" not in reply.headers
    again = page.client.get(reply.url, headers={"If-None-Match": reply.headers["etag"]})
    assert again.status_code == 304


@pytest.mark.parametrize("trial", ['x"; filename="evil.exe', "x\r\nSet-Cookie: a=b", "\u20ac", "../x"])
def test_a_trials_name_is_no_header(page, live, trial):
    def change(request):
        request["trial"] = trial

    replan(live, change)
    for reply in (page.data("trials"), page.file("log.txt", trial=trial)):
        assert reply.status_code < 500 or reply.status_code == 503
        assert "set-cookie" not in reply.headers
        assert "evil.exe" not in reply.headers.get("content-disposition", "")
