"""Files of any size and depth, and definitions that stand for more than they say: little is read, and soon."""

import json
import os
import subprocess
import sys

import pytest

from windtunnel.cli import main
from windtunnel.definition import load_definition
from windtunnel.errors import UnreadableError
from windtunnel.ledger.curves import latest_reports, read_curves
from windtunnel.report import payloads
from windtunnel.report.reader import collect

MB = 1024 * 1024
ENVIRONMENT = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
DEEP = "[" * 100_000
FIELDS = "workload: tests.workloads.quick\nobjectives: {val_acc: maximize}\n"


def measured(program, *arguments, timeout=180):
    """What a process of its own printed last, and by how many MB its memory grew during `work()`."""
    frame = (
        "import resource, sys\n"
        f"{program}\n"
        "resource.setrlimit(resource.RLIMIT_AS, (4 * 1024**3, 4 * 1024**3))\n"  # whoever reads a bomb falls alone
        "def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "before = peak()\n"
        "print(work())\n"
        "print((peak() - before) / (1024 * 1024 if sys.platform == 'darwin' else 1024))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", frame, *arguments],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    assert done.returncode == 0, done.stderr
    *_, said, grown = done.stdout.strip().splitlines()
    return said, float(grown)


def write_metrics(ledger, trial, size):
    """A file of metrics of some size, as a long training would leave it; how many reports it has."""
    line = json.dumps({"epoch": 1234567.5, "seconds": 1.5, "loss": 0.123456, "val_acc": 0.98765})
    count = size // (len(line) + 1)
    file = ledger.store.folder / ledger.trial_path(trial, "metrics.jsonl")
    with file.open("w") as out:
        out.writelines(f'{{"epoch": {number + 1000000.5}, {line[21:]}\n' for number in range(count))
    return count


def test_a_big_file_of_metrics_costs_little_memory_and_shows_the_whole_curve(ledger):
    trial = ledger.plan("1").requests[0].trial
    count = write_metrics(ledger, trial, 24 * MB)
    program = (
        "from windtunnel.ledger import Ledger\n"
        "from windtunnel.report import payloads\n"
        "from windtunnel.report.reader import collect\n"
        "ledger = Ledger.open(sys.argv[1]); view = collect(ledger); of = view.find(sys.argv[2])\n"
        "def work():\n"
        "    points = payloads.trial(view, ledger, of)['curve']\n"
        "    curve = payloads.curves(view, payloads.Curves(ledger), [sys.argv[2]])['curves'][0]['points']\n"
        "    return len(points), points[0]['epoch'], points[-1]['epoch'], len(curve)\n"
    )
    said, grown = measured(program, ledger.url, trial)
    points, first, last, curve = eval(said)
    assert grown < 64
    assert points <= 1000
    assert curve <= 1000
    assert points > 100
    assert (first, last) == (1000000.5, count - 1 + 1000000.5)


def test_the_page_thins_many_points_out(page, live):
    trial = live.plan("1").requests[0].trial
    lines = "".join(json.dumps({"epoch": number, "loss": 1.0}) + "\n" for number in range(20_000))
    live.store.put(live.trial_path(trial, "metrics.jsonl"), lines.encode())
    for points in (
        page.data("trial", trial=trial).json()["curve"],
        page.data("curves", trial=trial).json()["curves"][0]["points"],
    ):
        assert len(points) <= 1000
        assert (points[0]["epoch"], points[-1]["epoch"]) == (0, 19_999)


def test_a_short_curve_is_shown_whole(page, live):
    trial = live.plan("1").requests[0].trial
    lines = "".join(json.dumps({"epoch": number, "loss": 1.0}) + "\n" for number in range(900))
    live.store.put(live.trial_path(trial, "metrics.jsonl"), lines.encode())
    assert [point["epoch"] for point in page.data("trial", trial=trial).json()["curve"]] == list(range(900))


HOSTILE_LINES = {
    "deep": DEEP,
    "deep within": f'{{"epoch": 1, "loss": {DEEP}',
    "not finite": '{"epoch": NaN, "loss": 1}\n{"epoch": 2, "loss": Infinity}',
    "huge": '{"epoch": 1%s, "loss": 2}' % ("0" * 400),
    "digits": '{"epoch": 1, "loss": 1%s}' % ("0" * 10_000),
    "nested": '{"epoch": 1, "loss": {"a": [1]}}',
    "text": '{"epoch": "1", "loss": "<script>"}',
    "wide": json.dumps({"epoch": 1} | {f"m{number}": 1.0 for number in range(20_000)}),
    "no JSON": "\x00\xff",
    "one long line": '{"epoch": 1, "loss": "%s"}' % ("x" * 3 * MB),
}


