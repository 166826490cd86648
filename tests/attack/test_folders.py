"""The temporary folder that all users of a host share, the cache of data in it, and names that lead out of both."""

import hashlib
import io
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from tests.runs import make_run
from tests.trainer.test_data import Remote, prepared
from windtunnel.errors import StoreError, WindtunnelError, WorkloadError
from windtunnel.ledger import Ledger
from windtunnel_trainer.data import is_whole, load_split

OTHER = 12345  # a user's id


@pytest.fixture
def shared(tmp_path, monkeypatch):
    """The folder for temporary files, with a place for this user's own in it."""
    folder = tmp_path / "tmp"
    folder.mkdir(mode=0o777)
    return folder / f"windtunnel-{os.getuid()}"


def train(run, shared):
    """Run the run's job as a process of its own."""
    paths = os.pathsep.join(path for path in sys.path if path)
    environment = os.environ | {"PYTHONPATH": paths, "TMPDIR": str(shared.parent)}
    command = [
        sys.executable,
        "-m",
        "windtunnel_trainer",
        run.ledger.url,
        run.jobs[0].job,
        "--digest",
        run.ledger.digest,
    ]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)


@pytest.fixture
def run(tmp_path):
    return make_run(str(tmp_path / "store"), tmp_path / "trace", ["nothing"])


def assert_refused(done, shared):
    assert done.returncode == 1
    error = done.stderr.strip().splitlines()
    assert len(error) == 1
    assert str(shared) in error[0]
    assert "TMPDIR" in error[0]


def test_a_folder_that_is_a_link_is_refused(run, shared, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir(mode=0o700)
    shared.symlink_to(outside)
    assert_refused(train(run, shared), shared)
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o702])
def test_a_folder_that_others_may_write_is_refused(run, shared, mode):
    shared.mkdir()
    shared.chmod(mode)
    assert_refused(train(run, shared), shared)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_another_users_folder_is_refused(run, shared):
    shared.mkdir(mode=0o700)
    os.chown(shared, OTHER, OTHER)
    assert_refused(train(run, shared), shared)


def test_this_users_own_folder_is_closed_to_others(run, shared):
    shared.mkdir(mode=0o755)
    assert train(run, shared).returncode == 0
    assert shared.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("unit", ["../../../evil", "/tmp/windtunnel-evil", "a/b", "..", "a\n"])
def test_a_job_whose_units_are_paths_does_not_run(run, shared, unit):
    name = f"jobs/{run.jobs[0].job}.json"
    run.ledger.write_json(name, run.ledger.read_json(name) | {"units": [unit]})
    done = train(run, shared)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert list(shared.parent.rglob("*evil*")) == []


def npz(**arrays) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


@pytest.fixture
def remote(tmp_path, monkeypatch):
    """Prepared data in a store whose objects are copied to this host's cache."""
    monkeypatch.setenv("WINDTUNNEL_CACHE", str(tmp_path / "cache"))
    ledger = Ledger.open(f"{tmp_path}/store/search/run")
    prepared(ledger, x=[1, 2, 3])
    return Ledger(Remote(ledger.store), "search", "run")


def test_data_planted_in_the_cache_is_not_used(remote, tmp_path):
    digest = remote.manifest()["files"]["train.npz"]
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / f"{digest}.npz").write_bytes(npz(x=[6, 6, 6]))
    assert load_split(remote, "train")["x"].tolist() == [1, 2, 3]
    assert load_split(remote, "train")["x"].tolist() == [1, 2, 3]
    assert len(remote.store.downloads) == 1


def test_a_link_planted_in_the_cache_is_not_followed(remote, tmp_path):
    digest = remote.manifest()["files"]["train.npz"]
    (tmp_path / "cache").mkdir()
    (tmp_path / "theirs").write_bytes(npz(x=[6]))
    (tmp_path / "cache" / f"{digest}.npz").symlink_to(tmp_path / "theirs")
    assert load_split(remote, "train")["x"].tolist() == [1, 2, 3]
    assert (tmp_path / "theirs").read_bytes() == npz(x=[6])


def test_data_that_is_not_what_was_prepared_is_not_used(remote):
    remote.store.put(remote.path("data/train.npz"), npz(x=[6]))
    with pytest.raises(WorkloadError, match="not what was prepared"):
        load_split(remote, "train")


@pytest.mark.parametrize("digest", ["../../evil", "/tmp/windtunnel-evil", "", "x" * 64, "A" * 64, "0" * 63, 5, None])
def test_a_digest_that_is_none_names_no_file(remote, tmp_path, digest):
    manifest = remote.manifest()
    manifest["files"]["train.npz"] = digest
    remote.write_json("data/manifest.json", manifest)
    with pytest.raises(WorkloadError, match="hexadecimal"):
        load_split(remote, "train")
    assert remote.store.downloads == []
    assert list(tmp_path.rglob("*evil*")) == []


@pytest.mark.parametrize("name", ["../search.json", "../../secret", "/etc/passwd", "a/../../b", ".", "\0"])
def test_a_manifest_names_no_file_outside_the_data(remote, tmp_path, name):
    content = json.dumps({}).encode()
    remote.store.put(remote.path("search.json"), content)
    manifest = {"digest": "d", "splits": {}, "files": {name: hashlib.sha256(content).hexdigest()}}
    assert not is_whole(remote, manifest)


def test_the_manifests_files_are_no_links(remote, tmp_path):
    (tmp_path / "theirs").write_bytes(npz(x=[6]))
    place = tmp_path / "store" / remote.path("data/train.npz")
    place.unlink()
    place.symlink_to(tmp_path / "theirs")
    plain = Ledger.open(f"{tmp_path}/store/search/run")
    with pytest.raises(StoreError):
        load_split(plain, "train")
    with pytest.raises(WindtunnelError):
        load_split(remote, "train")
