"""The GPUs of this machine that a job may use, and the share of them that a unit gets."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from windtunnel.definition.threads import share
from windtunnel.ledger import Job

_DEV = Path("/dev")


def devices() -> list[str]:
    """The GPUs to share out: those that this process may see."""
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    if given is not None:
        return [device for device in given.split(",") if device]
    devices_here = [str(index) for index, _ in enumerate(_DEV.glob("nvidia[0-9]*"))]
    return devices_here or (_devices_of_windows() if (_DEV / "dxg").exists() else [])


def visible_to(place: int, gpus: int, devices: Sequence[str]) -> dict[str, str]:
    """The environment in which a unit sees its share of the GPUs, as `CUDA_VISIBLE_DEVICES`.

    Args:
        place: the unit's number among all that run at once on this machine, counted from 0.
        gpus: that a unit gets; units share GPUs where there are too few.
        devices: of the machine.
    """
    if not devices:
        return {}
    first = place * gpus
    own = (devices[number % len(devices)] for number in range(first, first + gpus))
    return {"CUDA_VISIBLE_DEVICES": ",".join(dict.fromkeys(own))}


def visible_in(lane: Job, slot: int, gpus: int | None, devices: Sequence[str]) -> dict[str, str]:
    """The environment in which a slot of a lane sees its share of the GPUs.

    Args:
        lane: the job.
        slot: within it, from 0.
        gpus: that the lane asks for; None for one a slot.
        devices: of the machine.
    """
    return visible_to(lane.lane * lane.slots + slot, share(gpus or lane.slots, lane.slots), devices)


def _devices_of_windows() -> list[str]:
    """Those of WSL2, which shows one device whatever their number; only Nvidia's own program can count them."""
    program = shutil.which("nvidia-smi") or "/usr/lib/wsl/lib/nvidia-smi"
    try:
        listed = subprocess.run(
            [program, "--query-gpu=index", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return []
    return listed.stdout.split()
