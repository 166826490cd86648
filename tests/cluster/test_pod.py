"""The shipped pod template with its security context, and a workload that only this machine has: real pods train it.

The pods run $WINDTUNNEL_TEST_TRAINER_IMAGE, an image that the cluster's nodes hold, as `make trainer-image` builds it.
Without it they run a bare Debian, and see this machine's Python and its packages, read-only and nothing else of it.
"""

import json
import os
import sys
import sysconfig
from contextlib import contextmanager
from functools import partial

import yaml

from tests.cluster.cluster import IMAGE, ROOT
from tests.cluster.searches import searches_on
from tests.definitions import definition_from
from windtunnel.launchers import get_launcher
from windtunnel.launchers.lanes import lanes_for, launch
from windtunnel.launchers.monitor import StageMonitor, wait
from windtunnel.ledger import Ledger, State
from windtunnel.ledger.queue import open_queue
from windtunnel.stages import begin, prepare_job, suggest

TRAINER_IMAGE = os.environ.get("WINDTUNNEL_TEST_TRAINER_IMAGE")
WORKLOAD = """
import os
from pathlib import Path

TORCH = False

def prepare(data):
    data.save("train", x=[1.0])

def train(trial):
    facts = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    print("here:", __file__)
    trial.report(
        score=float(trial.params["n"]),
        user=os.getuid(),
        capabilities=int(facts["CapEff"], 16) + int(facts["CapBnd"], 16),
        no_new_privileges=int(facts["NoNewPrivs"]),
        read_only=os.statvfs("/").f_flag & os.ST_RDONLY,
        home_is_writable=os.access(Path.home(), os.W_OK),
        has_token=Path("/var/run/secrets/kubernetes.io/serviceaccount").exists(),
    )

def verify(model):
    pass
"""


def shipped_template():
    """`include/pod_template.yaml`, its image and its size aside."""
    template = yaml.safe_load((ROOT / "include" / "pod_template.yaml").read_text())
    (container,) = template["spec"]["containers"]
    container |= {"image": TRAINER_IMAGE or IMAGE, "imagePullPolicy": "Never"}
    container["resources"] = {"requests": {"cpu": "100m"}, "limits": {"nvidia.com/gpu": "1", "memory": "1Gi"}}
    if TRAINER_IMAGE is None:
        container["command"] = ["/opt/python/bin/python3", "-P", "-m", "windtunnel_trainer"]
        container["env"] += _environment()
        for name, (folder, place) in _mounts().items():
            container["volumeMounts"].append({"name": name, "mountPath": place, "readOnly": True})
            template["spec"]["volumes"].append({"name": name, "hostPath": {"path": str(folder)}})
    return template


def _mounts():
    return {
        "python": (sys.base_prefix, "/opt/python"),
        "packages": (sysconfig.get_path("purelib"), "/opt/packages"),
        "windtunnel": (ROOT / "include" / "windtunnel", "/opt/code/windtunnel"),
        "windtunnel-trainer": (ROOT / "trainer" / "windtunnel_trainer", "/opt/code/windtunnel_trainer"),
    }


def _environment():
    yield {"name": "PYTHONPATH", "value": "/opt/code:/opt/packages"}
    yield {"name": "LD_LIBRARY_PATH", "value": "/opt/python/lib"}
    yield {"name": "PYTHONDONTWRITEBYTECODE", "value": "1"}


@contextmanager
def only_here(folder, monkeypatch):
    """A module that this process can import, and no pod."""
    folder.mkdir()
    (folder / "team_pods.py").write_text(WORKLOAD)
    monkeypatch.syspath_prepend(str(folder))
    yield "team_pods"
    sys.modules.pop("team_pods", None)


def done(ledger, stage, jobs):
    launcher = get_launcher("kubernetes")
    start = partial(launch, ledger, launcher, say=print)
    start(jobs)
    wait(StageMonitor(ledger, launcher, stage).poll, start, 0.5)


def test_a_workload_of_ones_own_trains_in_pods_without_rights(cluster, tmp_path, monkeypatch):
    with searches_on(cluster, tmp_path) as searches, only_here(tmp_path / "modules", monkeypatch) as workload:
        monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", searches.connection)
        fields = {
            "name": "own",
            "workload": workload,
            "space": {"n": {"type": "int", "low": 1, "high": 9}},
            "objectives": {"score": "maximize"},
            "launcher": "kubernetes",
            "pod_template": shipped_template(),
            "resources": {"gpus": 1},
            "trials": {"initial": 2},
            "limits": {"parallel": 2, "pending": 300},
        }
        ledger = Ledger.open(f"azure://ledgers/{tmp_path.name}/own/run")
        search = begin(definition_from(fields), ledger, "session")
        ledger = search.ledger
        done(ledger, "prepare", [prepare_job(search)])
        assert ledger.result("prepare").state is State.COMPLETED, ledger.result("prepare").message
        plan = suggest(search, 1)
        open_queue(ledger, plan.stage)
        done(ledger, "1", lanes_for(ledger, search.definition, plan))
        template = cluster.jobs()[0]["spec"]["template"]["spec"]
        get_launcher("kubernetes").cancel(ledger)

        for request in plan.requests:
            result = ledger.result(request.trial)
            assert result.state is State.COMPLETED, result.message
            log = ledger.store.get(ledger.trial_path(request.trial, "log.txt")).decode()
            assert "windtunnel-code-" in log  # the folder that the ledger's archive was unpacked into
            print(json.dumps(result.metrics), log.strip())
            assert result.metrics == {
                "score": float(request.params["n"]),
                "user": 1000.0,
                "capabilities": 0.0,
                "no_new_privileges": 1.0,
                "read_only": 1.0,
                "home_is_writable": 1.0,
                "has_token": 0.0,
            }
        assert template["securityContext"]["runAsNonRoot"] is True
        assert template["containers"][0]["securityContext"]["capabilities"] == {"drop": ["ALL"]}
