"""Names that are too long for some store are told before anything is written, by every store."""

import pytest

from windtunnel.errors import StoreError
from windtunnel.ledger import Ledger
from windtunnel.ledger.ids import trial_id
from windtunnel.stores import open_store
from windtunnel.stores.base import PATH_LIMIT

ACCOUNT = {"AZURE_STORAGE_ACCOUNT_URL": "https://nobody.blob.core.invalid", "AZURE_STORAGE_KEY": "AAAA"}
AZURES_LIMIT = 1024


def test_a_prefix_that_is_too_long_is_told_with_its_field_and_its_mend():
    open_store("azure://abc/" + "p" * PATH_LIMIT, ACCOUNT)
    with pytest.raises(
        StoreError, match=r"^store: the prefix of azure://abc/p+… has 501 characters; shorten it to 500"
    ):
        open_store("azure://abc/" + "p" * (PATH_LIMIT + 1), ACCOUNT)


@pytest.mark.parametrize("url", ["azure://abc/p", "folder"])
def test_a_path_that_is_too_long_is_told_before_anything_is_sent(url, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store = open_store(url, ACCOUNT)
    for write in (store.create, store.put):
        with pytest.raises(
            StoreError, match=r"^data/x+… has 505 characters: an object's path may have 500; shorten it"
        ):
            write("data/" + "x" * PATH_LIMIT, b"")
    assert list(tmp_path.iterdir()) == []


def test_the_longest_names_of_a_run_fit_behind_the_longest_prefix():
    ledger = Ledger(open_store("azure://abc/" + "p" * PATH_LIMIT, ACCOUNT), "s" * 1000, "r" * 1000)
    trial = f"{trial_id('0' * 16, 0.123456789)}.r999"
    for name in (
        f"trials/{trial}/attempts/999.json",
        f"jobs/verify-{trial}/launches/999.json",
        f"data/{'x' * 120}.npz",
    ):
        path = ledger.path(name)
        assert len(path) <= PATH_LIMIT and PATH_LIMIT + 1 + len(path) <= AZURES_LIMIT
