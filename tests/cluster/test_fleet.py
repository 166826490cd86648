"""A fleet on a real cluster: a lane's pod or Job is lost, and every mini-batch comes to one result, in one table."""

from collections import defaultdict

import pytest

from tests.fleets import fleet_from, table
from windtunnel.engine.fleet import FleetEngine
from windtunnel.fleet.records import batch_name, recorded
from windtunnel.launchers.kubernetes.manifest import job_name
from windtunnel.ledger import Ledger
from windtunnel.stores import open_store

ENTRY = """
import os, time
from pathlib import Path

def run(mini_batch):
    (path,) = mini_batch
    tenant = Path(path).stem
    with (Path(os.environ["TRACE"]) / tenant).open("a") as file:
        file.write(f"{time.time()} {os.environ['CUDA_VISIBLE_DEVICES']}\\n")
    time.sleep(1)
    return [{"size": len(Path(path).read_text())}]
"""
TENANTS = range(12)


@pytest.mark.parametrize("what", ["pod", "job"])
def test_a_fleet_loses_a_lane_and_no_mini_batch(cluster, tmp_path, what):
    trace = tmp_path / "trace"
    trace.mkdir()
    fleet = fleet_from(
        tmp_path,
        code=ENTRY,
        raw="tenant,x\n" + "".join(f"{tenant},1\n" for tenant in TENANTS),
        split={"keys": ["tenant"]},
        environment_variables={"TRACE": str(trace), "CUDA_VISIBLE_DEVICES": "a,b"},
        launcher="kubernetes",
        pod_template=cluster.template(),
        resources={"gpus": 0},
        limits={"parallel": 2, "slots": 2},
    )
    ledger = Ledger(open_store(str(tmp_path / "runs")), fleet.name, "run")
    lost = []

    def lose(progress):
        pods = cluster.pods(ledger, "lane-1-0") if progress.accounts.batches_done >= 2 and not lost else []
        if pods and what == "pod":
            lost.append(pods[0]["metadata"]["name"])
            cluster.core.delete_namespaced_pod(lost[0], cluster.namespace, grace_period_seconds=0)
        elif pods:
            lost.append(job_name(ledger, "lane-1-0"))
            options = {"propagationPolicy": "Background"}
            cluster.batch.delete_namespaced_job(lost[0], cluster.namespace, body=options)

    published = FleetEngine(fleet, ledger, look=lose).perform()
    assert lost and published["accounts"]["batches_failed"] == 0
    assert [row["tenant"] for row in table(ledger)] == [str(tenant) for tenant in TENANTS]
    results = recorded(ledger)
    begun = {tenant: [line.split() for line in (trace / str(tenant)).read_text().splitlines()] for tenant in TENANTS}
    places = {row["batch"]: (row["lane"], row["slot"]) for row in table(ledger, "gathered/batches.csv")}
    gpus = defaultdict(set)
    for number, tenant in enumerate(TENANTS):
        assert all(float(moment) < results[batch_name(number)] for moment, _ in begun[tenant])
        gpus[places[batch_name(number)]].add(begun[tenant][-1][1])
    assert all(len(seen) == 1 for seen in gpus.values()), gpus  # each process has its own
    for lane in {lane for lane, _ in gpus}:
        slots = [seen for (other, _), seen in gpus.items() if other == lane]
        assert len({gpu for seen in slots for gpu in seen}) == len(slots)
    assert not any(job["status"].get("active") for job in cluster.jobs())
