"""A small Kubernetes in this process: the requests that launching makes, a Job controller, and pods that are processes.

What a real cluster cannot be made to do on demand is said beforehand: statuses for the next pods, refusals, outages.
Its controller either works by itself, for launchers that are tested as a whole, or takes one step whenever pods are
listed or a test says so: nothing happens between two looks then, however fast the machine is.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

ROOT = Path(__file__).parents[1]
_TICK = 0.02  # seconds
_PATIENCE = 300.0  # seconds for what comes within one on an idle machine


def stamp(seconds: float = 0.0) -> str:
    """A moment so many seconds from now, as Kubernetes writes it."""
    return (datetime.now(UTC) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


class FakeCluster:
    """The server and its controller.

    Attributes:
        jobs, pods, events: what is there, by name.
        requests: how often what was asked.
        script: statuses for the next pods, which are no processes then.
        refuse_jobs: the status and message that new Jobs are answered with.
        refuse_pods: the message of the event that is all that comes of a Job.
        killed_for: what is said of pods that SIGKILL has ended.
        outages: so many of the next requests are answered with 503.
    """

    def __init__(self, folder: Path, stepped: bool = False) -> None:
        """A cluster with its files in `folder`, whose controller works by itself unless it is stepped."""
        self.folder = folder
        self.stepped = stepped
        self.folder.mkdir(parents=True, exist_ok=True)
        self.jobs, self.pods, self.events = {}, {}, []
        self.processes = {}
        self.requests = Counter()
        self.script = []
        self.refuse_jobs = None
        self.refuse_pods = ""
        self.outages = 0
        self.killed_for = "Error"
        self.lock = threading.RLock()
        self.closed = threading.Event()

    def __enter__(self):
        handler = type("Handler", (_Handler,), {"cluster": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        work = [self.server.serve_forever] if self.stepped else [self.server.serve_forever, self._control]
        self.threads = [threading.Thread(target=target, daemon=True) for target in work]
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.closed.set()
        self.server.shutdown()
        self.server.server_close()
        for thread in self.threads:
            thread.join()
        for process in self.processes.values():
            process.kill()
            process.wait()

    def kubeconfig(self) -> str:
        file = self.folder / "kubeconfig"
        cluster, context = {"server": self.address}, {"cluster": "fake", "user": "me", "namespace": "here"}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "fake", "cluster": cluster}],
            "users": [{"name": "me", "user": {"token": "t"}}],
            "contexts": [{"name": "fake", "context": context}],
            "current-context": "fake",
        }
        file.write_text(json.dumps(config))
        return str(file)

    def template(self, **container):
        command = [sys.executable, "-P", "-m", "windtunnel_trainer"]
        return {
            "kind": "Pod",
            "spec": {"containers": [{"name": "trainer", "image": "i", "command": command} | container]},
        }

    def create(self, job):
        name = job["metadata"]["name"]
        with self.lock:
            if self.refuse_jobs is not None:
                return self.refuse_jobs
            if name in self.jobs:
                return 409, f'jobs.batch "{name}" already exists'
            job["metadata"] |= {"uid": str(uuid.uuid4()), "creationTimestamp": stamp()}
            job["status"] = {}
            self.jobs[name] = job
            return 201, job

    def delete(self, name):
        with self.lock:
            job = self.jobs.pop(name)
            for pod in self._pods_of(job):
                self.delete_pod(pod["metadata"]["name"])

    def delete_pod(self, name, grace=30):
        with self.lock:
            self.pods[name]["metadata"].setdefault("deletionTimestamp", stamp(grace))
            if name in self.processes:
                self.processes[name].send_signal(signal.SIGTERM if grace else signal.SIGKILL)

    def preempt(self, name):
        """Take a pod's node away for another one, as the scheduler does."""
        with self.lock:
            disruption = {"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler"}
            self.pods[name]["status"]["conditions"] = [disruption]
            self.delete_pod(name)

    def find(self, kind, labels, fields):
        with self.lock:
            things = self.events if kind == "events" else getattr(self, kind).values()
            return [thing for thing in things if _labelled(thing, labels) and _has(thing, kind, fields)]

    def log(self, name):
        file = self.folder / f"{name}.log"
        return file.read_text() if file.exists() else ""

    def step(self, times=1):
        """Start each job's next pod if it is due, and note what has become of the pods; so many times."""
        for _ in range(times):
            with self.lock:
                for job in list(self.jobs.values()):
                    self._reconcile(job)
                for name in list(self.pods):
                    self._look_after(name)

    def until(self, condition):
        """Take steps until the answer is true; the answer."""
        return wait_for(lambda: self.step() or condition())

    def _control(self):
        while not self.closed.wait(_TICK):
            self.step()

    def _reconcile(self, job):
        own = self._pods_of(job)
        phases = Counter(pod["status"]["phase"] for pod in own)
        if job["status"].get("conditions"):
            return
        if phases["Succeeded"]:
            job["status"] |= {"succeeded": 1, "conditions": [{"type": "Complete", "status": "True"}]}
        elif self._failures(job, own) > job["spec"]["backoffLimit"]:
            reason = {"reason": "BackoffLimitExceeded", "message": "Job has reached the specified backoff limit"}
            job["status"]["conditions"] = [{"type": "Failed", "status": "True", **reason}]
        elif not phases["Running"] and not phases["Pending"]:
            self._start(job, phases["Failed"])

    def _failures(self, job, pods):
        """How many of the job's pods have failed, of those that are gone as well."""
        return job["status"].get("failed", 0) + sum(_counts(pod, job) for pod in pods if not _is_going(pod))

    def _start(self, job, failures):
        if self.refuse_pods:
            about = {"kind": "Job", "name": job["metadata"]["name"], "uid": job["metadata"]["uid"]}
            said = {"reason": "FailedCreate", "type": "Warning", "message": self.refuse_pods, "lastTimestamp": stamp()}
            self.events.append({"metadata": {"name": str(uuid.uuid4())}, "involvedObject": about, **said})
            self.events = self.events[-10:]
            return
        name = f"{job['metadata']['name']}-{failures}{uuid.uuid4().hex[:4]}"
        template = job["spec"]["template"]
        owner = {"kind": "Job", "name": job["metadata"]["name"], "uid": job["metadata"]["uid"], "controller": True}
        metadata = {"name": name, "uid": str(uuid.uuid4()), "creationTimestamp": stamp(), "ownerReferences": [owner]}
        pod = {"metadata": template["metadata"] | metadata, "spec": deepcopy(template["spec"])}
        pod["status"] = {"phase": "Running"}
        self.pods[name] = pod
        if self.script:
            pod["status"] = self.script.pop(0)
            return
        container = template["spec"]["containers"][0]
        with (self.folder / f"{name}.log").open("wb") as log:
            self.processes[name] = subprocess.Popen(
                [*container["command"], *container["args"]],
                env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT / "include"), str(ROOT)])},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _look_after(self, name):
        pod, process = self.pods[name], self.processes.get(name)
        running = pod["status"]["phase"] in ("Pending", "Running")
        code = process.poll() if process is not None else None
        if process is not None and running and code is not None:
            reason = self.killed_for if code == -signal.SIGKILL else "Error"
            end = {"exitCode": code if code >= 0 else 128 - code, "finishedAt": stamp(), "reason": reason}
            pod["status"] |= {
                "phase": "Failed" if code else "Succeeded",
                "containerStatuses": [{"name": "trainer", "state": {"terminated": end}}],
            }
        unanswering = pod["status"].get("unanswering", False)
        gone = _is_going(pod) and not unanswering and (process is None or code is not None)
        orphaned = not any(job["metadata"]["uid"] == _owner(pod) for job in self.jobs.values())
        if gone or (orphaned and not running):
            del self.pods[name]
            for job in self.jobs.values():
                if job["metadata"]["uid"] == _owner(pod) and _counts(pod, job):
                    job["status"]["failed"] = job["status"].get("failed", 0) + 1
        elif orphaned:
            self.delete_pod(name)

    def _pods_of(self, job):
        return [pod for pod in self.pods.values() if _owner(pod) == job["metadata"]["uid"]]


