"""The benchmark of strategies, on a made-up table of the same form."""

import csv
import gzip
import json
import random
from itertools import product

import pytest

from benchmarks.search import __main__ as bench
from benchmarks.search.suite import __main__ as suite
from benchmarks.search.table import Table
from windtunnel.strategies import get_strategy


@pytest.fixture
def folder(tmp_path):
    rng = random.Random(0)
    with gzip.open(tmp_path / "nas_bench_macro.csv.gz", "wt") as file:
        rows = csv.writer(file)
        rows.writerow(["arch", "acc_s0", "acc_s1", "acc_s2", "mean_acc", "flops", "params"])
        for genes in product(range(3), repeat=8):
            accuracies = [93 - 40 / (1 + sum(genes)) - rng.random() for _ in range(3)]
            cost = 1.0 + sum((place + 1) * gene for place, gene in enumerate(genes))
            rows.writerow(["".join(map(str, genes)), *accuracies, sum(accuracies) / 3, cost * 1e6, cost * 1e4])
    return tmp_path


def told(monkeypatch, capsys, *words):
    monkeypatch.setattr("sys.argv", ["search", *map(str, words), "--processes", "1"])
    bench.main()
    return capsys.readouterr().out


def test_the_benchmark_prints_a_row_a_strategy_and_resumes(folder, monkeypatch, capsys):
    words = (folder, "--trials", 100, "--strategies", "random,archai", "--out", folder / "out")
    first = told(monkeypatch, capsys, *words, "--seeds", 1)
    assert "| strategy | 40 | 100 | distinct | s a batch |" in first
    assert "error and flops, batches of 20, 1 seeds" in first
    assert first.count("\n| random |") == first.count("\n| archai |") == 1
    again = told(monkeypatch, capsys, *words, "--seeds", 2, "--resume")
    assert "2 seeds" in again
    lines = (folder / "out/main.jsonl").read_text().splitlines()
    assert sorted((run["strategy"], run["seed"]) for run in map(json.loads, lines)) == [
        ("archai", 0),
        ("archai", 1),
        ("random", 0),
        ("random", 1),
    ]
    assert told(monkeypatch, capsys, *words, "--tables") == again
    assert (folder / "out/main.png").stat().st_size > 10_000


def test_a_variant_judges_by_the_mean_what_strategies_saw_of_single_trainings(folder, monkeypatch, capsys):
    words = (folder, "--quick", "--only", "noise", "--strategies", "random", "--out", folder / "out")
    assert "noise: error and flops, batches of 20, 3 seeds" in told(monkeypatch, capsys, *words)


def test_a_continuous_search_tries_as_many(folder, monkeypatch, capsys):
    words = (folder, "--quick", "--only", "continuous with 8 lanes", "--strategies", "random", "--out", folder / "out")
    assert "error and flops, continuous on 8 lanes, 3 seeds" in told(monkeypatch, capsys, *words)
    lines = (folder / "out/continuous_with_8_lanes.jsonl").read_text().splitlines()
    assert [len(set(json.loads(line)["rows"])) for line in lines] == [100] * 3


def test_every_ablation_leaves_something_of_pareto_out():
    whole = get_strategy("pareto").options
    left_out = [get_strategy("pareto", options).options for options in bench.ABLATION.values()]
    assert left_out[0] == whole
    assert whole not in left_out[1:]


def test_the_whole_table_reaches_all_of_the_hypervolume(folder):
    table = Table.load(folder, "params")
    assert table.share(range(len(table.cost))) == pytest.approx(100)
    assert table.share([0]) < 50


def test_the_suite_prints_a_table_a_problem_and_resumes(folder, monkeypatch, capsys):
    out = folder / "suite.jsonl"
    words = [folder, "--suite", "--seeds", 2, "--trials", 40, "--out", out]
    words += ["--cases", "OSY,Hartmann 6,NAS-Bench-Macro", "--searchers", "random,nsga2"]
    monkeypatch.setattr("sys.argv", ["search", *map(str, words)])
    suite.main()
    first = capsys.readouterr().out
    assert "**OSY**, %, tuned on" in first
    assert "**Hartmann 6**, regret, tuned on" in first
    assert "**NAS-Bench-Macro**, %, tuned on" in first
    assert first.count("| random |") + first.count("| nsga2 |") == 6
    before = out.read_text()
    suite.main()
    assert capsys.readouterr().out == first
    assert out.read_text() == before
