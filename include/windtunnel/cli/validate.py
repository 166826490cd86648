"""Check definitions, their workloads' space and cost included; needs no Airflow."""

import argparse
import sys
from pathlib import Path

from windtunnel.definition import Definition, Fleet, load_any, resolve
from windtunnel.definition.program import program_of, warnings_of
from windtunnel.errors import WindtunnelError, WorkloadError
from windtunnel.space import Params, Space
from windtunnel.strategies import Problem, generator, get_strategy
from windtunnel.text import counted, printable
from windtunnel.workload.contract import known_values

_DRAWN = 20  # configurations that the workload's cost is tried with


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("files", nargs="+", metavar="FILE", type=Path, help="a search's or a fleet's YAML file")
    parser.add_argument(
        "--source", action="store_true", help="name the files of the workload's source, which ids depend on"
    )


def run(arguments: argparse.Namespace) -> int:
    """Say of each file in a line what it searches, or what is wrong with it; name its workload's source if asked to."""
    wrong = 0
    for file in arguments.files:
        try:
            definition = load_any(file)
            if isinstance(definition, Fleet):
                print(printable(f"{file}: fine: {definition.summary}"))
                for each in definition.warnings:
                    print(printable(f"  warning: {each}"))
                continue
            definition = resolve(definition)
            print(printable(f"{file}: {_summary(definition)}"))
            source = program_of(definition)
            for line in (
                *(f"warning: {each}" for each in warnings_of(definition, source)),
                *(source if arguments.source else ()),
            ):
                print(printable(f"  {line}"))
        except WindtunnelError as error:
            print(printable(_named(str(error), file)), file=sys.stderr)
            wrong += 1
    return 1 if wrong else 0


def _summary(definition: Definition) -> str:
    """What the definition searches; drawing one configuration tries the workload's cost and the constraints.

    Raises:
        WindtunnelError: the cost fails, or nothing keeps the constraints.
    """
    space = Space.parse(definition.space or {})

    def known(params: Params) -> dict[str, float]:
        return known_values(definition.workload, params, definition.settings)

    problem = Problem(space, definition.objectives, definition.constraints, known)
    failing = _failing_costs(problem, definition.seed)
    strategy = get_strategy(definition.strategy.name, definition.strategy.options)
    example = strategy.suggest(problem, [], 1, definition.seed, 1).suggestions[0].params
    free = sorted(known(example).keys() - {"work"})
    size = space.size()
    objectives = ", ".join(f"{direction} {name}" for name, direction in definition.objectives.items())
    measured = [name for name in (*definition.objectives, *definition.constraints) if name not in free]
    free_or_not, of_results = ", ".join(free) or "nothing", ", ".join(dict.fromkeys(measured))
    return (
        f"fine: {objectives} over {'infinitely many' if size is None else size} configurations "
        f"of {', '.join(space.parameters)}; {counted(definition.iterations, 'iteration')}, at most "
        f"{counted(definition.most_trials, 'trial')}; known before training: {free_or_not}; "
        f"measured: {of_results}{failing}"
    )


def _failing_costs(problem: Problem, seed: int) -> str:
    """How many configurations of some the workload's cost fails for, as the end of a sentence.

    Raises:
        WorkloadError: it fails for all of them.
    """
    rng, errors = generator(seed, 0), []
    for _ in range(_DRAWN):
        try:
            problem.known(problem.space.sample(rng))
        except WorkloadError as error:
            errors.append(error)
    if len(errors) == _DRAWN:
        raise errors[0]
    return f"; left out: {len(errors)} of {_DRAWN} configurations, such as: {errors[0]}" if errors else ""


def _named(message: str, file: Path) -> str:
    """The message's lines, each naming the file."""
    return "\n".join(line if str(file) in line else f"{file}: {line}" for line in message.splitlines())
