"""Whoever can write a run's ledger or its spool cannot choose what runs: neither code, nor pods, nor launcher.

The attacker writes the store's files, as a trial's code can; the launcher, the cluster, the service and the job are the
real ones.
"""

import hashlib
import importlib
import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.definitions import definition_from
from tests.fake_cluster import FakeCluster
from tests.runs import wait_until
from windtunnel.errors import LaunchError, LedgerError
from windtunnel.launchers import get_launcher
from windtunnel.launchers.spool import SPOOL_VARIABLE, Spool
from windtunnel.ledger import Job, Ledger, State
from windtunnel.ledger.queue import open_queue
from windtunnel.ledger.stage import StageKind
from windtunnel.stages import begin, prepare_job, suggest
from windtunnel_trainer.serve import Service

WORKLOAD = """
from pathlib import Path

TORCH = False

def prepare(data):
    data.save("train", x=[1.0])

def train(trial):
    with Path({trace!r}).open("a") as trace:
        trace.write(f"{{trial.params['n']}}\\n")
    trial.restore()
    trial.report(score=1.0)

def verify(model):
    pass
"""
EVIL = """
from pathlib import Path

TORCH = False
Path({marker!r}).touch()

def prepare(data):
    data.save("train", x=[1.0])

train = verify = prepare
"""
EVIL_POD = {
    "spec": {
        "hostPID": True,
        "volumes": [{"name": "host", "hostPath": {"path": "/"}}],
        "containers": [{"name": "trainer", "image": "evil", "securityContext": {"privileged": True}}],
    }
}
PATIENCE = 120


class Victim:
    """A run that has begun, and who may write its store."""

    def __init__(self, folder: Path, launcher: str, **fields) -> None:
        self.marker, self.trace = folder / "evil-ran", folder / "trace"
        module = folder / "modules" / "own_workload.py"
        module.parent.mkdir()
        module.write_text(WORKLOAD.format(trace=str(self.trace)))
        importlib.invalidate_caches()
        given = {
            "name": "own",
            "workload": "own_workload",
            "space": {"n": {"type": "int", "low": 1, "high": 9}},
            "objectives": {"score": "maximize"},
            "launcher": launcher,
            "strategy": {"name": "random"},
            "trials": {"initial": 1},
            "limits": {"parallel": 1, "trial_retries": 0, "linger": 1},
        }
        ledger = Ledger.open(f"{folder}/store/own/run")
        self.launcher = get_launcher(launcher)
        self.search = begin(definition_from(given | fields), ledger, "session")
        self.folder = folder / "store" / "own" / "run"

    @property
    def ledger(self) -> Ledger:
        """The run as a task opens it: with what Airflow has told it of what to run, and nothing that was read."""
        told = self.search.ledger
        return told.with_spec(told.digest) if hasattr(told, "with_spec") else Ledger.open(told.url)

    def job(self):
        return prepare_job(self.search)

    def trial(self) -> str:
        """A trial that is planned, its data prepared."""
        self.search.ledger.write_json("data/manifest.json", {"digest": "d", "files": {}, "splits": {}})
        plan = suggest(self.search, 1)
        open_queue(self.search.ledger, plan.stage)
        return plan.requests[0].trial

    def train(self) -> str:
        """Launch a lane, wait until it has ended, and return its log."""
        return self.run(Job.of_lane(1, 0).job)

    def run(self, job: str) -> str:
        """Launch a job, wait until it has ended, and return its log."""
        self.launcher.launch(self.ledger, self.ledger.job(job))
        wait_until(lambda: not self.launcher.live(self.ledger), PATIENCE)
        return self.log(job)

    def log(self, job: str) -> str:
        return (self.folder / "jobs" / f"{job}.log").read_text()

    def rewrite(self, name: str, **changes) -> None:
        """Change fields of a JSON file of the ledger, as an attacker does: by writing it."""
        file = self.folder / name
        file.write_text(json.dumps(json.loads(file.read_text()) | changes))

    def redefine(self, *files: str, **changes) -> None:
        """Change the definition wherever the ledger has it, or in these files only."""
        for pattern in files or ("search.json", "sessions/*.json", "specs/*.json"):
            for file in self.folder.glob(pattern):
                record = json.loads(file.read_text())
                record["definition"] |= changes
                file.write_text(json.dumps(record))

    def plant(self, *files: str) -> None:
        """Put code of the attacker's into the ledger, and let its records name it as the workload."""
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("evil_workload.py", EVIL.format(marker=str(self.marker)))
        digest = hashlib.sha256(buffer.getvalue()).hexdigest()
        (self.folder / "code" / f"{digest}.zip").write_bytes(buffer.getvalue())
        self.redefine(*files, workload="evil_workload")
        for pattern in files or ("search.json", "specs/*.json"):
            for file in self.folder.glob(pattern):
                record = json.loads(file.read_text())
                file.write_text(json.dumps(record | {"archive": digest, "code": "evil"}))