def test_no_line_of_metrics_breaks_the_page(page, live):
    trials = [request.trial for request in live.plan("1").requests]
    for trial, line in zip(trials, HOSTILE_LINES, strict=True):
        assert_shown(page, live, trial, HOSTILE_LINES[line])


def assert_shown(page, live, trial, line):
    good = '{"epoch": 0.5, "loss": 1.0}\n'
    live.store.put(live.trial_path(trial, "metrics.jsonl"), f"{good}{line}\n".encode())
    for name in ("trial", "curves"):
        reply = page.data(name, trial=trial)
        assert reply.status_code == 200
        assert len(reply.content) < MB
    points = page.data("trial", trial=trial).json()["curve"]
    assert points[0] == {"epoch": 0.5, "loss": 1.0}
    assert all(len(point) <= 101 for point in points)
    assert all(value is None or isinstance(value, int | float) for point in points for value in point.values())
    assert read_curves(live, "loss")[trial] in ([], [2.0], [1.0])


@pytest.mark.parametrize("value", ["NaN", DEEP, "[1, 2", '"x"', "{}", '{"epoch": 1, "loss": NaN}', "1" * 5000])
def test_no_metadata_of_metrics_breaks_a_reader(ledger, value):
    trial = ledger.plan("1").requests[0].trial
    path = ledger.trial_path(trial, "metrics.jsonl")
    ledger.store.put(path, b'{"epoch": 1, "loss": 2.0}\n', {"latest": "1"})
    (metadata,) = (ledger.store.folder / path).parent.glob(".meta/metrics.jsonl.*")
    metadata.write_text(json.dumps({"latest": value, "curve": value}))
    assert read_curves(ledger, "loss")[trial] == [2.0]
    assert "loss" not in latest_reports(ledger, [trial]).get(trial, {})


def test_metadata_of_any_size_is_none(ledger):
    ledger.store.put("run/a", b"1", {"n": "1"})
    (metadata,) = (ledger.store.folder / "run" / ".meta").glob("a.*")
    for content in ('{"n": "%s"}' % ("1" * MB), DEEP, '{"n": 1}', "[]", '{"n": {"a": 1}}'):
        metadata.write_text(content)
        assert ledger.store.stat("run/a").metadata == {}
        assert [entry.metadata for entry in ledger.store.list("run/")] == [{}]


def test_metadata_that_says_nothing_sensible_is_passed_over(ledger):
    trial, outcome = next(iter(ledger.outcomes().items()))
    path = ledger.store.folder / ledger.path("results")
    (metadata,) = path.glob(f".meta/{trial}.json.*")
    metadata.write_text(json.dumps({"state": '"owned"', "objectives": "[["}))
    assert ledger.outcomes()[trial].objectives == outcome.objectives


@pytest.mark.parametrize("name", ["iterations/1/plan.json", "search.json", "iterations/1/known.json"])
def test_a_record_that_is_none_is_one_clear_line(ledger, capsys, name):
    for content in ("{", DEEP, "[]", "null", '{"stage": {"a": 1}}', "\x00"):
        if (name, content[:9]) == ("search.json", '{"stage":'):
            continue  # the session's definition holds
        ledger.store.put(ledger.path(name), content.encode())
        assert main(["status", ledger.url]) == 1
        (line,) = capsys.readouterr().err.strip().splitlines()
        assert name in line
        assert "Traceback" not in line


@pytest.mark.parametrize("name", ["iterations/1/plan.json", "search.json"])
def test_a_record_of_any_size_is_not_read(ledger, name):
    file = ledger.store.folder / ledger.path(name)
    with file.open("r+b") as opened:
        opened.truncate(40 * MB)
    with pytest.raises(UnreadableError, match=r"has 41943040 bytes; allowed: at most"):
        collect(ledger)


def test_results_that_cannot_be_read_or_say_too_much_do_not_hide_the_others(ledger):
    failed = [name for name, outcome in ledger.outcomes().items() if outcome.state == "failed"]
    for trial, message in zip(failed, (40 * MB, 8 * MB), strict=False):
        path = ledger.path(f"results/{trial}.json")
        content = json.loads(ledger.store.get(path)) | {"message": "m" * message}
        metadata = {name: value for name, value in ledger.store.stat(path).metadata.items() if name != "message"}
        ledger.store.put(path, json.dumps(content).encode(), metadata)  # as for a message too long for a listing
    view = collect(ledger)
    unread, long = (view.find(trial).result for trial in failed[:2])
    assert "allowed: at most" in unread.message
    assert len(long.message) < 20_000
    assert len(view.trials) == 46
    assert len(json.dumps(payloads.trials(view))) < MB