def _is_going(pod):
    return "deletionTimestamp" in pod["metadata"]


def _counts(pod, job):
    """Whether a pod is a failure of its job; a deleted one is, unless the job's podFailurePolicy ignores it."""
    rules = job["spec"].get("podFailurePolicy", {}).get("rules", [])
    ignored = [one for rule in rules if rule["action"] == "Ignore" for one in rule["onPodConditions"]]
    has = pod["status"].get("conditions", [])
    if any(one["type"] == other["type"] and one["status"] == other["status"] for one in ignored for other in has):
        return False
    return pod["status"]["phase"] == "Failed" or (_is_going(pod) and pod["status"]["phase"] != "Succeeded")


def _owner(pod):
    return pod["metadata"]["ownerReferences"][0]["uid"]


def _labelled(thing, selector):
    labels = thing["metadata"].get("labels", {})
    selector, _, several = selector.partition(" in (")
    wanted = [part for part in selector.split(",") if "=" in part]
    if several and labels.get(selector.rpartition(",")[2]) not in several.rstrip(")").split(","):
        return False
    return all(labels.get(part.partition("=")[0]) == part.partition("=")[2] for part in wanted)


def _has(thing, kind, fields):
    if fields == "status.successful=0":
        return not thing["status"].get("succeeded")
    if fields == "status.phase!=Succeeded":
        return thing["status"]["phase"] != "Succeeded"
    if kind == "events" and fields:
        return f"involvedObject.uid={thing['involvedObject']['uid']},type={thing['type']}" == fields
    assert not fields, f"the fake cluster does not know the field selector {fields}"
    return True


