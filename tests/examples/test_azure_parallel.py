"""Azure's parallel job as its user has it: the sample's data, an entry script with pandas, and what `mltable` reads.

$WINDTUNNEL_TENANTS names a folder with the sample's `raw_data.csv` and, in `expected`, each tenant's file; without it
the data is made up.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fleets import fleet_from, prepared, table
from windtunnel.engine.fleet import FleetEngine
from windtunnel.fleet.partitions import FOLDER
from windtunnel.ledger import Ledger
from windtunnel.report import write_report
from windtunnel.stores import open_store

SPLIT = {"keys": ["tenant_id"], "name": "tenant_{tenant_id}.csv"}
TENANTS = range(1, 13)
ENTRY = """
import argparse, os
import pandas as pd
from azureml_user.parallel_run import EntryScript

def init():
    global args, logger
    parser = argparse.ArgumentParser()
    parser.add_argument("--param_1")
    parser.add_argument("--predictions_data_folder")
    args, _ = parser.parse_known_args()
    logger = EntryScript().logger
    logger.info("%s and %s", args.param_1, os.environ["env_var_1"])

def run(mini_batch):
    done = []
    for path in mini_batch:
        rows = pd.read_csv(path)
        rows.to_csv(os.path.join(args.predictions_data_folder, os.path.basename(path)), index=False)
        done.append(f"{os.path.basename(path)} processed")
    return done
"""
FRAMES = """
def run(mini_batch):
    return mini_batch.assign(double=2 * mini_batch["metric"])
"""
LOAD = """
import sys
import mltable
for folder in sys.argv[1:]:
    print(len(mltable.load(folder).to_pandas_dataframe()))
"""


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    """The data as text, and what each tenant's file must hold, by its name."""
    given = os.environ.get("WINDTUNNEL_TENANTS")
    if given:
        folder = Path(given)
        return (folder / "raw_data.csv").read_text(), {
            file.name: file.read_text() for file in folder.glob("expected/*")
        }
    head = "tenant_id,feature,metric\n"
    rows = {n: "".join(f"{n},{chr(64 + n)}{k},{n + k / 10}\n" for k in range(3)) for n in TENANTS}
    raw = head + "".join(rows.values())
    return raw.rstrip("\n"), {f"tenant_{n}.csv": head + rows[n] for n in TENANTS}


def test_the_data_is_split_into_a_file_for_each_tenant_with_an_mltable_beside_them(tmp_path, sample):
    raw, expected = sample
    ledger, partitions, _ = prepared(tmp_path, fleet_from(tmp_path / "toy", raw=raw, split=SPLIT))
    assert {one.name: ledger.store.get(ledger.path(one.path)).decode() for one in partitions} == expected
    assert partitions.keys_of(partitions[0]) == {"tenant_id": "1"}
    assert all(f"./{name}".encode() in ledger.store.get(ledger.path(f"{FOLDER}/MLTable")) for name in expected)


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    """A Python with `mltable`, and a folder with pandas alone; skips where they cannot be installed."""
    folder = tmp_path_factory.mktemp("packages")
    python, pandas = folder / "azure" / "bin" / "python", folder / "pandas"
    commands = (
        [sys.executable, "-m", "venv", str(folder / "azure")],
        [str(python), "-m", "pip", "install", "-q", "mltable", "pandas"],
        [
            str(python),
            "-m",
            "pip",
            "install",
            "-q",
            "--no-deps",
            "--target",
            str(pandas),
            "pandas",
            "python-dateutil",
            "six",
        ],
    )
    for command in commands:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"{command[-1]} cannot be installed here: {done.stderr[-500:]}")
    return python, pandas


def perform(folder, sample, **fields):
    fleet = fleet_from(folder / "toy", raw=sample[0], split=SPLIT, **fields)
    ledger = Ledger(open_store(str(folder / "runs")), "toy", "run")
    return ledger, FleetEngine(fleet, ledger).perform()


@pytest.mark.long
def test_an_entry_script_with_pandas_runs_and_mltable_reads_all_that_is_left(tmp_path, monkeypatch, sample, packages):
    python, pandas = packages
    monkeypatch.syspath_prepend(str(pandas))
    place = tmp_path / "datalake" / "predictions"
    ledger, _ = perform(
        tmp_path,
        sample,
        code=ENTRY,
        program_arguments='--param_1 "a value" --predictions_data_folder ${{outputs.predictions_data_folder}}',
        environment_variables={"env_var_1": "another"},
        gather={"append_row_to": "training_log.txt", "outputs": {"predictions_data_folder": str(place)}},
        limits={"parallel": 2, "slots": 2},
    )
    assert {file.name: file.read_text() for file in place.glob("*.csv")} == sample[1]
    rows = table(ledger, "gathered/training_log.txt")
    assert [(row["tenant_id"], row["value"]) for row in rows] == [
        (str(n), f"tenant_{n}.csv processed") for n in TENANTS
    ]
    write_report(ledger)  # once the lanes have ended, the one log is whole
    assert b"INFO a value and another" in ledger.store.get(ledger.path("gathered/log.txt"))
    folders = [f"{ledger.url}/{FOLDER}", f"{ledger.url}/gathered", str(place)]
    loaded = subprocess.run([str(python), "-c", LOAD, *folders], capture_output=True, text=True, check=False)
    assert loaded.stdout.split() == ["36", "12", "36"], loaded.stderr


@pytest.mark.long
def test_run_gets_a_frame_and_may_return_one(tmp_path, monkeypatch, sample, packages):
    monkeypatch.syspath_prepend(str(packages[1]))
    ledger, published = perform(tmp_path, sample, code=FRAMES, mini_batch_type="frame", mini_batch_size=5)
    assert [published["accounts"][name] for name in ("items", "items_failed", "batches")] == [36, 0, 3]
    rows = table(ledger)
    assert [row["tenant_id"] for row in rows] == [str(n) for n in TENANTS for _ in range(3)]
    assert all(float(row["double"]) == pytest.approx(2 * float(row["metric"])) for row in rows)
