"""An archive of source is unpacked only as it was packed: Python files below one folder, and not too large."""

import io
import zipfile

import pytest

from windtunnel.errors import WorkloadError
from windtunnel.workload import bundle


def archive(**files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in files.items():
            made.writestr(name, content)
    return buffer.getvalue()


FILES = {"team/__init__.py": b"", "team/models/mlp.py": b"ONE = 1\n"}


def test_what_is_packed_can_be_unpacked(tmp_path):
    content = bundle.pack(FILES)
    assert bundle.unpack(content, tmp_path) == sorted(FILES)
    assert {name: (tmp_path / name).read_bytes() for name in FILES} == FILES
    assert bundle.pack(dict(reversed(FILES.items()))) == content


def test_a_source_that_is_too_large_is_refused_by_its_largest_file(monkeypatch):
    monkeypatch.setattr(bundle, "LARGEST", 1000)
    with pytest.raises(WorkloadError, match=r"the largest file being table\.py: at most 1,000 are packed"):
        bundle.pack({"mine.py": b"1", "table.py": b"0" * 2000})


@pytest.mark.parametrize("name", ["../evil.py", "/tmp/evil.py", "a/../../evil.py", "evil.so", "evil.pth"])
def test_a_name_that_leads_out_or_is_no_python_is_refused(tmp_path, name):
    folder = tmp_path / "into"
    folder.mkdir()
    with pytest.raises(WorkloadError, match="is no Python file in it"):
        bundle.unpack(archive(**{name: "1"}), folder)
    assert list(tmp_path.rglob("*")) == [folder]


def test_a_bomb_is_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(bundle, "LARGEST", 1000)
    with pytest.raises(WorkloadError, match="unpacks to more than 1,000 bytes"):
        bundle.unpack(archive(**{"a.py": b"0" * 2000}), tmp_path)
    assert list(tmp_path.iterdir()) == []
