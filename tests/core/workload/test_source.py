"""An archive of source is unpacked only as it was packed: Python files below one folder, and not too large."""

import io
import zipfile

import pytest

from windtunnel.errors import WorkloadError
from windtunnel.workload import source


def archive(**files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in files.items():
            made.writestr(name, content)
    return buffer.getvalue()


def test_what_is_packed_can_be_unpacked(tmp_path):
    content = source._packed("tests.workloads.formula".partition(".")[0])
    source._unpack(content, tmp_path)
    assert (tmp_path / "tests" / "workloads" / "formula.py").is_file()
    assert content == source._packed("tests")


@pytest.mark.parametrize("name", ["../evil.py", "/tmp/evil.py", "a/../../evil.py", "evil.so", "evil.pth"])
def test_a_name_that_leads_out_or_is_no_python_is_refused(tmp_path, name):
    folder = tmp_path / "into"
    folder.mkdir()
    with pytest.raises(WorkloadError, match="is no Python file in it"):
        source._unpack(archive(**{name: "1"}), folder)
    assert list(tmp_path.rglob("*")) == [folder]


def test_a_bomb_is_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(source, "_LARGEST", 1000)
    with pytest.raises(WorkloadError, match="unpacks to more than 1,000 bytes"):
        source._unpack(archive(**{"a.py": b"0" * 2000}), tmp_path)
    assert list(tmp_path.iterdir()) == []
