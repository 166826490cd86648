import pytest

from windtunnel.ledger.ids import config_id, epochs_text, first_id, retry_id, safe_name, steps, trial_id

FACTS = {
    "workload": "w",
    "code": "c",
    "settings": {},
    "horizon": 10.0,
    "best": None,
    "data": "d",
    "params": {"a": 1, "b": 0.5},
    "seed": 0,
}


def test_a_configuration_has_the_same_id_whatever_the_order_of_its_parameters():
    assert config_id(**FACTS) == config_id(**FACTS | {"params": {"b": 0.5, "a": 1}})
    assert len(config_id(**FACTS)) == 16


@pytest.mark.parametrize(
    "change",
    [
        {"workload": "v"},
        {"code": "x"},
        {"settings": {"lr": 1}},
        {"horizon": 20.0},
        {"best": ("score", "maximize")},
        {"data": "e"},
        {"params": {"a": 2, "b": 0.5}},
        {"seed": 1},
    ],
)
def test_whatever_decides_the_training_changes_the_id(change):
    assert config_id(**FACTS) != config_id(**FACTS | change)


def test_the_id_is_what_rfc_8785_and_sha_256_say():
    # python -c over the canonical text, keys sorted, 0.5 and 1 as ECMAScript prints them
    import hashlib

    text = '{"best":null,"code":"c","data":"d","horizon":10,"params":{"a":1,"b":0.5},"seed":0,"settings":{},'
    text += '"workload":"w"}'
    assert config_id(**FACTS) == hashlib.sha256(text.encode()).hexdigest()[:16]


@pytest.mark.parametrize(
    ("epochs", "text"),
    [(0.1, "0.1"), (1, "1"), (1.0, "1"), (10, "10"), (100.0, "100"), (0.25, "0.25"), (1e-3, "0.001")],
)
def test_epochs_are_decimals_without_trailing_zeros(epochs, text):
    assert epochs_text(epochs) == text
    assert trial_id("0" * 16, epochs) == "0" * 16 + "-e" + text


def test_steps_count_a_begun_step_whole_and_do_not_suffer_from_binary_fractions():
    assert steps(0.1, 10) == 1
    assert steps(0.1, 11) == 2
    assert steps(0.3, 10) == 3  # 0.3 * 10 is above 3 in binary
    assert steps(10, 7) == 70


def test_retries_are_numbered():
    assert retry_id("ab-e0.1") == "ab-e0.1.r1"
    assert retry_id("ab-e0.1.r1") == "ab-e0.1.r2"
    assert first_id("ab-e0.1.r2") == first_id("ab-e0.1") == "ab-e0.1"


def test_names_made_safe_stay_apart():
    assert safe_name("manual__2026-01-01T00_00_00") == "manual__2026-01-01T00_00_00"
    unsafe = ["a/b", "a b", "a_b", "../a", "..", "é", "x" * 300, "x" * 301, "a?b#c"]
    safe = [safe_name(name) for name in unsafe]
    assert len(set(safe)) == len(unsafe)
    assert all("/" not in name and name.strip(".") and len(name) <= 128 for name in safe)
