"""What launching by pods costs: many jobs of one short trial each, on a cluster whose GPUs may be pretended.

    make bench-kubernetes ARGS="--trials 200 --seconds 8"

A whole DAG runs in this process by `dag.test()`: Airflow's CPU time is this process's, and the requests to the API
server are counted where they are sent. The ledger is a folder that this machine and the pods share. Printed is the time
from the first launch to the last result, beside the least that the trials' own time takes on that many GPUs and what
the same cluster needs for as many pods of that length without Windtunnel: such that only sleep, and such that start
Python and import what the trainer does before they sleep.
"""

import argparse
import json
import os
import resource
import sys
import tempfile
import time
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.cluster.cluster import Cluster, kubeconfig
from windtunnel_airflow.environment import airflow_environment

DAG_FILE = """\
from windtunnel_airflow import load_searches  # airflow dag
load_searches("../searches", globals())
"""


def measure(trials: int, seconds: float, cluster: Cluster, folder: Path) -> None:
    """Run one iteration of so many trials, and print what it took."""
    template = cluster.template()
    template["spec"]["containers"][0]["resources"] = {"limits": {"nvidia.com/gpu": "1"}, "requests": {"cpu": "200m"}}
    definition = {
        "workload": "benchmarks.workloads.sleep",
        "settings": {"seconds": seconds},
        "space": {"n": {"type": "int", "low": 1, "high": 10 * trials}},
        "objectives": {"score": "maximize"},
        "strategy": {"name": "random"},
        "launcher": "kubernetes",
        "pod_template": template,
        "iterations": 1,
        "trials": {"initial": trials},
        "finalists": {"max": 1},
    }
    for name in ("dags", "searches"):
        (folder / name).mkdir()
    (folder / "searches" / "bench.yaml").write_text(json.dumps(definition))
    (folder / "dags" / "searches.py").write_text(DAG_FILE)
    os.environ |= airflow_environment(folder, folder / "dags", store=folder / "runs")
    connection = {"conn_type": "kubernetes", "extra": {"kube_config_path": str(cluster.kubeconfig)}}
    os.environ |= {
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
        "AIRFLOW_CONN_KUBERNETES_DEFAULT": json.dumps(connection),
    }

    from airflow.dag_processing.dagbag import DagBag
    from airflow.utils.db import initdb

    from windtunnel.launchers.kubernetes.client import Client
    from windtunnel.ledger import Ledger, State
    from windtunnel.stores import open_store

    requests: Counter[str] = Counter()
    send = Client._send

    def counted(self: Any, function: Any, **options: Any) -> bytes:
        requests[function.__name__] += 1
        return send(self, function, **options)

    Client._send = counted  # type: ignore[method-assign]
    initdb()
    dag = DagBag(folder / "dags").dags["bench"]
    before, began = resource.getrusage(resource.RUSAGE_SELF), time.monotonic()
    run = dag.test()
    wall, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_SELF)
    ledger = Ledger(open_store(str(folder / "runs")), "bench", run.run_id)
    trial_ids = {request.trial for request in ledger.plan("1").requests}
    results = [ledger.result(trial) for trial in trial_ids]
    assert all(
        one.state is State.COMPLETED for one in results
    )  # the run itself publishes nothing, for nothing is verified
    launched = [datetime.fromisoformat(ledger.launches(job.job)[0].launched) for job in ledger.plan("1").jobs]
    took = (max(datetime.fromisoformat(one.ended) for one in results) - min(launched)).total_seconds()
    gpus = sum(int(node.status.allocatable.get("nvidia.com/gpu", 0)) for node in cluster.core.list_node().items)
    own = sum(one.seconds for one in results)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    jobs = len(ledger.plan("1").jobs) + 3  # with the preparation, one finalist and its verification
    print(f"{trials} jobs of one trial, {gpus} GPUs, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print(f"from the first launch to the last result: {took:.0f} s")
    print(f"trials' own times over the GPUs:          {own / gpus:.0f} s ({own / len(results):.1f} s a trial)")
    print(f"launching all of them:                    {(max(launched) - min(launched)).total_seconds():.0f} s")
    print(f"the whole DAG run:                        {wall:.0f} s, of which Airflow's CPU {cpu:.1f} s")
    print(f"requests to the API server:               {requests.total()}, {requests.total() / jobs:.1f} a job")
    for name, count in requests.most_common():
        print(f"  {count:>6} {name}")
    starts = f"import time; from windtunnel_trainer import job, units; time.sleep({seconds})"
    for what, command in (
        ("that sleep as long as a trial takes", ["sleep", f"{own / len(results):.1f}"]),
        ("that start the trainer's Python and sleep", [sys.executable, "-P", "-c", starts]),
    ):
        load = os.getloadavg()[0]
        print(f"{trials} pods {what}: {bare(cluster, template, command, trials):.0f} s (load {load:.1f})", flush=True)


def bare(cluster: Cluster, template: dict[str, Any], command: list[str], trials: int) -> float:
    """Seconds that so many Jobs with this command take, from the first request to the end of the last pod."""
    spec = json.loads(json.dumps(template["spec"])) | {"restartPolicy": "Never"}
    spec["containers"][0]["command"] = command
    began = time.time()
    for _ in range(trials):
        job = {"metadata": {"generateName": "bare-"}, "spec": {"template": {"spec": spec}, "completions": 1}}
        cluster.batch.create_namespaced_job(cluster.namespace, job)
    while sum(job["status"].get("succeeded", 0) for job in cluster.jobs()) < trials:
        time.sleep(2)
    pods = json.loads(cluster.core.list_namespaced_pod(cluster.namespace, _preload_content=False).data)["items"]
    ends = [pod["status"]["containerStatuses"][0]["state"]["terminated"]["finishedAt"] for pod in pods]
    cluster.batch.delete_collection_namespaced_job(cluster.namespace, propagation_policy="Foreground")
    cluster.until(lambda: not cluster.jobs(), 300, "the bare jobs do not go")
    return max(map(datetime.fromisoformat, ends)).timestamp() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=8.0)
    arguments = parser.parse_args()
    admin = kubeconfig()
    if admin is None:
        raise SystemExit("no cluster: set KUBECONFIG, or WINDTUNNEL_CLUSTER to a tool whose `cluster up` starts one")
    with tempfile.TemporaryDirectory(prefix="windtunnel-airflow-") as name, Cluster(admin) as cluster:
        measure(arguments.trials, arguments.seconds, cluster, Path(name))


if __name__ == "__main__":
    main()