@pytest.fixture
def victim(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path / "modules"))
    made = []

    def make(launcher="local", **fields):
        made.append(Victim(tmp_path, launcher, **fields))
        return made[-1]

    yield make
    for one in made:
        get_launcher("local").cancel(one.search.ledger)
        sys.modules.pop("own_workload", None)


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    with FakeCluster(tmp_path / "cluster") as found:
        found.script = [{"phase": "Pending"}] * 9  # its pods are no processes
        monkeypatch.setenv("KUBECONFIG", found.kubeconfig())
        yield found


def sent(cluster) -> str:
    return json.dumps(list(cluster.jobs.values()))


def test_code_that_is_put_into_the_ledger_is_not_run(victim):
    victim = victim()
    victim.job()
    victim.plant("search.json", "sessions/*.json")
    victim.run("prepare")
    assert not victim.marker.exists()
    assert victim.ledger.result("prepare").state is State.COMPLETED  # by the code that it began with


def test_a_job_whose_definition_was_changed_everywhere_runs_nothing_and_says_why(victim):
    victim = victim()
    job, url, digest = victim.job(), victim.ledger.url, victim.ledger.digest
    victim.plant()
    with pytest.raises(LedgerError, match="is not what begin wrote there: somebody changed it"):
        victim.launcher.launch(victim.ledger, job)
    trainer = [sys.executable, "-m", "windtunnel_trainer", url, job.job, "--digest", digest]  # launched just before
    done = subprocess.run(trainer, capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert done.returncode == 1
    assert "is not what begin wrote there: somebody changed it" in done.stderr
    assert not victim.marker.exists()
    assert victim.ledger.result("prepare") is None


def test_an_archive_that_was_changed_is_not_unpacked(victim, tmp_path):
    victim = victim()
    victim.job()
    (archive,) = (victim.folder / "code").glob("*.zip")
    with zipfile.ZipFile(archive, "w") as changed:
        changed.writestr("own_workload.py", EVIL.format(marker=str(victim.marker)))
    (tmp_path / "modules" / "own_workload.py").write_text("raise AssertionError('another version')")
    victim.run("prepare")
    assert not victim.marker.exists()
    assert "is not the source of own_workload that was uploaded" in victim.ledger.result("prepare").message


@pytest.mark.parametrize("files", [("search.json", "sessions/*.json"), ()], ids=["records", "everything"])
def test_a_pod_is_made_by_airflows_template_or_not_at_all(victim, cluster, files):
    victim = victim("kubernetes", pod_template=cluster.template())
    job = victim.job()
    victim.redefine(*files, pod_template=EVIL_POD, workload="evil_workload")
    victim.redefine(*files, resources={"priority": "system-node-critical", "namespace": "kube-system"})
    if files:
        victim.launcher.launch(victim.ledger, job)
        assert len(cluster.jobs) == 1
    else:
        with pytest.raises(LedgerError, match="is not what begin wrote there"):
            victim.launcher.launch(victim.ledger, job)
    for evil in ("hostPath", "privileged", "hostPID", '"evil"', "system-node-critical", "evil_workload"):
        assert evil not in sent(cluster)


def test_pods_are_looked_for_and_cancelled_where_airflow_has_put_them(victim, cluster):
    victim = victim("kubernetes", pod_template=cluster.template())
    victim.launcher.launch(victim.ledger, victim.job())
    victim.redefine("search.json", "sessions/*.json", resources={"namespace": "kube-system"})
    launcher = get_launcher("kubernetes")
    assert launcher.live(victim.ledger) == {"prepare"}
    launcher.cancel(victim.ledger)
    assert cluster.jobs == {}


FORGED = [
    ({"params": {"n": 5000}}, "params.n: found 5000"),
    ({"params": {"n": 1, "command": "rm"}}, "params.command"),
    ({"params": {}}, "params"),
    ({"epochs": 1e9}, "epochs: found 1e+09; allowed: above 0 and at most 10"),
    ({"epochs": -1.0}, "epochs: found -1"),
    ({"epochs": float("nan")}, "epochs"),
    ({"continue_from": "0123456789abcdef-e1"}, "continue_from: found '0123456789abcdef-e1'"),
    ({"continue_from": "../../../elsewhere/run/trials/x"}, "continue_from"),
    ({"source": "/etc/other/run"}, "source: found '/etc/other/run'; allowed: none"),
    ({"source": "azure://theirs/other/run"}, "source: found 'azure://theirs/other/run'"),
    ({"trial": "another"}, "says that it is 'another': somebody changed it"),
    ({"config": "../x"}, "config"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("changes", "said"), FORGED, ids=[said.partition(" ")[0] for _, said in FORGED])
def test_a_request_that_is_not_of_the_search_is_refused(victim, changes, said):
    victim = victim()
    trial = victim.trial()
    victim.rewrite(f"trials/{trial}/request.json", **changes)
    victim.train()
    assert not victim.trace.exists()
    result = victim.ledger.result(trial)
    assert (result.state, result.kind) == (State.FAILED, "refused")
    assert said in result.message


def test_a_request_of_the_search_is_trained(victim):
    victim = victim()
    trial = victim.trial()
    victim.train()
    assert victim.trace.read_text() == f"{victim.ledger.request(trial).params['n']}\n"


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("jobs/prepare.json", {"job": "1-7"}),
        ("jobs/prepare.json", {"units": ["../../../../elsewhere"]}),
        ("jobs/prepare.json", {"units": ["--cancel-file=/etc/passwd"]}),
        ("jobs/prepare.json", {"stage": "1/../../x"}),
        ("jobs/prepare.json", {"slots": -1}),
        ("iterations/1/plan.json", {"stage": "2"}),
        ("iterations/1/plan.json", {"jobs": [{"job": "../x", "kind": "train", "stage": "1", "units": []}]}),
        ("iterations/1/plan.json", {"requests": "none"}),
    ],
)
def test_a_record_with_names_that_are_none_is_refused_by_name(victim, name, changes):
    victim = victim()
    victim.job()
    victim.trial()
    victim.rewrite(name, **changes)
    with pytest.raises(LedgerError, match=r"plan|prepare|says that it is"):
        victim.ledger.job("prepare") if name.startswith("jobs") else victim.ledger.plan("1")


