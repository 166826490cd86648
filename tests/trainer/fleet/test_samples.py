"""Resource samples: a row for each process, with the GPU that it alone has."""

import os

import pytest

from tests.fleets import fleet_from, prepared
from windtunnel.fleet.beginning import lanes
from windtunnel_trainer.fleet.samples import Samples

SMI = """#!/bin/sh
echo "0, GPU-a, 11, 100"
echo "1, GPU-b, 22, 200"
echo "2, GPU-c, 33, 300"
"""


@pytest.mark.parametrize("visible", ["0,1,2", "GPU-a,GPU-b,GPU-c"])
def test_each_process_is_measured_with_the_gpu_that_it_sees(tmp_path, monkeypatch, visible):
    (tmp_path / "nvidia-smi").write_text(SMI)
    (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    fleet = fleet_from(tmp_path / "toy", limits={"parallel": 2, "slots": 2})
    ledger, _, plan = prepared(tmp_path, fleet)
    job = lanes(ledger, fleet, plan)[1].model_copy(update={"slots": 2})
    samples = Samples(ledger, fleet, job, 1)
    samples.take([(0, os.getpid()), (1, os.getpid())])
    samples.write()
    head, *rows = ledger.store.get(ledger.path(f"samples/{job.job}.1.csv")).decode().splitlines()
    assert head == "moment,lane,slot,process,cpu_percent,memory_bytes,gpu_percent,gpu_memory_bytes"
    found = [row.split(",") for row in rows]
    assert [(row[1], row[2], row[6], row[7]) for row in found] == [
        (job.job, "0", "33", str(300 * 2**20)),
        (job.job, "1", "11", str(100 * 2**20)),  # the fourth process shares the first GPU
    ]
    assert all(int(row[5]) > 1_000_000 for row in found)
