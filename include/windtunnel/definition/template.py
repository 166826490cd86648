"""The pod template that a definition names: read where the definition is read, so that a run records what it ran."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path as FilePath
from typing import Any

from windtunnel.definition.document import Document
from windtunnel.errors import DefinitionError
from windtunnel.validation import Fault, Path, shown

FILE = "pod_template.yaml"
GPU = "nvidia.com/gpu"
# Other devices to train on, by the names that clusters know them by.
_DEVICE = re.compile(r"^nvidia\.com/|^habana\.ai/|/(.*gpu.*|tpu|neuron.*|i915|xe|ascend.*)$", re.IGNORECASE)
TRAINER = "trainer"  # the container that runs the job, where a pod has several


def with_template(data: dict[str, Any], folder: FilePath) -> dict[str, Any]:
    """The definition's fields with the content of its pod template in place of the file.

    Args:
        data: the fields as written.
        folder: that the file is relative to.

    Raises:
        DefinitionError: the template cannot be read, or `launcher: kubernetes` has none.
    """
    given = data.get("pod_template")
    if isinstance(given, str):
        return data | {"pod_template": _without_nulls(Document(folder / given).data)}
    if given is not None:
        return data | {"pod_template": _without_nulls(given)}
    if data.get("launcher") != "kubernetes":
        return data
    for file in (folder / FILE, folder.absolute().parent / FILE):
        if file.is_file():
            return data | {"pod_template": _without_nulls(Document(file).data)}
    raise DefinitionError(
        f"{data.get('name')}: pod_template: is missing, and there is no {FILE} in {folder.absolute()} or above it;"
        " give the file of a pod template"
    )


def template_faults(template: Mapping[str, Any], gpus: Any = None) -> Iterator[Fault]:
    """What the launcher cannot work with; the rest is for the cluster to judge.

    Args:
        template: without keys that are null.
        gpus: what `resources.gpus` asks for; None where the template decides.
    """
    if template.get("kind", "Pod") != "Pod":
        yield _fault(("kind",), template["kind"], "Pod")
    metadata, spec = template.get("metadata", {}), template.get("spec")
    if not isinstance(metadata, Mapping):
        yield _fault(("metadata",), metadata, "a mapping of fields to values")
        return
    if "namespace" in metadata:
        yield Fault(("pod_template", "metadata", "namespace"), "is given; it belongs into resources.namespace")
    for field in ("labels", "annotations"):
        yield from _texts(("metadata", field), metadata.get(field, {}))
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
        return
    if not isinstance(trainers[0].get("image"), str):
        yield _fault(("spec", "containers"), trainers[0].get("image"), f"an image for {TRAINER}")
    yield from _trainer_faults(("spec", "containers", containers.index(trainers[0])), trainers[0], gpus)


def _trainer_faults(path: Path, container: Mapping[str, Any], gpus: Any) -> Iterator[Fault]:
    command = container.get("command", [])
    if not isinstance(command, list) or not all(isinstance(word, str) for word in command):
        yield _fault((*path, "command"), command, "a list of texts")
    env = container.get("env", [])
    if not isinstance(env, list) or not all(isinstance(one, Mapping) and "name" in one for one in env):
        yield _fault((*path, "env"), env, "a list of mappings, each with a name")
    else:
        for at, variable in enumerate(env):
            yield from _texts((*path, "env", at), {key: variable[key] for key in ("name", "value") if key in variable})
    resources = container.get("resources", {})
    if not isinstance(resources, Mapping):
        yield _fault((*path, "resources"), resources, "requests and limits")
        return
    for field in ("requests", "limits"):
        amounts = resources.get(field, {})
        if not isinstance(amounts, Mapping):
            yield _fault((*path, "resources", field), amounts, "amounts by resource")
            continue
        for name in amounts if gpus is not None else ():
            if name != GPU and _DEVICE.search(str(name)):
                yield _devices_twice((*path, "resources", field, name))
    if gpus is not None and resources.get("claims"):
        yield _devices_twice((*path, "resources", "claims"))


def _devices_twice(path: Path) -> Fault:
    return Fault(
        ("pod_template", *path),
        f"is given beside resources.gpus, which asks for {GPU}; leave out resources.gpus where the template asks for "
        "its own devices, or take them out of the template",
    )


def _texts(path: Path, values: Any) -> Iterator[Fault]:
    if not isinstance(values, Mapping):
        yield _fault(path, values, "texts by name")
        return
    for name, value in values.items():
        if not isinstance(value, str):
            yield _fault((*path, str(name)), value, "text (put it in quotes)")


def _without_nulls(template: Any) -> Any:
    """The template without keys that are null: for a cluster they are not there."""
    if isinstance(template, Mapping):
        return {key: _without_nulls(value) for key, value in template.items() if value is not None}
    if isinstance(template, list):
        return [_without_nulls(value) for value in template]
    return template


def _fault(path: Path, value: Any, allowed: str) -> Fault:
    return Fault(("pod_template", *path), f"found {shown(value)}; allowed: {allowed}")