@pytest.mark.parametrize("kind", ["shell", "train"])
def test_what_a_forged_job_says_that_its_units_are_changes_nothing(victim, kind):
    victim = victim()
    victim.job()
    before = victim.ledger.job("prepare")
    victim.rewrite("jobs/prepare.json", kind=kind)
    assert victim.ledger.job("prepare") == before
    assert before.kind is StageKind.PREPARE, "as the stage says"


def test_parameters_that_a_forged_plan_has_are_not_trained_on(victim):
    victim = victim()
    victim.trial()
    with pytest.raises(LedgerError, match="no parameters of the search's space"):
        victim.search.request({"n": 5000}, 1.0, "2")


@pytest.fixture
def spool(tmp_path, monkeypatch):
    monkeypatch.setenv(SPOOL_VARIABLE, str(tmp_path / "spool"))
    return Spool.given()


def serve_once(spool, victim) -> str:
    """Let the service take what is there; what the jobs have written."""
    service = Service(spool)
    for ticket in spool.tickets():
        service._take(ticket)
    wait_until(lambda: not victim.launcher.live(victim.ledger), PATIENCE)
    return "".join(file.read_text() for file in spool.folder.glob("runs/*/*.log"))


def test_the_service_runs_what_the_ticket_tells_and_nothing_that_took_its_place(victim, spool):
    victim = victim()
    victim.launcher.launch(victim.ledger, victim.job())
    victim.plant()
    said = serve_once(spool, victim)
    assert not victim.marker.exists()
    assert "is not what begin wrote there" in said


