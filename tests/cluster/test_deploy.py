"""What deploy/ and the example template hold, before a real API server."""

import pytest
import yaml

from tests.cluster.cluster import ROLE, ROOT
from tests.core.definition.conftest import GOOD
from tests.core.launchers.kubernetes.test_manifest import job
from tests.definitions import definition_from
from windtunnel.launchers.kubernetes.client import Client
from windtunnel.launchers.kubernetes.manifest import manifest
from windtunnel.ledger import Ledger
from windtunnel.stores import open_store


def test_the_example_template_is_taken_by_the_cluster(cluster, tmp_path):
    resources = {"gpus": 1, "cpu": 2, "memory": "4 GiB", "queue": "team-a"}
    fields = {"launcher": "kubernetes", "pod_template": str(ROOT / "include" / "pod_template.yaml")}
    definition = definition_from({**GOOD, **fields, "resources": resources})
    made = manifest(Ledger(open_store(str(tmp_path)), "example", "run", "0" * 64), job(), definition, 1)
    taken = cluster.batch.create_namespaced_job(cluster.namespace, made, dry_run="All")
    spec = taken.spec.template.spec
    assert spec.security_context.run_as_non_root is True
    assert spec.containers[0].resources.limits == {"nvidia.com/gpu": "1", "memory": str(4 * 2**30)}
    assert {volume.name for volume in spec.volumes} == {"shared-memory", "scratch"}


def test_the_example_secret_is_what_the_example_template_names(cluster):
    secret = yaml.safe_load((ROOT / "deploy" / "storage-secret.yaml").read_text())
    cluster.core.create_namespaced_secret(cluster.namespace, secret, dry_run="All")
    template = yaml.safe_load((ROOT / "include" / "pod_template.yaml").read_text())
    (source,) = template["spec"]["containers"][0]["envFrom"]
    assert source["secretRef"]["name"] == secret["metadata"]["name"]


@pytest.mark.parametrize(
    ("verb", "resource", "namespace"),
    [
        ("create", "pods", None),
        ("list", "secrets", None),
        ("get", "secrets", None),
        ("update", "jobs", None),
        ("list", "jobs", "default"),
        ("create", "jobs", "default"),
        ("list", "nodes", ""),
    ],
)
def test_the_account_may_do_no_more(cluster, verb, resource, namespace):
    assert not may(cluster, verb, resource, namespace)


def test_the_account_may_do_what_its_role_says(cluster):
    (role,) = [part for part in yaml.safe_load_all(ROLE.read_text()) if part["kind"] == "Role"]
    for rule in role["rules"]:
        for verb in rule["verbs"]:
            assert may(cluster, verb, rule["resources"][0], None, rule["apiGroups"][0])
    assert Client().jobs("") is not None


def may(cluster, verb, resource, namespace, group=None):
    """What the API server answers the launcher's account about itself."""
    from kubernetes import client, config

    resource, _, part = resource.partition("/")
    group = group if group is not None else "batch" if resource == "jobs" else ""
    where = cluster.namespace if namespace is None else namespace
    asked = {"verb": verb, "resource": resource, "subresource": part, "namespace": where, "group": group}
    api = client.AuthorizationV1Api(config.new_client_from_config(str(cluster.kubeconfig)))
    review = api.create_self_subject_access_review({"spec": {"resourceAttributes": asked}})
    return review.status.allowed
