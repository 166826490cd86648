"""Accounts, and the three thresholds with the meaning that Azure gives -1 and 0."""

import pytest

from tests.fleets import fall_short, fleet_from, prepared, succeed
from windtunnel.fleet.accounts import Accounts, exceeded
from windtunnel.fleet.records import ended


def accounts_of(tmp_path, **fields):
    """Four items in two mini-batches: the first succeeded, of the second one of two items, after three tries."""
    raw = "tenant,a\n1,1\n2,1\n3,1\n4,1\n"
    fleet = fleet_from(tmp_path, raw=raw, mini_batch_size=2, **fields)
    ledger, _, plan = prepared(tmp_path, fleet)
    succeed(ledger, plan, 0)
    fall_short(ledger, plan, 1, succeeded=1)
    return fleet, Accounts.of(plan, ended(ledger))


def test_items_batches_and_partitions_are_counted(tmp_path):
    _, accounts = accounts_of(tmp_path)
    assert accounts == Accounts(
        batches=2,
        partitions=4,
        taken=0,
        skipped=0,
        batches_done=2,
        batches_failed=1,
        batches_retried=1,
        short_returns=1,
        items=4,
        items_failed=1,
        partitions_done=4,
        partitions_failed=2,
    )
    assert accounts.message == "2 of 4 partitions trained, 2 failed, 1 mini-batch retried"


@pytest.mark.parametrize(
    ("threshold", "fails"),
    [
        ({}, False),  # all three ignore by default
        ({"error_threshold": -1, "mini_batch_error_threshold": -1, "allowed_failed_percent": 100}, False),
        ({"error_threshold": 0}, "1 item failed; error_threshold allows 0"),
        ({"error_threshold": 1}, False),
        ({"mini_batch_error_threshold": 0}, "1 mini-batch failed; mini_batch_error_threshold allows 0"),
        ({"mini_batch_error_threshold": 1}, False),
        ({"allowed_failed_percent": 0}, "50 % of the mini-batches failed; allowed_failed_percent allows 0"),
        ({"allowed_failed_percent": 49.9}, "50 % of the mini-batches failed; allowed_failed_percent allows 49.9"),
        ({"allowed_failed_percent": 50}, False),
    ],
)
def test_thresholds_mean_what_azure_means(tmp_path, threshold, fails):
    assert exceeded(*accounts_of(tmp_path, **threshold)) == (fails or None)


def test_counts_come_from_the_listing_and_from_the_records_where_a_copy_lost_them(tmp_path):
    fleet = fleet_from(tmp_path)
    ledger, _, plan = prepared(tmp_path, fleet)
    succeed(ledger, plan, 0)
    fall_short(ledger, plan, 1)
    listed = list(ended(ledger))
    for number in (0, 1):  # as `cp -r` without the hidden folders
        path = ledger.path(f"results/b{number:06}.json")
        content = ledger.store.get(path)
        ledger.store.delete(path)
        ledger.store.create(path, content)
    assert list(ended(ledger)) == listed