class _Handler(BaseHTTPRequestHandler):
    cluster: FakeCluster
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self._answer("get")

    def do_POST(self):
        self._answer("create")

    def do_DELETE(self):
        self._answer("delete")

    def log_message(self, *_):
        pass

    def _answer(self, verb):
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        namespace, kind, *rest = url.path.partition("/namespaces/")[2].split("/")
        if verb != "create" and not rest:
            verb = {"get": "list", "delete": "deletecollection"}[verb]
        self.cluster.requests[f"{verb} {kind}"] += 1
        if self.cluster.outages:
            self.cluster.outages -= 1
            self._send(503, "it is being restarted")
        elif namespace != "here":
            self._send(403, f'User "me" cannot {verb} resource "{kind}" in the namespace "{namespace}"')
        else:
            self._send(*self._do(verb, kind, rest, query, body))

    def _do(self, verb, kind, rest, query, body):
        cluster = self.cluster
        if rest and kind == "jobs" and rest[0] not in cluster.jobs:
            return 404, f'jobs.batch "{rest[0]}" not found'
        if verb == "create":
            return cluster.create(body)
        if verb == "get" and rest[1:] == ["log"]:
            return 200, cluster.log(rest[0]).encode()
        if verb == "get":
            return 200, cluster.jobs[rest[0]]
        if cluster.stepped and (verb, kind) == ("list", "pods"):
            cluster.step()
        found = [] if rest else cluster.find(kind, query.get("labelSelector", ""), query.get("fieldSelector", ""))
        if verb == "list":
            return 200, {"kind": "List", "items": found}
        if rest and body.get("preconditions", {}).get("uid") not in (None, cluster.jobs[rest[0]]["metadata"]["uid"]):
            return 409, "the UID in the precondition does not match"
        for name in rest or [job["metadata"]["name"] for job in found]:
            cluster.delete(name)
        return 200, {"kind": "Status", "status": "Success"}

    def _send(self, status, content):
        if isinstance(content, str):
            content = {"kind": "Status", "status": "Failure", "message": content, "code": status}
        with self.cluster.lock:
            data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def wait_for(condition):
    """Ask until the answer is true; the answer."""
    end = time.monotonic() + _PATIENCE
    while not (answer := condition()):
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)
    return answer
