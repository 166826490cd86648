"""Links that lead out of a root: out of a store, a spool, or the folder of a run's jobs."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.attack.conftest import SECRET
from tests.runs import make_run, wait_until
from windtunnel.cli import main
from windtunnel.errors import StoreError
from windtunnel.launchers import get_launcher
from windtunnel.launchers.local import LocalLauncher
from windtunnel.launchers.spool import Spool, Ticket, run_key
from windtunnel.stores.local import LocalStore

ENVIRONMENT = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def put_link(ledger, name, target):
    """A link in the place of one of a run's files or folders."""
    place = ledger.store.folder / ledger.path(name)
    if place.is_dir():
        place.rename(place.with_name(f"{place.name}-aside"))
    place.unlink(missing_ok=True)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(target)


@pytest.mark.parametrize("name", ["log.txt", "metrics.jsonl", "model.onnx", "more.json"])
def test_the_page_hands_out_no_file_that_a_trials_file_leads_to(page, live, secret, name):
    trial = live.plan("1").requests[0].trial
    put_link(live, f"trials/{trial}/{name}", secret)
    assert SECRET not in page.data("trial", trial=trial).text
    reply = page.file(name, trial=trial)
    assert reply.status_code == 404
    assert SECRET not in reply.text


@pytest.mark.parametrize("name", ["report.html", "pareto.json", "search.json"])
def test_the_page_hands_out_no_file_that_a_runs_file_leads_to(page, live, secret, name):
    assert page.data("trials").status_code == 200
    put_link(live, name, secret)
    reply = page.file(name)
    assert reply.status_code == 404
    assert SECRET not in reply.text


def test_the_page_follows_no_folder_that_is_a_link(page, live, tmp_path):
    trial = live.plan("1").requests[0].trial
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "log.txt").write_text(SECRET)
    (elsewhere / "notes.json").write_text(SECRET)
    put_link(live, f"trials/{trial}", elsewhere)
    assert SECRET not in page.data("trial", trial=trial).text
    for name in ("log.txt", "notes.json"):
        assert page.file(name, trial=trial).status_code == 404


READS = {
    "get": lambda store, path, to: store.get(path),
    "stat": lambda store, path, to: store.stat(path),
    "tail": lambda store, path, to: store.tail(path, 100),
    "download": lambda store, path, to: store.download(path, to),
}


