import pytest

from windtunnel.stages.question import describe_finalists


@pytest.mark.parametrize("verify", [True, False])
def test_a_person_who_is_asked_is_told_what_becomes_of_the_models(bench, monkeypatch, verify):
    if not verify:
        monkeypatch.delattr("tests.workloads.formula.verify")
    search = bench.begin()
    bench.iterate(search, 1)
    asked = describe_finalists(search)
    assert "They are trained to 4 epochs; then " in asked
    assert ("each model is verified" in asked) == verify
    assert ("no model is verified" in asked) == (not verify)
