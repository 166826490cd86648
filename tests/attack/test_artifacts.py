"""Artifacts that an attacker saves: their names, links in their place, and pictures that hold scripts."""

import pytest

from tests.attack.conftest import SECRET
from tests.attack.test_links import put_link
from windtunnel.ledger.artifacts import MOST

SVG = b"""<svg xmlns="http://www.w3.org/2000/svg" onload="window.hit = 1"><script>window.hit = 1</script></svg>"""


def saved(live, name, content):
    trial = live.plan("1").requests[0].trial
    live.store.put(live.trial_path(trial, f"artifacts/{name}"), content)
    return trial


@pytest.mark.parametrize("name", ["picture.svg", "page.html", "script.js"])
def test_what_a_browser_could_run_is_only_ever_a_file_to_save(page, live, name):
    trial = saved(live, name, SVG)
    reply = page.file(f"artifacts/{name}", trial=trial)
    assert reply.content == SVG
    assert reply.headers["content-type"] == "application/octet-stream"
    assert reply.headers["content-disposition"] == f'attachment; filename="{trial}-{name}"'
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert "script-src 'self'" in reply.headers["content-security-policy"]


@pytest.mark.parametrize(
    "name",
    [
        "artifacts",
        "artifacts/",
        "artifacts/../request.json",
        "artifacts/../../../search.json",
        "artifacts//etc/passwd",
        "artifacts/.meta/lock",
        "artifacts/a/.meta/lock",
        "artifacts\\..\\checkpoint.pt",
        "artifacts/..\\..\\checkpoint.pt",
        "other/artifacts/a.txt",
        "artifacts/a\0b",
        "checkpoint.pt",
    ],
)
def test_no_name_leads_out_of_the_artifacts(page, live, name):
    trial = saved(live, "a.txt", b"kept")
    live.store.put(live.trial_path(trial, "checkpoint.pt"), b"weights")
    live.store.put(live.trial_path(trial, "other/artifacts/a.txt"), b"other")
    assert page.file("artifacts/a.txt", trial=trial).content == b"kept"
    assert page.file(name, trial=trial).status_code == 404


@pytest.mark.parametrize("name", ["artifacts/a.txt", "artifacts"])
def test_no_link_is_followed(page, live, secret, tmp_path, name):
    trial = saved(live, "b/c.txt", b"kept")
    (tmp_path / "a.txt").write_text(SECRET)
    put_link(live, f"trials/{trial}/{name}", tmp_path if name == "artifacts" else secret)
    reply = page.file("artifacts/a.txt", trial=trial)
    assert (reply.status_code, SECRET in reply.text) == (404, False)
    assert "a.txt" not in page.data("trial", trial=trial).text
    assert "a.txt" not in page.data("artifacts", trial=trial).text


def test_artifacts_of_chosen_trials_are_listed_and_of_no_other_run(page, live):
    trial = saved(live, "plots/loss.svg", SVG)
    found = page.data("artifacts", trial=[trial, "0123456789abcdef-e1", "../../other"]).json()
    assert [each["name"] for each in found[trial]] == ["artifacts/plots/loss.svg"]
    assert list(found) == [trial]
    (shown,) = page.data("trial", trial=trial).json()["artifacts"]
    assert (shown["name"], shown["size"]) == ("artifacts/plots/loss.svg", len(SVG))


def test_of_endless_artifacts_the_page_lists_as_many_as_a_trial_may_keep(page, live):
    trial = saved(live, "a.txt", b"kept")
    folder = live.store.folder / live.trial_path(trial, "artifacts")
    for number in range(MOST + 20):
        (folder / f"f{number:05}").touch()
    assert len(page.data("artifacts", trial=trial).json()[trial]) == MOST
    shown = page.data("trial", trial=trial).json()
    assert (len(shown["artifacts"]), shown["left_out"]["artifacts"]) == (100, MOST - 100)
