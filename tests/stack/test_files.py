"""What can be said of the images and the compose file without an engine."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
DOCKERFILES = [ROOT / "Dockerfile", ROOT / "trainer" / "Dockerfile"]
COMPOSE = (ROOT / "docker-compose.yaml").read_text()
SERVICES = yaml.safe_load(COMPOSE)["services"]


def test_the_images_pythons_agree():
    versions = {re.findall(r"3\.\d+", line)[-1] for file in DOCKERFILES for line in _lines(file, "FROM")}
    assert versions == {"3.11"}


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda file: file.parent.name)
def test_an_image_is_locked_runs_as_nobody_special_and_needs_no_buildkit(file):
    text = file.read_text()
    installs = re.findall(r"pip install [^&]*", text)
    assert installs
    assert all("--constraint" in each or "--no-deps" in each or "pip() {" in text for each in installs)
    assert _lines(file, "USER")[-1] == "USER 50000"
    assert "--mount" not in text and "<<" not in text


def test_the_trainers_image_has_no_airflow_and_airflows_no_torch():
    assert "[trainer,azure]" in DOCKERFILES[1].read_text()
    assert "[server,report]" in DOCKERFILES[0].read_text()


def test_every_setting_of_the_compose_file_has_its_line_in_the_example():
    used = set(re.findall(r"(?<!\$)\$\{([A-Z_]+)", COMPOSE))
    example = (ROOT / ".env.example").read_text()
    named = dict(re.findall(r"^#?([A-Z_]+)=(.*)$", example, re.MULTILINE))
    assert used == set(named)
    defaults = dict(re.findall(r"\$\{([A-Z_]+):-([^}$]*)\}", COMPOSE))
    shown = {name: value for name, value in named.items() if f"#{name}=" not in example}
    assert shown == {name: defaults[name] for name in shown}


def test_every_service_that_stays_is_watched_and_comes_back():
    for name, service in SERVICES.items():
        if name not in ("init", "k3s-setup"):
            assert service["restart"] == "unless-stopped", name
            assert service["healthcheck"]["test"], name


def test_only_the_api_server_can_be_reached_and_from_this_machine_only():
    ports = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert ports == {"api-server": ["${AIRFLOW_ADDRESS:-127.0.0.1:8080}:8080"]}


def test_the_profile_adds_a_kubernetes_and_prepares_it():
    profiled = {name for name, service in SERVICES.items() if service.get("profiles") == ["kubernetes"]}
    assert profiled == {"k3s", "k3s-setup"}
    volumes = SERVICES["k3s-setup"]["volumes"]
    assert "kubernetes:/kubernetes" in volumes
    assert "k3s-admin:/output:ro" in volumes
    assert "k3s-admin:/output" in SERVICES["k3s"]["volumes"]
    assert "/opt/airflow/kubernetes/config" in SERVICES["scheduler"]["environment"]["AIRFLOW_CONN_KUBERNETES_DEFAULT"]
    assert "k3s-admin" not in str(SERVICES["scheduler"]["volumes"])


def _lines(file, word):
    return [line for line in file.read_text().splitlines() if line.startswith(f"{word} ")]
