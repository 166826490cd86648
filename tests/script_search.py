"""A search of a script, whole: its checkpoints live through promotions and full training, its files are kept, and the
models that it leaves are checked. The same wherever it is performed."""

import textwrap
from pathlib import Path
from typing import Any

from windtunnel.ledger import Ledger, Result, State
from windtunnel.ledger.artifacts import artifacts
from windtunnel.ledger.curves import read_points

FILES = {
    "train.py": """
        import argparse, json, pathlib
        import own

        parser = argparse.ArgumentParser()
        for name, kind in {"lr": float, "epochs": int, "checkpoint": pathlib.Path, "output": pathlib.Path}.items():
            parser.add_argument(f"--{name}", type=kind)
        given = parser.parse_args()
        state = given.checkpoint / "state.json"
        done = json.loads(state.read_text()) if state.exists() else 0
        (given.output / "began.txt").write_text(str(done))
        for epoch in range(done + 1, given.epochs + 1):
            print(f"Epoch {epoch}: accuracy {own.accuracy(given.lr, epoch):.6f}")
            state.write_text(json.dumps(epoch))
        own.save_model(given.output / "model.onnx")
    """,
    "own.py": """
        def accuracy(lr, epoch):
            return lr * (1 - 2.0**-epoch)

        def save_model(file):
            import onnx
            from onnx import helper
            x, y = (helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["n"]) for name in ("x", "y"))
            graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "same", [x], [y])
            opset = [helper.make_opsetid("", 17)]
            onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), file)
    """,
    "check.py": """
        import pathlib, sys
        print(f"bytes={pathlib.Path(sys.argv[1]).stat().st_size} accuracy=0.5")
    """,
    ".env": "SECRET=1",
}
SEARCH: dict[str, Any] = {
    "script": {
        "file": "mine/train.py",
        "arguments": "{flags} --epochs={epochs} --checkpoint={checkpoint} --output={output}",
        "metrics": {"accuracy": r"Epoch (?P<epoch>\d+): accuracy (?P<value>\S+)"},
        "keep": ["output/*.txt"],
        "verify": "check.py {model}",
    },
    "space": {"lr": {"type": "float", "low": 0.0, "high": 1.0}},
    "objectives": {"accuracy": "maximize"},
    "strategy": "random",
    "seed": 1,
    "iterations": 3,
    "trials": {"initial": 4, "per_iteration": 2},
    "epochs": {"partial": 4, "full": 6},
    "early_stopping": {"halving": {"rungs": [1, 2], "factor": 2}},
    "finalists": {"max": 1},
    "limits": {"parallel": 2},
}


def write(folder: Path) -> None:
    """Write the script and what lies beside it into a folder below that of the definition, which fills as it runs."""
    (folder / "mine").mkdir()
    for name, content in FILES.items():
        (folder / "mine" / name).write_text(textwrap.dedent(content))


def check(ledger: Ledger) -> dict[str, Result]:
    """See that all that was asked of it was done; the results by trial."""
    results = ledger.outcomes()
    begun: dict[str, list[float]] = {}  # by configuration: where its trials began
    for trial, result in sorted(results.items(), key=lambda item: float(item[0].rpartition("-e")[2])):
        assert result.state is State.COMPLETED, result.message
        config, _, epochs = trial.rpartition("-e")
        (began,) = [ledger.store.get(entry.path) for entry in artifacts(ledger, trial).values()]
        assert list(artifacts(ledger, trial)) == ["output/began.txt"]
        assert float(began) == max(begun.get(config, [0.0]))
        begun.setdefault(config, []).append(float(epochs))
        assert [point["epoch"] for point in read_points(ledger, trial)] == list(range(1, int(epochs) + 1))
    assert any(len(rungs) > 2 for rungs in begun.values())
    models = ledger.read_json("models.json")["models"]
    assert [model["verdict"] for model in models] == ["verified"]
    assert 6.0 in begun[models[0]["trial"].rpartition("-e")[0]]
    return results
