from pathlib import Path

import pytest
import yaml

from tests.core.definition.conftest import GOOD
from tests.core.definition.test_load import BASE
from tests.definitions import definition_from
from windtunnel.definition import load_definition
from windtunnel.errors import DefinitionError

EXAMPLE = Path(__file__).parents[3] / "include" / "pod_template.yaml"
POD = {"spec": {"containers": [{"name": "trainer", "image": "i"}]}}


def fault(template):
    with pytest.raises(DefinitionError) as caught:
        definition_from({**GOOD, "launcher": "kubernetes", "pod_template": template})
    return str(caught.value)


def test_the_file_is_found_beside_the_definition_or_above(write, tmp_path):
    file = write(BASE + "launcher: kubernetes\n", "a/search.yaml") if (tmp_path / "a").mkdir() is None else None
    with pytest.raises(DefinitionError, match=r"pod_template: is missing, and there is no pod_template\.yaml"):
        load_definition(file)
    (tmp_path / "pod_template.yaml").write_text(yaml.safe_dump(POD))
    assert load_definition(file).pod_template == POD
    (tmp_path / "a" / "pod_template.yaml").write_text(yaml.safe_dump(POD | {"kind": "Pod"}))
    assert load_definition(file).pod_template == POD | {"kind": "Pod"}


def test_the_definition_names_the_file(write, tmp_path):
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(POD))
    assert load_definition(write(f"{BASE}launcher: kubernetes\npod_template: mine.yaml\n")).pod_template == POD
    with pytest.raises(DefinitionError, match=r"yours\.yaml: cannot be read: No such file"):
        load_definition(write(f"{BASE}pod_template: yours.yaml\n"))


def test_a_search_on_this_machine_needs_none(write):
    assert load_definition(write(BASE)).pod_template is None


def test_the_example_is_sound():
    definition = definition_from({**GOOD, "launcher": "kubernetes", "pod_template": str(EXAMPLE)})
    assert definition.pod_template["spec"]["securityContext"]["runAsNonRoot"] is True


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ({"kind": "Job", **POD}, 'pod_template.kind: found "Job"; allowed: Pod'),
        ({}, "pod_template.spec: found null; allowed: a pod's spec"),
        ({"spec": {"containers": []}}, "pod_template.spec.containers: found []"),
        ({"spec": {"containers": [{"name": "a", "image": "i"}]}}, 'found ["a"]; allowed: exactly one named trainer'),
        ({"spec": {"containers": [{"name": "trainer"}]}}, "found null; allowed: an image for trainer"),
        ({"spec": POD["spec"] | {"restartPolicy": "Always"}}, 'restartPolicy: found "Always"; allowed: Never'),
        ({"metadata": {"namespace": "x"}, **POD}, "it belongs into resources.namespace"),
    ],
)
def test_what_cannot_work_is_told(template, message):
    assert message in fault(template)


def definition_with(trainer, resources=None, **template):
    pod = {"spec": {"containers": [{"name": "trainer", "image": "i", **trainer}]}, **template}
    return definition_from({**GOOD, "launcher": "kubernetes", "pod_template": pod, "resources": resources or {}})


@pytest.mark.parametrize(
    "device",
    ["nvidia.com/mig-1g.5gb", "nvidia.com/gpu.shared", "amd.com/gpu", "gpu.intel.com/i915", "habana.ai/gaudi",
     "google.com/tpu", "aws.amazon.com/neuron"],
)  # fmt: skip
@pytest.mark.parametrize("field", ["limits", "requests"])
def test_other_devices_beside_gpus_are_told_with_both_fields(device, field):
    asks = {"resources": {field: {device: "1"}}}
    with pytest.raises(DefinitionError) as caught:
        definition_with(asks, {"gpus": 1})
    told = str(caught.value)
    assert f"pod_template.spec.containers[0].resources.{field}.{device}: is given beside resources.gpus" in told
    assert "leave out resources.gpus" in told
    assert definition_with(asks).pod_template["spec"]["containers"][0]["resources"] == asks["resources"]


def test_devices_that_are_claimed_are_devices_too():
    with pytest.raises(DefinitionError, match=r"resources\.claims: is given beside resources\.gpus"):
        definition_with({"resources": {"claims": [{"name": "gpu"}]}}, {"gpus": 1})


def test_what_is_no_device_may_stand_beside_gpus():
    amounts = {"nvidia.com/gpu": "1", "rdma/hca": "1", "hugepages-2Mi": "4Mi", "ephemeral-storage": "1Gi"}
    assert definition_with({"resources": {"limits": amounts}}, {"gpus": 2}).resources.gpus == 2


NULLS = [
    {"metadata": None},
    {"metadata": {"labels": None, "annotations": None, "name": None}},
    {"spec": {"containers": [{"name": "trainer", "image": "i", "resources": None, "env": None, "command": None}]}},
    {"spec": {"containers": [{"name": "trainer", "image": "i", "resources": {"limits": None, "requests": None}}]}},
    {"spec": {"restartPolicy": None, "volumes": None, **POD["spec"]}},
    {"kind": None},
]


@pytest.mark.parametrize("template", NULLS)
def test_a_key_that_is_null_is_not_there(template, tmp_path):
    from tests.core.launchers.kubernetes.test_manifest import job
    from windtunnel.launchers.kubernetes.manifest import manifest
    from windtunnel.ledger import Ledger
    from windtunnel.stores import open_store

    definition = definition_from({**GOOD, "launcher": "kubernetes", "pod_template": {**POD, **template},
                                  "resources": {"gpus": 1}})  # fmt: skip
    ledger = Ledger(open_store(str(tmp_path)), "search", "run", "0" * 64)
    made = manifest(ledger, job(), definition, 1)["spec"]["template"]["spec"]
    assert made["containers"][0]["resources"]["limits"] == {"nvidia.com/gpu": "1"}
    assert made["restartPolicy"] == "Never"


@pytest.mark.parametrize(
    ("trainer", "template", "message"),
    [
        ({}, {"metadata": ["a"]}, 'pod_template.metadata: found ["a"]; allowed: a mapping'),
        ({}, {"metadata": {"labels": "a"}}, 'pod_template.metadata.labels: found "a"; allowed: texts by name'),
        ({}, {"metadata": {"labels": {"version": 1}}}, "labels.version: found 1; allowed: text (put it in quotes)"),
        ({}, {"metadata": {"annotations": {"on": True}}}, "annotations.on: found true; allowed: text"),
        ({"resources": "much"}, {}, 'resources: found "much"; allowed: requests and limits'),
        ({"resources": {"limits": [1]}}, {}, "resources.limits: found [1]; allowed: amounts by resource"),
        ({"env": {"A": "1"}}, {}, 'env: found {"A": "1"}; allowed: a list of mappings'),
        ({"env": [{"name": "A", "value": 1}]}, {}, "env[0].value: found 1; allowed: text (put it in quotes)"),
        ({"command": "python"}, {}, 'command: found "python"; allowed: a list of texts'),
    ],
)
def test_a_key_of_another_type_is_told(trainer, template, message):
    with pytest.raises(DefinitionError) as caught:
        definition_with(trainer, **template)
    assert message in str(caught.value)