@pytest.mark.parametrize("digest", ["0" * 64, "../../specs/evil", ""])
def test_a_ticket_whose_digest_is_none_of_the_ledger_runs_nothing(victim, spool, digest):
    victim = victim()
    victim.launcher.launch(victim.ledger, victim.job())
    victim.plant("search.json", "sessions/*.json")
    (ticket,) = (spool.folder / "tickets").glob("*.json")
    ticket.write_text(json.dumps(json.loads(ticket.read_text()) | {"digest": digest}))
    serve_once(spool, victim)
    assert not victim.marker.exists()
    assert victim.ledger.result("prepare") is None


@pytest.mark.parametrize(
    "changes", [{"job": "../../../x"}, {"job": "--help"}, {"job": 3}, {"ledger": "/another/own/run"}, {"expires": "x"}]
)
def test_a_ticket_that_is_none_is_passed_over(victim, spool, changes, tmp_path):
    victim = victim()
    victim.launcher.launch(victim.ledger, victim.job())
    (ticket,) = (spool.folder / "tickets").glob("*.json")
    ticket.write_text(json.dumps(json.loads(ticket.read_text()) | changes))
    serve_once(spool, victim)
    assert not list(spool.folder.glob("runs/*/*.log"))
    assert not list(tmp_path.glob("x*"))


def test_the_launcher_of_a_record_is_not_asked(victim, cluster):
    victim = victim()
    victim.job()
    victim.redefine("search.json", "sessions/*.json", launcher="kubernetes", pod_template=EVIL_POD)
    victim.run("prepare")
    assert cluster.jobs == {}


def test_resuming_makes_the_specification_anew(victim):
    victim = victim()
    honest = victim.search.definition
    victim.plant()
    victim.redefine(launcher="kubernetes", pod_template=EVIL_POD)
    with pytest.raises(LedgerError, match="began with another workload"):  # that a record differs can be seen
        begin(honest, Ledger.open(victim.search.ledger.url), "second")
    victim.redefine(workload="own_workload")
    victim.rewrite("search.json", code=victim.search.code)
    again = begin(honest, Ledger.open(victim.search.ledger.url), "second")
    assert again.definition == honest
    assert not victim.marker.exists()


def test_absurd_numbers_of_a_record_are_not_taken_over(victim):
    victim = victim()
    limits = victim.search.definition.limits
    victim.redefine(limits=limits.model_dump() | {"threads": 10**6, "parallel": 10**6})
    with pytest.raises(LedgerError, match=r"limits\.parallel: Input should be less than or equal to 100000"):
        begin(victim.search.definition, Ledger.open(victim.search.ledger.url), "second")
    victim.redefine(limits=limits.model_dump() | {"threads": 10**5, "parallel": 10**5})  # the most that is allowed
    again = begin(victim.search.definition, Ledger.open(victim.search.ledger.url), "second")
    assert again.definition.limits == limits


def test_a_launch_without_a_digest_is_refused(victim):
    victim = victim()
    job = victim.job()
    with pytest.raises((LedgerError, LaunchError), match="can be read only"):
        victim.launcher.launch(Ledger.open(victim.search.ledger.url), job)
