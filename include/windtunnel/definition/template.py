"""The pod template that a definition names: read where the definition is read, so that a run records what it ran."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from windtunnel.definition.document import Document
from windtunnel.errors import DefinitionError
from windtunnel.validation import Fault, shown

FILE = "pod_template.yaml"
TRAINER = "trainer"  # the container that runs the job, where a pod has several


def with_template(data: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The definition's fields with the content of its pod template in place of the file.

    Args:
        data: the fields as written.
        folder: that the file is relative to.

    Raises:
        DefinitionError: the template cannot be read, or `launcher: kubernetes` has none.
    """
    given = data.get("pod_template")
    if isinstance(given, str):
        return data | {"pod_template": Document(folder / given).data}
    if given is not None or data.get("launcher") != "kubernetes":
        return data
    for file in (folder / FILE, folder.absolute().parent / FILE):
        if file.is_file():
            return data | {"pod_template": Document(file).data}
    raise DefinitionError(
        f"{data.get('name')}: pod_template: is missing, and there is no {FILE} in {folder.absolute()} or above it;"
        " give the file of a pod template"
    )


def template_faults(template: Mapping[str, Any]) -> Iterator[Fault]:
    """What the launcher cannot work with; the rest is for the cluster to judge."""
    if template.get("kind", "Pod") != "Pod":
        yield _fault(("kind",), template["kind"], "Pod")
    metadata, spec = template.get("metadata", {}), template.get("spec")
    if isinstance(metadata, Mapping) and "namespace" in metadata:
        yield Fault(("pod_template", "metadata", "namespace"), "is given; it belongs into resources.namespace")
    if not isinstance(spec, Mapping):
        yield _fault(("spec",), spec, "a pod's spec")
        return
    if spec.get("restartPolicy", "Never") != "Never":
        yield _fault(("spec", "restartPolicy"), spec["restartPolicy"], "Never: the job starts new pods")
    containers = spec.get("containers")
    if not isinstance(containers, list) or not containers or not all(isinstance(one, Mapping) for one in containers):
        yield _fault(("spec", "containers"), containers, f"a list of containers, one of them named {TRAINER}")
        return
    trainers = [one for one in containers if one.get("name") == TRAINER]
    if len(trainers) != 1:
        names = [one.get("name") for one in containers]
        yield _fault(("spec", "containers"), names, f"exactly one named {TRAINER}")
    elif not isinstance(trainers[0].get("image"), str):
        yield _fault(("spec", "containers"), trainers[0].get("image"), f"an image for {TRAINER}")


def _fault(path: tuple[str, ...], value: Any, allowed: str) -> Fault:
    return Fault(("pod_template", *path), f"found {shown(value)}; allowed: {allowed}")
