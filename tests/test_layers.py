"""Imports run one way, dags → windtunnel_airflow → windtunnel ← windtunnel_trainer; heavy packages stay in place."""

import ast
import re
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


def test_nothing_lies_at_the_top_of_the_core_but_packages_and_what_all_of_them_or_scripts_need():
    assert {file.stem for file in FOLDERS["windtunnel"].glob("*.py")} == {
        "__init__",
        "__main__",
        "errors",
        "script",
        "text",
        "validation",
    }


ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text()


def core_imports():
    """Which packages of the core each of them imports, wherever in a module: in a function, or for types alone, too."""
    core = FOLDERS["windtunnel"]
    graph = {folder.name: set() for folder in core.iterdir() if (folder / "__init__.py").is_file()}
    for file in modules("windtunnel"):
        package = file.relative_to(core).parts[0]
        for node in ast.walk(ast.parse(file.read_text())) if package in graph else ():
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [f"{node.module}.{alias.name}" for alias in node.names]
            graph[package] |= {name.split(".")[1] for name in names if name.startswith("windtunnel.")} & graph.keys()
        graph.get(package, set()).discard(package)
    return graph


def reached(graph, start):
    """All packages that imports lead to from one."""
    reach, waiting = set(), [start]
    while waiting:
        new = graph[waiting.pop()] - reach
        reach |= new
        waiting += new
    return reach


def needed(graph):
    """The imports of a graph without cycles that do not follow from others."""
    return {
        (package, other)
        for package, others in graph.items()
        for other in others
        if not any(other in reached(graph, third) for third in others - {other})
    }


def test_packages_of_the_core_import_one_another_in_one_direction():
    graph = core_imports()
    assert [package for package in graph if package in reached(graph, package)] == []


def test_the_drawing_of_the_packages_is_true():
    (drawing,) = re.findall(r"```mermaid\ngraph TD\n(.*?)```", ARCHITECTURE, re.DOTALL)
    arrows = set(re.findall(r"(\w+) --> (\w+)", drawing))
    assert arrows == needed(core_imports())
    assert {package for arrow in arrows for package in arrow} == core_imports().keys()


def test_what_follows_from_other_imports_is_not_needed():
    assert needed({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == {("a", "b"), ("b", "c")}
    assert reached({"a": {"b"}, "b": {"a"}}, "a") == {"a", "b"}


WALKS = ARCHITECTURE.partition("## Three walks")[2].partition("\n## ")[0]


def function_of(name):
    """The function that a walk names: `file.py:function` or `file.py:Class.method`; a core's file without its root."""
    file, _, path = name.partition(":")
    package, _, rest = file.partition("/")
    place = FOLDERS[package] / rest if package in FOLDERS else FOLDERS["windtunnel"] / file
    scope = ast.parse(place.read_text())
    for part in path.split("."):
        kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
        scope = next((node for node in scope.body if isinstance(node, kinds) and node.name == part), None)
        assert scope is not None, f"{name}: there is no {part}"
    return scope


def only_passes_on(function):
    """Whether a function does nothing but call another one with its own arguments."""
    body = [node for node in function.body if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))]
    if len(body) != 1 or not isinstance(body[0], ast.Return | ast.Expr) or not isinstance(body[0].value, ast.Call):
        return False
    call = body[0].value
    given = [node.id for node in (*call.args, *(word.value for word in call.keywords)) if isinstance(node, ast.Name)]
    parameters = [each.arg for each in (*function.args.args, *function.args.kwonlyargs) if each.arg != "self"]
    return len(given) == len(call.args) + len(call.keywords) and given == parameters


NAME = re.compile(r"`([\w/]+\.py:[\w.]+)`")


@pytest.mark.parametrize("name", dict.fromkeys(NAME.findall(ARCHITECTURE)))
def test_what_the_architecture_names_exists(name):
    assert function_of(name) is not None


@pytest.mark.parametrize("name", dict.fromkeys(NAME.findall(WALKS)))
def test_a_walk_passes_functions_that_exist_and_do_something(name):
    assert not only_passes_on(function_of(name))


def test_there_are_three_walks():
    assert len(re.findall(r"^\*\*", WALKS, re.MULTILINE)) == 3


def test_a_function_that_only_passes_on_is_seen():
    passing, working = ast.parse("def f(a, b):\n    return g(a, b)\ndef h(a, b):\n    return g(a, b + 1)").body
    assert only_passes_on(passing)
    assert not only_passes_on(working)
