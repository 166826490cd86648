"""What claims must do in every store. Subclass `ClaimsConformance`, with a `ledger` fixture: a run without any."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from windtunnel.ledger import Ledger
from windtunnel.ledger.claims import Claims, under_way

UNITS = ("0123456789abcdef-e0.1", "0123456789abcdef-e0.1.r1", "tenant.released", "tenant.1", "tenant")


class ClaimsConformance:
    @pytest.fixture
    def ledger(self) -> Ledger:
        raise NotImplementedError("give a run without claims")

    @pytest.fixture
    def claims(self, ledger) -> Claims:
        return Claims(ledger)

    def test_one_of_many_lanes_gets_a_unit(self, claims):
        with ThreadPoolExecutor(8) as pool:
            taken = list(pool.map(lambda lane: claims.take(UNITS[0], f"lane-1-{lane}", 1), range(8)))
        winners = [claim for claim in taken if claim is not None]
        assert [claim.lane for claim in winners] == [claims.listing()[UNITS[0]].lane]

    def test_a_listing_tells_lane_and_launch_of_every_unit(self, claims):
        for number, unit in enumerate(UNITS):
            assert claims.take(unit, f"lane-1-{number}", number + 1)
        listed = claims.listing()
        assert {unit: (claim.lane, claim.launch, claim.number) for unit, claim in listed.items()} == {
            unit: (f"lane-1-{number}", number + 1, 1) for number, unit in enumerate(UNITS)
        }
        assert not any(claim.released for claim in listed.values()) and all(claim.since for claim in listed.values())

    def test_a_claim_that_cannot_be_read_is_one_of_a_lane_that_is_gone_and_strangers_are_none(self, claims, ledger):
        claims.take(UNITS[0], "lane-1-0", 1)
        for name, content in ((f"{UNITS[0]}.1", b'{"unit": "'), ("Copy of x.1", b"{}"), ("desktop", b"")):
            ledger.store.put(ledger.path(f"claims/{name}.json"), content)
        (claim,) = claims.listing().values()
        assert (claim.unit, claim.number, claim.released) == (UNITS[0], 1, False)
        assert not under_way([claim], lane="lane-1-0")
        claims.release(claim)
        assert claims.take(UNITS[0], "lane-1-1", 1, claims.listing()[UNITS[0]]).number == 2

    def test_a_claim_that_is_held_is_not_taken(self, claims):
        claims.take(UNITS[0], "lane-1-0", 1)
        assert claims.take(UNITS[0], "lane-1-1", 1, claims.listing()[UNITS[0]]) is None
        assert claims.take(UNITS[0], "lane-1-1", 1) is None

    def test_what_is_released_is_claimed_again_by_one(self, claims):
        for unit in UNITS:
            claims.release(claims.take(unit, "lane-1-0", 1))
            claims.release(claims.listing()[unit])  # twice does no harm
        for unit in UNITS:
            last = claims.listing()[unit]
            assert last.released
            with ThreadPoolExecutor(4) as pool:
                taken = list(pool.map(lambda lane, unit=unit, last=last: claims.take(unit, lane, 2, last), "abcd"))
            assert sum(claim is not None for claim in taken) == 1
            assert (claims.listing()[unit].number, claims.listing()[unit].released) == (2, False)

    def test_one_claim_is_read_as_a_listing_has_it(self, claims):
        first = claims.take(UNITS[0], "lane-1-0", 3)
        assert claims.read(UNITS[0], 1) == claims.listing()[UNITS[0]]
        claims.release(first)
        assert claims.read(UNITS[0], 1) == claims.listing()[UNITS[0]]
        assert claims.read(UNITS[0], 1).released
        assert claims.read(UNITS[0], 2) is None

    def test_a_release_that_comes_late_takes_nothing_from_the_next_lane(self, claims):
        first = claims.take(UNITS[0], "lane-1-0", 1)
        claims.release(first)
        claims.take(UNITS[0], "lane-1-1", 1, claims.listing()[UNITS[0]])
        claims.release(first)
        assert not claims.listing()[UNITS[0]].released

    def test_a_lane_that_starts_anew_knows_what_it_held(self, claims):
        for unit in UNITS[:3]:
            claims.take(unit, "lane-1-0", 1)
        claims.take(UNITS[3], "lane-1-1", 1)
        claims.release(claims.listing()[UNITS[1]])
        assert {claim.unit for claim in under_way(claims.listing().values(), lane="lane-1-0")} == {UNITS[0], UNITS[2]}

    def test_strangers_files_are_no_claims(self, claims, ledger):
        for name in ("Thumbs.db", "readme.json", "a.b.json", "1.json"):
            ledger.store.put(ledger.path(f"claims/{name}"), b"{}")
        assert claims.listing() == {}

    def test_a_claim_that_lost_its_metadata_is_read(self, claims, ledger):
        claims.take(UNITS[0], "lane-1-3", 2)
        path = ledger.path(f"claims/{UNITS[0]}.1.json")
        ledger.store.put(path, ledger.store.get(path))
        assert (claims.listing()[UNITS[0]].lane, claims.listing()[UNITS[0]].launch) == ("lane-1-3", 2)