def test_a_huge_file_is_handed_out_piece_by_piece(page, live):
    trial = live.plan("1").requests[0].trial
    file = live.store.folder / live.trial_path(trial, "log.txt")
    with file.open("wb") as opened:
        opened.truncate(64 * MB)
    assert len(page.data("trial", trial=trial).content) < MB
    reply = page.file("log.txt", trial=trial)
    assert len(reply.content) == 64 * MB


LAUGHS = "a: &a [l,l,l,l,l,l,l,l,l]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 9)}]\n" for i in range(9)
)
MERGES = "a: &a {x: 1, y: 2}\nk0: &k0 {<<: [*a,*a]}\n" + "".join(
    f"k{i}: &k{i} {{<<: [{','.join([f'*k{i - 1}'] * 9)}]}}\n" for i in range(1, 10)
)
BOMBS = {
    "billion laughs": LAUGHS,
    "merges": MERGES,
    "mappings": "a: &a {k: v}\n"
    + "".join(
        f"m{i}: &m{i} {{{','.join(f'k{j}: *' + ('a' if i == 0 else f'm{i - 1}') for j in range(9))}}}\n"
        for i in range(9)
    ),
    "chain": "a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}]\n" for i in range(1, 1000)),
    "recursion": "settings: &a {b: *a}\n",
    "recursion in a list": "settings: &a [1, *a]\n",
    "deep": f"settings: {'[' * 5000}\n",
    "deep and closed": f"settings: {'[' * 200}{']' * 200}\n",
    "deep blocks": "settings:\n" + "".join(f"{' ' * depth}a:\n" for depth in range(1, 400)),
    "many": f"settings: [{','.join(['1'] * 60_000)}]\n",
    "big": f"description: {'x' * 2 * MB}\n",
    "digits": f"seed: {'9' * 5000}\n",
    "hexadecimal": f"seed: 0x{'f' * 100_000}\n",
}


@pytest.mark.parametrize(
    ("place", "bomb"),
    [*(("definition", bomb) for bomb in BOMBS), ("template", "billion laughs"), ("template", "recursion")],
)
def test_a_definition_that_stands_for_too_much_is_refused_at_once(tmp_path, bomb, place):
    file = tmp_path / "search.yaml"
    if place == "definition":
        file.write_text(f"{BOMBS[bomb]}{FIELDS}")
        named = file
    else:
        named = tmp_path / "pod.yaml"
        named.write_text(f"spec: {{containers: [{{name: trainer, image: x}}]}}\n{BOMBS[bomb]}")
        file.write_text(f"{FIELDS}launcher: kubernetes\npod_template: pod.yaml\n")
    program = (
        "from windtunnel.definition import load_definition\n"
        "from windtunnel.errors import DefinitionError\n"
        "def work():\n"
        "    try: load_definition(sys.argv[1])\n"
        "    except DefinitionError as error: return repr(str(error))\n"
        "    return 'it was read'\n"
    )
    said, grown = measured(program, str(file), timeout=30)
    assert str(named) in said
    assert "\\n" not in said
    assert len(said) < 400
    assert "allowed: " in said
    assert grown < 64


def test_aliases_that_stay_small_are_read(tmp_path):
    file = tmp_path / "search.yaml"
    file.write_text(f"{FIELDS}settings: {{a: &a {{x: 1}}, b: *a, c: {{<<: *a, y: 2}}}}\n")
    assert load_definition(file).settings == {"a": {"x": 1}, "b": {"x": 1}, "c": {"x": 1, "y": 2}}


def test_a_definition_that_is_a_pipe_keeps_nobody_waiting(tmp_path):
    file = tmp_path / "search.yaml"
    os.mkfifo(file)
    program = (
        "from windtunnel.definition import load_definition\n"
        "from windtunnel.errors import DefinitionError\n"
        "def work():\n"
        "    try: load_definition(sys.argv[1])\n"
        "    except DefinitionError as error: return error\n"
    )
    said, _ = measured(program, str(file), timeout=60)
    assert "no regular file" in said