@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize("target", ["absolute", "relative", "chain", "folder", "within"])
def test_a_store_reads_nothing_through_a_link(tmp_path, secret, read, target):
    store = LocalStore(tmp_path / "store")
    store.put("run/there", b"an object")
    links = {
        "absolute": (secret, "run/link"),
        "relative": ("../../secret.txt", "run/link"),
        "chain": ("second", "run/link"),
        "folder": (tmp_path, "run/link/secret.txt"),
        "within": ("there", "run/link"),
    }
    leads_to, path = links[target]
    (store.folder / "run" / "link").symlink_to(leads_to)
    (store.folder / "run" / "second").symlink_to(secret)
    with pytest.raises(StoreError):
        READS[read](store, path, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


WRITES = {
    "create": lambda store, path, file: store.create(path, b"evil"),
    "put": lambda store, path, file: store.put(path, b"evil"),
    "upload": lambda store, path, file: store.upload(path, file),
    "delete": lambda store, path, file: store.delete(path),
}


@pytest.mark.parametrize("write", WRITES)
def test_a_store_writes_nothing_through_a_link(tmp_path, secret, write):
    store = LocalStore(tmp_path / "store")
    store.put("run/there", b"an object")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text(SECRET)
    (store.folder / "run" / "link").symlink_to(outside)
    (store.folder / "run" / "file").symlink_to(secret)
    (tmp_path / "mine").write_text("evil")
    for path in ("run/link/file", "run/link/new", "run/link/deep/new", "run/file"):
        try:
            WRITES[write](store, path, tmp_path / "mine")
        except StoreError:
            continue
    assert (outside / "file").read_text() == SECRET
    assert secret.read_text() == SECRET
    assert [file.name for file in outside.rglob("*")] == ["file"]


@pytest.mark.parametrize("hidden", [".meta", ".meta/lock"])
def test_a_stores_own_files_are_no_links_either(tmp_path, hidden):
    store = LocalStore(tmp_path / "store")
    outside = tmp_path / "outside"
    if hidden == ".meta":
        outside.mkdir()
    (store.folder / "run" / hidden).parent.mkdir(parents=True)
    (store.folder / "run" / hidden).symlink_to(outside)
    with pytest.raises(StoreError):
        store.put("run/a", b"1", {"n": "1"})
    assert not outside.exists() or list(outside.iterdir()) == []


@pytest.mark.parametrize(
    "path", ["../secret.txt", "run/../../secret.txt", "/etc/passwd", "run//a", "run/\0", "run/\x1b"]
)
def test_no_path_leads_out_of_a_store(tmp_path, secret, path):
    store = LocalStore(tmp_path / "store")
    store.put("run/a", b"1")
    with pytest.raises(StoreError):
        store.get(path)
    assert list(store.list(path)) == []


@pytest.mark.parametrize("read", ["get", "stat", "tail", "list"])
def test_a_pipe_in_a_store_keeps_nobody_waiting(tmp_path, read):
    store = LocalStore(tmp_path / "store")
    store.put("run/a", b"1")
    os.mkfifo(store.folder / "run" / "pipe")
    calls = {"get": "get('run/pipe')", "stat": "stat('run/pipe')", "tail": "tail('run/pipe', 9)", "list": "list()"}
    program = (
        "import sys; from pathlib import Path; from windtunnel.errors import StoreError\n"
        "from windtunnel.stores.local import LocalStore\n"
        f"try: print([each.path for each in LocalStore(Path(sys.argv[1])).{calls[read]}])\n"
        "except StoreError: print('refused')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(store.folder)],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.strip() == ("['run/a']" if read == "list" else "refused")


@pytest.mark.skipif(os.getuid() != 0, reason="needs root, to become another user")
def test_another_user_brings_no_file_of_ours_into_a_store_by_a_hard_link():
    if Path("/proc/sys/fs/protected_hardlinks").read_text().strip() == "0":
        pytest.skip("this machine lets anyone link any file: fs.protected_hardlinks is 0")
    attack = "import os, sys; os.setuid(65534); print(open(sys.argv[1]).read()); os.link(sys.argv[1], sys.argv[2])"
    with tempfile.TemporaryDirectory() as shared:  # unlike tmp_path, others may come into it
        Path(shared).chmod(0o755)
        ours, store = Path(shared) / "ours.txt", Path(shared) / "store"
        ours.write_text("ours")
        ours.chmod(0o644)  # to be read even, and not to be written
        store.mkdir()
        store.chmod(0o777)
        command = [sys.executable, "-I", "-c", attack, str(ours), str(store / "ours.txt")]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.stdout == "ours\n", done.stderr
        assert "PermissionError" in done.stderr
        assert not list(LocalStore(store).list())


def test_a_root_that_is_a_link_serves_as_before(tmp_path):
    real = LocalStore(tmp_path / "real")
    real.put("run/a", b"1", {"n": "1"})
    (tmp_path / "runs").symlink_to(tmp_path / "real")
    store = LocalStore(tmp_path / "runs")
    store.put("run/b", b"2")
    assert [(entry.path, entry.metadata) for entry in store.list()] == [("run/a", {"n": "1"}), ("run/b", {})]
    assert real.get("run/b") == b"2"


def test_fetch_brings_nothing_that_a_runs_file_leads_to(ledger, secret, tmp_path, capsys):
    ledger.store.put(ledger.path("report.html"), b"the report")
    put_link(ledger, "pareto.json", secret)
    trial = ledger.plan("full-4").requests[0].trial
    put_link(ledger, f"trials/{trial}/model.onnx", secret)
    assert main(["fetch", ledger.url, "--to", str(tmp_path / "to")]) == 0
    fetched = [file for file in (tmp_path / "to").rglob("*") if file.is_file()]
    assert [file.read_bytes() for file in fetched] == [b"the report"]


def test_latest_leads_to_a_run_of_the_store_and_nowhere_else(ledger, tmp_path, capsys):
    other = LocalStore(tmp_path / "other")
    from tests.core.report import made_up
    from windtunnel.ledger import Ledger

    made_up.fill(Ledger(other, "digits_cnn", "theirs"), iterations=1, finalists=0)
    latest = ledger.store.folder / "latest"
    latest.symlink_to(ledger.root)
    assert main(["status", str(latest)]) == 0
    capsys.readouterr()
    for target in (other.folder / "digits_cnn" / "theirs", "../other/digits_cnn/theirs"):
        latest.unlink()
        latest.symlink_to(target)
        assert main(["status", str(latest)]) == 1
        assert "leads to" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["1-0.log", ".1-0.lock", ".gate", ""])
def test_a_job_writes_into_no_file_that_its_log_or_lock_leads_to(tmp_path, secret, name):
    run = make_run(str(tmp_path / "store"), tmp_path / "trace", ["nothing"])
    jobs = run.ledger.store.folder / run.ledger.path("jobs")
    if name:
        (jobs / name).symlink_to(secret)
    else:
        jobs.rename(tmp_path / "outside")
        jobs.symlink_to(tmp_path / "outside")
    before = sorted(file.name for file in (tmp_path / "outside").glob("*")) if not name else []
    try:
        LocalLauncher().launch(run.ledger, run.jobs[0])
    except Exception as error:
        assert "link" in str(error), error
    else:  # it was started: let it end, so that it has written all that it writes
        wait_until(lambda: not get_launcher("local").live(run.ledger))
    assert secret.read_text() == SECRET
    assert before == (sorted(file.name for file in (tmp_path / "outside").glob("*")) if not name else [])


@pytest.fixture
def spool(tmp_path, monkeypatch):
    monkeypatch.setenv("WINDTUNNEL_SPOOL", str(tmp_path / "spool"))
    return Spool(tmp_path / "spool")


def test_a_ticket_that_is_a_link_is_none(spool, tmp_path):
    ticket = Ticket(ledger="/store/s/r", job="1-0", digest="0" * 64, expires=4e9)
    elsewhere = Spool(tmp_path / "elsewhere")
    elsewhere.leave(ticket)
    (file,) = (elsewhere.folder / "tickets").glob("*.json")
    (spool.folder / "tickets").mkdir(parents=True)
    (spool.folder / "tickets" / file.name).symlink_to(file)
    assert spool.tickets() == []
    assert spool.ticket(ticket.ledger, ticket.job) is None


@pytest.mark.parametrize("content", ["{}", "[", "[" * 100_000, '{"ledger": 1, "job": 2, "expires": "x"}', "null"])
def test_a_ticket_that_no_launcher_left_is_passed_over(spool, content):
    (spool.folder / "tickets").mkdir(parents=True)
    (spool.folder / "tickets" / "0123456789abcdef.1-0.json").write_text(content)
    assert spool.tickets() == []


@pytest.mark.parametrize("job", ["../../../evil", "..", "a/b", "\x1b[2J"])
def test_a_ticket_names_no_file_outside_the_spool(spool, job):
    ledger = "/store/s/r"
    content = json.dumps({"ledger": ledger, "job": job, "digest": "0" * 64, "expires": 4e9})
    (spool.folder / "tickets").mkdir(parents=True)
    (spool.folder / "tickets" / f"{run_key(ledger)}.1-0.json").write_text(content)
    assert spool.tickets() == []


def test_a_service_starts_no_job_in_a_folder_that_is_a_link(spool, tmp_path):
    from windtunnel_trainer.serve import Service

    run = make_run(str(tmp_path / "store"), tmp_path / "trace", ["nothing"])
    outside = tmp_path / "outside"
    outside.mkdir()
    (spool.folder / "runs").mkdir(parents=True)
    (spool.folder / "runs" / run_key(run.ledger.url)).symlink_to(outside)
    ticket = Ticket(ledger=run.ledger.url, job=run.jobs[0].job, digest=run.ledger.digest, expires=4e9)
    spool.leave(ticket)
    Service(spool)._take(ticket)
    assert list(outside.iterdir()) == []
