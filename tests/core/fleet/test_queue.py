"""Claiming: each mini-batch is one lane's, what is released goes elsewhere, and nothing done is begun again."""

import pytest

from tests.fleets import fleet_from, prepared, succeed
from windtunnel.errors import UnavailableError
from windtunnel.fleet.beginning import lanes
from windtunnel.fleet.queue import Queue
from windtunnel.fleet.records import batch_name
from windtunnel.ledger.claims import Claims


@pytest.fixture
def run(tmp_path):
    fleet = fleet_from(tmp_path, split={"rows": 1}, limits={"parallel": 2})
    ledger, _, plan = prepared(tmp_path, fleet)
    jobs = lanes(ledger, fleet, plan)
    assert len(plan.batches) == 5
    return ledger, plan, jobs


def drain(queue):
    numbers = []
    while (claimed := queue.next()) is not None:
        numbers.append(claimed.number)
    return numbers


def test_a_lane_takes_its_share_and_then_what_others_left(run):
    ledger, plan, jobs = run
    first, second = (Queue(ledger, plan, job, 2, 1) for job in jobs)
    assert [first.next().number, second.next().number, first.next().number] == [0, 1, 2]
    assert sorted(drain(second)) == [3, 4]
    assert drain(first) == []


def test_a_lane_that_begins_anew_goes_on_with_what_it_held(run):
    ledger, plan, jobs = run
    before = Queue(ledger, plan, jobs[0], 2, 1)
    assert [before.next().number, before.next().number] == [0, 2]
    succeed(ledger, plan, 0)
    again = Queue(ledger, plan, jobs[0], 2, 2)
    claimed = again.next()
    assert (claimed.number, claimed.begun) == (2, 1)
    assert again.next().number == 4


def test_what_was_released_goes_elsewhere_and_its_starts_count(run):
    ledger, plan, jobs = run
    Queue(ledger, plan, jobs[0], 2, 1).next()
    claims = Claims(ledger)
    claims.release(claims.listing()[batch_name(0)])
    taken = {}
    queue = Queue(ledger, plan, jobs[1], 2, 1)
    while (claimed := queue.next()) is not None:
        taken[claimed.number] = claimed.begun
    assert taken == {0: 1, 1: 0, 2: 0, 3: 0, 4: 0}


def test_nothing_with_a_result_is_begun_again(run):
    ledger, plan, jobs = run
    for number in range(4):
        succeed(ledger, plan, number)
    assert drain(Queue(ledger, plan, jobs[0], 2, 1)) == [4]


def test_a_store_that_gives_no_answer_loses_no_mini_batch(run, monkeypatch):
    ledger, plan, jobs = run
    queue = Queue(ledger, plan, jobs[0], 1, 1)
    taken = [queue.next().number]
    create = type(ledger.store).create

    def refuse(*_arguments, **_named):
        raise UnavailableError("away")

    monkeypatch.setattr(type(ledger.store), "create", refuse)
    with pytest.raises(UnavailableError):
        queue.next()
    monkeypatch.setattr(type(ledger.store), "create", create)
    assert sorted(taken + drain(queue)) == [0, 1, 2, 3, 4]
