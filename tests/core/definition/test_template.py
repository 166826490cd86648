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
