"""What can be said of the images and the compose file without an engine."""

import re
import shutil
import stat
import subprocess
from base64 import b64decode
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
    own = ("--no-deps /tmp/wheel/*.whl", '"$torch"')  # torch's build differs by machine
    assert all("--no-deps --require-hashes" in each or any(word in each for word in own) for each in installs)
    assert _lines(file, "USER")[-1] == "USER 50000"
    assert "--mount" not in text and "<<" not in text


def test_the_trainers_image_has_no_airflow_and_airflows_no_torch():
    assert "locked.py torch,azure,front" in DOCKERFILES[1].read_text()
    assert "locked.py server,report" in DOCKERFILES[0].read_text()
    assert "without-hashes" not in DOCKERFILES[0].read_text()


def test_no_password_is_the_same_in_two_stacks():
    secret = re.findall(r"(?<!\$)\$\{([A-Z_]*(?:PASSWORD|KEY))(:[-?])([^}]*)\}", COMPOSE)
    assert {name for name, *_ in secret} == {"POSTGRES_PASSWORD", "AZURITE_KEY", "AIRFLOW_PASSWORD"}
    for name, operator, rest in secret:
        if name == "AIRFLOW_PASSWORD":  # without one, `init` makes it up
            assert (operator, rest) == (":-", "")
        else:
            assert operator == ":?"
            assert "scripts/compose-env" in rest


def test_passwords_are_made_up_once_and_for_this_user_only(tmp_path):
    made = [_made_up(tmp_path / name) for name in ("one", "other")]
    assert set(made[0]) == {"POSTGRES_PASSWORD", "AZURITE_KEY"}
    assert len(b64decode(made[0]["AZURITE_KEY"], validate=True)) == 48
    assert not set(made[0].values()) & set(made[1].values())
    assert all(len(value) >= 32 for each in made for value in each.values())
    assert _made_up(tmp_path / "one") == made[0]


def test_what_stands_in_the_settings_stays(tmp_path):
    (tmp_path / ".env").write_text("POSTGRES_PASSWORD=mine\nTORCH_INDEX=x")
    made = _made_up(tmp_path)
    assert (made["POSTGRES_PASSWORD"], made["TORCH_INDEX"]) == ("mine", "x")
    assert made["AZURITE_KEY"]


def _made_up(folder):
    (folder / "scripts").mkdir(parents=True, exist_ok=True)
    script = shutil.copy(ROOT / "scripts" / "compose-env", folder / "scripts")
    subprocess.run([script], check=True, capture_output=True)
    assert stat.S_IMODE((folder / ".env").stat().st_mode) == 0o600
    return dict(line.split("=", 1) for line in (folder / ".env").read_text().splitlines())


def test_what_runs_trials_shares_no_network_with_the_database_or_airflow():
    airflow = {"postgres", "init", "api-server", "scheduler", "dag-processor", "triggerer"}
    networks = {name: set(service["networks"]) for name, service in SERVICES.items()}
    for name in airflow:
        assert not networks[name] & networks["trainer"], name
    assert networks["trainer"] & networks["azurite"]
    # A cluster's pods reach what the cluster's node reaches.
    assert not networks["k3s"] & networks["postgres"]
    assert networks["k3s-setup"] & networks["azurite"] & networks["k3s"]


def test_the_trainer_has_no_key_of_airflows():
    trainer = str(SERVICES["trainer"])
    for word in ("secrets", "AIRFLOW__", "POSTGRES", "AIRFLOW_CONN"):
        assert word not in trainer


def test_every_setting_of_the_compose_file_has_its_line_in_the_example():
    used = set(re.findall(r"(?<!\$)\$\{([A-Z_]+)", COMPOSE))
    example = (ROOT / ".env.example").read_text()
    named = dict(re.findall(r"^#?([A-Z_]+)=(.*)$", example, re.MULTILINE))
    assert used == set(named)
    defaults = dict(re.findall(r"\$\{([A-Z_]+):-([^}$]*)\}", COMPOSE))
    required = set(re.findall(r"\$\{([A-Z_]+):\?", COMPOSE))
    assert all(f"#{name}=\n" in example for name in required)
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
