"""Imports run one way, dags → windtunnel_airflow → windtunnel ← windtunnel_trainer; heavy packages stay in place."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = {
    "windtunnel": ROOT / "include" / "windtunnel",
    "windtunnel_airflow": ROOT / "plugins" / "windtunnel_airflow",
    "windtunnel_trainer": ROOT / "trainer" / "windtunnel_trainer",
    "dags": ROOT / "dags",
}
FORBIDDEN = {
    "windtunnel": {"airflow", "windtunnel_airflow", "windtunnel_trainer", "torch", "dags", "tests"},
    "windtunnel_airflow": {"torch", "windtunnel_trainer", "dags", "tests"},
    "windtunnel_trainer": {"airflow", "windtunnel_airflow", "dags", "tests"},
    "dags": {"airflow", "windtunnel", "windtunnel_trainer", "torch", "tests"},
}
# The command that trains one trial in the foreground starts the trainer, as a launcher starts it in a process.
ALLOWED = {("include/windtunnel/cli", "windtunnel_trainer")}
HEAVY = {"torch", "optuna", "azure", "kubernetes", "plotly", "matplotlib", "onnx", "onnxruntime", "sklearn", "pandas"}


def modules(package):
    return sorted(FOLDERS[package].rglob("*.py"))


def imports(tree, *, top_level):
    """Top-level names of what a module imports; `import_module("x")` counts too."""
    nodes = executed_on_import(tree) if top_level else ast.walk(tree)
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]
        elif isinstance(node, ast.Call) and "import_module" in ast.unparse(node.func):
            yield from (a.value.partition(".")[0] for a in node.args if isinstance(a, ast.Constant))


def executed_on_import(tree):
    """All nodes but those inside functions and under `if TYPE_CHECKING`."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            waiting += node.orelse
            continue
        waiting += ast.iter_child_nodes(node)


@pytest.mark.parametrize("package", FOLDERS)
def test_imports_run_one_way(package):
    wrong = []
    for file in modules(package):
        found = set(imports(ast.parse(file.read_text()), top_level=False)) & FORBIDDEN[package]
        place = file.relative_to(ROOT).as_posix()
        found -= {name for folder, name in ALLOWED if place.startswith(folder)}
        wrong += [f"{place} imports {name}" for name in sorted(found)]
    assert modules(package)
    assert not wrong


@pytest.mark.parametrize("package", ["windtunnel", "windtunnel_airflow", "dags"])
def test_nothing_heavy_is_imported_with_a_module(package):
    wrong = []
    for file in modules(package):
        found = set(imports(ast.parse(file.read_text()), top_level=True)) & HEAVY
        wrong += [f"{file.relative_to(ROOT)} imports {name} at module level" for name in sorted(found)]
    assert not wrong


def test_the_core_needs_the_standard_library_and_its_few_dependencies_only():
    known = sys.stdlib_module_names | {"windtunnel", "pydantic", "pydantic_core", "yaml", "rfc8785"}
    numeric = {"moocore", "numpy", "scipy"}  # of a strategy's models, which are imported when it suggests
    models = FOLDERS["windtunnel"] / "strategies" / "pareto"
    wrong = []
    for file in modules("windtunnel"):
        found = set(imports(ast.parse(file.read_text()), top_level=True)) - known
        if file.parent == models and file.name != "__init__.py":
            found -= numeric
        wrong += [f"{file.relative_to(ROOT)} imports {name} at module level" for name in sorted(found)]
    assert not wrong


def test_a_definition_is_checked_without_what_models_need():
    program = """import sys
from windtunnel.strategies import get_strategy
get_strategy("pareto"), get_strategy("gp")
sys.exit(", ".join({"numpy", "scipy", "moocore"} & sys.modules.keys()))"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stderr.strip() == ""


def test_a_breach_is_seen():
    tree = ast.parse("import airflow.sdk\ndef f():\n    import torch\nif TYPE_CHECKING:\n    import plotly")
    assert set(imports(tree, top_level=False)) == {"airflow", "torch", "plotly"}
    assert set(imports(tree, top_level=True)) == {"airflow"}


def test_nothing_lies_at_the_top_of_the_core_but_packages_and_what_all_of_them_need():
    assert {file.stem for file in FOLDERS["windtunnel"].glob("*.py")} == {
        "__init__",
        "__main__",
        "errors",
        "text",
        "validation",
    }
