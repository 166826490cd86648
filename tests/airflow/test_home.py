"""Airflow's own folder, and the password in it."""

import stat

import pytest

from windtunnel.errors import WindtunnelError
from windtunnel_airflow.home import password, passwords_file, private_home


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_the_folder_is_closed_to_others_even_if_it_was_open(tmp_path):
    home = tmp_path / "a" / "home"
    private_home(home)
    assert mode(home) == 0o700
    home.chmod(0o755)
    private_home(home)
    assert mode(home) == 0o700


def test_the_password_is_made_up_and_kept_for_this_user_alone(tmp_path):
    first, other = tmp_path / "first", tmp_path / "other"
    for home in (first, other):
        private_home(home)
    assert len(password(first)) >= 16
    assert password(first) == password(first)
    assert password(first) != password(other)
    assert mode(passwords_file(first)) == 0o600


def test_another_users_folder_is_refused(tmp_path, monkeypatch):
    (tmp_path / "home").mkdir()
    monkeypatch.setattr("pathlib.Path.chmod", _refused)
    with pytest.raises(WindtunnelError, match="belongs to another user"):
        private_home(tmp_path / "home")


def _refused(*_):
    raise PermissionError
