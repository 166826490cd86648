"""A workload that leaves files behind, with a model that needs none of torch, epochs and ONNX."""

import os
import signal
import time
from pathlib import Path


def train(trial):
    trial.report(val_acc=0.5)
    trial.save("notes/said.txt", f"{trial.id} to {trial.target_epochs:g}".encode())
    (trial.folder / "plots").mkdir()
    (trial.folder / "plots" / "loss.csv").write_text("epoch,loss\n1,0.5\n")
    (trial.folder / ".hidden").write_text("hidden")
    (trial.folder / "passwords").symlink_to("/etc/passwd")
    (trial.folder / "root").symlink_to("/", target_is_directory=True)
    os.mkfifo(trial.folder / "pipe")
    Path(trial.folder / "big.bin").write_bytes(b"x" * trial.settings.get("big", 10))
    if trial.settings.get("fails"):
        raise ValueError("it fails")
    match trial.params.get("do"):
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "exit":
            os._exit(3)
        case "wait":
            time.sleep(600)
