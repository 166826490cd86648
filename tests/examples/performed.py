"""The shipped examples, as their users start them but without Airflow."""

import importlib.util
import sys

import torch

from tests.installed import ROOT
from windtunnel import stages
from windtunnel.definition import load_definition, resolve
from windtunnel.definition.load import read_fields
from windtunnel.engine import Engine
from windtunnel.functions.run import Run
from windtunnel.ledger import Ledger

EXAMPLES = ROOT / "examples"


def perform(file, folder, **changes):
    """Search by an example's definition, with some fields changed; returns the run."""
    return perform_file(EXAMPLES / file, folder, **changes)


def perform_file(file, folder, **changes):
    """Search by a definition, with some fields changed; returns the run."""
    fields = load_definition(file).model_dump(mode="json") | changes
    definition, faults = read_fields(fields)
    assert faults == []
    ledger = Ledger.open(f"{folder}/{definition.name}/run")
    Engine(stages.begin(resolve(definition), ledger, "test")).perform()
    return Run(ledger)


def trials(run):
    """A run's trials, a row each, with pandas or without it."""
    return run.trials if isinstance(run.trials, list) else run.trials.to_dict("records")


def imported(file, monkeypatch):
    """An example's script as a module, which finds what lies beside it."""
    path = EXAMPLES / file
    monkeypatch.syspath_prepend(str(path.parent))
    name = f"example_{path.parent.name}"
    module = importlib.util.module_from_spec(importlib.util.spec_from_file_location(name, path))
    monkeypatch.setitem(sys.modules, name, module)
    module.__spec__.loader.exec_module(module)
    return module


def lines(module, arguments, capsys):
    """What a script prints that is given these arguments; on one thread, since more would wait for each other."""
    given, threads = sys.argv, torch.get_num_threads()
    sys.argv = [module.__file__, *arguments]
    torch.set_num_threads(1)
    try:
        module.main()
    finally:
        sys.argv = given
        torch.set_num_threads(threads)
    return capsys.readouterr().out.splitlines()
