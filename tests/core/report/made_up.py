"""A made-up run: enough of everything that a report shows, without training anything."""

import json
import math
import random
from datetime import UTC, datetime, timedelta
from typing import Any

from windtunnel.definition.model import Definition
from windtunnel.ledger import Decision, Job, Ledger, Plan, Request, Result, Selection, State, Trial
from windtunnel.ledger.ids import trial_id
from windtunnel.ledger.session import Session

HOSTILE = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\"> & \"quotes\" 'too'"
BEGAN = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


def definition(**changes: Any) -> Definition:
    facts: dict[str, Any] = {
        "name": "digits_cnn",
        "description": "Small image classifiers for scikit-learn's digits: accurate, cheap and fast.",
        "workload": "windtunnel_trainer.workloads.cnn",
        "objectives": {"val_acc": "maximize", "flops": "minimize", "latency_ms": "minimize"},
        "constraints": {"params": {"max": 1e6}},
        "iterations": 4,
        "trials": {"initial": 10, "per_iteration": 12},
        "epochs": {"partial": 1, "full": 12},
    }
    return Definition(**(facts | changes))


SESSION = "manual__2026-11-21"


def begin(ledger: Ledger, of: Definition, session: str = SESSION) -> None:
    ledger.begin(
        {
            "definition": of.model_dump(mode="json"),
            "code": "0123456789abcdef",
            "versions": {"windtunnel": "0.1.0", "torch": "2.13.0"},
            "started": BEGAN.isoformat(),
            "origin": None,
        }
    )
    open_session(ledger, of, session)


def open_session(ledger: Ledger, of: Definition, name: str, offset: int = 0) -> None:
    ledger.open_session(
        Session(
            session=name,
            offset=offset,
            iterations=of.iterations,
            definition=of.model_dump(mode="json"),
            started=(BEGAN + timedelta(hours=offset)).isoformat(),
        )
    )


def fill(
    ledger: Ledger,
    *,
    iterations: int = 4,
    finalists: int = 4,
    seed: int = 1,
    hostile: bool = False,
    session: str = SESSION,
    **fields: Any,
) -> list[Result]:
    """Write a run with failures of several kinds and its finalists, the first of which does not pass verification."""
    rng = random.Random(seed)
    of = definition(**fields)
    begin(ledger, of, session)
    known: list[Trial] = []
    for k in range(1, iterations + 1):
        requests = [new_request(rng, k, known, **_odd(hostile)) for _ in range(10 if k == 1 else 12)]
        _plan(ledger, str(k), requests)
        for place, request in enumerate(requests):
            result = _result(rng, request, failed=(k, place) in {(1, 3), (2, 5), (3, 0)}, hostile=hostile)
            ledger.record(result)
            _curve(ledger, rng, request, result)
            known.append(Trial(request, result))
        front = _front(known)
        ledger.create_selection(
            Selection(
                stage=str(k),
                results=[result.trial for result in known],
                front=[result.trial for result in front],
                hypervolume=0.4 + 0.1 * math.log(k + 1),
                reference=[0.1, 2.2e7, 2.0],
                decisions=[Decision(what="front", reason=f"kept {len(front)} of {len(known)} trials as parents")],
                stop="the front has not moved for 2 iterations" if k == iterations else None,
            )
        )
    chosen = sorted(_front(known), key=lambda result: -result.objectives["val_acc"])[:finalists]
    _finalists(ledger, rng, chosen, iterations)
    return [trial.result for trial in known if trial.result]


def fill_partly(ledger: Ledger, session: str = SESSION) -> list[Request]:
    """Write a run whose third iteration is at work: its jobs are launched, and some of its trials have no result."""
    fill(ledger, iterations=3, finalists=0, session=session)
    for path in ("iterations/3/known.json", "iterations/full-3/plan.json"):
        ledger.store.delete(ledger.path(path))
    plan = ledger.plan("3")
    assert plan is not None
    left = [unit for job in plan.jobs for unit in job.units[3:]]
    for unit in left:
        ledger.store.delete(ledger.path(f"results/{unit}.json"))
    for job in plan.jobs:
        ledger.begin_launch(job.job, "here", BEGAN.isoformat())
    return [request for request in plan.requests if request.trial in left]


def fill_failing(ledger: Ledger) -> None:
    """Write a run of which every trial failed, with markup in their messages."""
    rng = random.Random(5)
    begin(ledger, definition())
    requests = [new_request(rng, 1, [], **_odd(True)) for _ in range(10)]
    _plan(ledger, "1", requests)
    for request in requests:
        ledger.record(_result(rng, request, failed=True, hostile=True))
        ledger.store.put(ledger.trial_path(request.trial, "log.txt"), f"epoch 1\n{HOSTILE}\n".encode())
    known = [request.trial for request in requests]
    ledger.create_selection(Selection(stage="1", results=known, front=[], hypervolume=None, failure="10 trials failed"))


def fill_warm(ledger: Ledger, source: Ledger) -> list[Result]:
    """Write a run that takes the other one's results over, searches once, and has nothing to train fully itself.

    Returns:
        The results of its own trials, of which the first failed.
    """
    begin(ledger, definition(warm_start=[source.url]))
    earlier = source.plan("1"), source.plan("full-4")
    assert earlier[0] is not None and earlier[1] is not None
    taken = [request.model_copy(update={"stage": "0", "source": source.url}) for request in earlier[0].requests]
    ledger.create_plan(Plan(stage="0", requests=taken, jobs=[]))
    for request in [*taken, *earlier[1].requests]:
        result = source.result(request.trial)
        assert result is not None
        ledger.record(result.model_copy(update={"source": source.url, "gpus": 1}))
    rng = random.Random(9)
    requests = [new_request(rng, 1, []) for _ in range(6)]
    _plan(ledger, "1", requests)
    own = [_result(rng, request, failed=not place) for place, request in enumerate(requests)]
    for result in own:
        ledger.record(result)
    for stage in ("0", "1"):
        ledger.create_selection(Selection(stage=stage, results=[], front=[], hypervolume=None))
    full = [request.model_copy(update={"stage": "full-1"}) for request in earlier[1].requests]
    ledger.create_plan(Plan(stage="full-1", requests=full, jobs=[]))
    return own


def fill_more(ledger: Ledger, stage: str, *, selected: bool = True) -> None:
    """Write one more iteration with one trial, or a full training of it, without its result."""
    request = new_request(random.Random(stage), 5, [])
    _plan(ledger, stage, [request.model_copy(update={"stage": stage})])
    if selected:
        finish(ledger, request)
        ledger.create_selection(Selection(stage=stage, results=[request.trial], front=[], hypervolume=None))


def fill_retrained(ledger: Ledger, source: Ledger) -> list[Result]:
    """Write a run that trains the other one's finalists fully, from the weights that they have there."""
    begin(ledger, definition())
    plan = source.plan("full-4")
    assert plan is not None
    requests = [request.model_copy(update={"stage": "full-0", "source": source.url}) for request in plan.requests]
    _plan(ledger, "full-0", requests)
    return [finish(ledger, request) for request in requests]


def fill_promoted(ledger: Ledger, lower: dict[str, float], higher: dict[str, float | None]) -> None:
    """Write a run of two rungs, 1 and 3 epochs: the accuracies by configuration; of those promoted, None for failed."""
    begin(ledger, definition(objectives={"val_acc": "maximize"}))
    for stage, epochs, accuracies in (("1", 1, lower), ("2", 3, higher)):
        requests = [
            Request(
                trial=f"{config}-e{epochs}", config=config, params={}, epochs=epochs, stage=stage, iteration=int(stage)
            )
            for config in accuracies
        ]
        _plan(ledger, stage, requests)
        for request, accuracy in zip(requests, accuracies.values(), strict=True):
            state = State.FAILED if accuracy is None else State.COMPLETED
            objectives = {} if accuracy is None else {"val_acc": accuracy}
            ledger.record(Result(trial=request.trial, state=state, objectives=objectives))


def finish(ledger: Ledger, request: Request, **metrics: float) -> Result:
    """Write the result of one more trial, which may have measured more than others."""
    result = _result(random.Random(request.trial), request, failed=False)
    result = result.model_copy(update={"metrics": result.metrics | metrics})
    ledger.record(result)
    return result


def new_request(rng: random.Random, iteration: int, known: list[Trial], **more: Any) -> Request:
    """What an iteration asks for, with more parameters than the example's where they are given."""
    params: dict[str, Any] = {
        "nb_layers": rng.randint(1, 12),
        "kernel_size": rng.choice([1, 3, 5, 7]),
        "hidden_dim": rng.choice([16, 32, 64, 128]),
        "lr": 10 ** rng.uniform(-4, -1),
        "augment": rng.random() < 0.5,
    } | more
    config = f"{rng.getrandbits(64):016x}"
    work = params["nb_layers"] * params["kernel_size"] ** 2 * params["hidden_dim"] ** 2
    return Request(
        trial=trial_id(config, 1),
        config=config,
        params=params,
        epochs=1,
        stage=str(iteration),
        iteration=iteration,
        parents=[rng.choice(known).config] if known else [],
        note={"from": "mutation" if known else "random"},
        known={"flops": work * 1.3, "params": work / 40},
        cost=work,
    )


def _odd(hostile: bool) -> dict[str, str]:
    return {"\"><b>quoted'": HOSTILE} if hostile else {}


def _plan(ledger: Ledger, stage: str, requests: list[Request]) -> None:
    units = [request.trial for request in requests]
    jobs = [Job(job=f"{stage}-{lane}", stage=stage, units=units[lane::2], lane=lane) for lane in (0, 1)]
    ledger.create_plan(Plan(stage=stage, requests=requests, jobs=jobs))


def _result(rng: random.Random, request: Request, *, failed: bool, hostile: bool = False) -> Result:
    facts: dict[str, Any] = {
        "trial": request.trial,
        "epoch": request.epochs,
        "seconds": 0.4 + request.cost / 2e6,
        "started": (BEGAN + timedelta(seconds=rng.uniform(0, 60))).isoformat(),
        "ended": (BEGAN + timedelta(seconds=70)).isoformat(),
    }
    if failed:
        kind = rng.choice(["error", "nan", "out_of_memory"])
        message = HOSTILE if hostile else "RuntimeError: shape '[64, 0]' is invalid\nin layer 2"
        return Result(**facts, state=State.FAILED, kind=kind, message=message, log_tail="epoch 1\nloss nan\n" * 5)
    size = math.log10(request.cost)
    accuracy = min(
        0.995, 0.99 - 0.6 * math.exp(-0.28 * size * (1 + 0.12 * request.iteration)) - abs(rng.gauss(0, 0.03))
    )
    objectives = {"val_acc": accuracy, "flops": request.known["flops"], "latency_ms": 0.05 + request.cost**0.5 / 2500}
    metrics = {"loss": 2 * (1 - accuracy), "params": request.known["params"]}
    return Result(**facts, state=State.COMPLETED, objectives=objectives, metrics=metrics)


def _front(trials: list[Trial]) -> list[Trial]:
    def better(a: Trial, b: Trial) -> bool:
        pairs = [(-a.objectives["val_acc"], -b.objectives["val_acc"])]
        pairs += [(a.objectives[name], b.objectives[name]) for name in ("flops", "latency_ms")]
        return all(x <= y for x, y in pairs) and any(x < y for x, y in pairs)

    fit = [trial for trial in trials if trial.state is State.COMPLETED]
    return [trial for trial in fit if not any(better(other, trial) for other in fit)]


def _curve(ledger: Ledger, rng: random.Random, request: Request, result: Result, begin_at: float = 0.0) -> None:
    if result.state is State.FAILED:
        return
    lines, epoch, final = [], begin_at, result.objectives["val_acc"]
    while epoch < request.epochs:
        epoch = min(request.epochs, epoch + (0.25 if request.epochs <= 1 else 1))
        accuracy = final * (1 - 0.5 * math.exp(-4 * epoch / request.epochs)) + rng.gauss(0, 0.002)
        lines.append({"epoch": epoch, "seconds": epoch, "val_acc": accuracy, "loss": 2.3 * (1 - accuracy)})
    text = "\n".join(map(json.dumps, lines)) + "\n"
    ledger.store.put(ledger.trial_path(request.trial, "metrics.jsonl"), text.encode())


def _finalists(ledger: Ledger, rng: random.Random, chosen: list[Trial], iterations: int) -> None:
    stage = f"full-{iterations}"
    requests = [
        Request(
            trial=trial_id(trial.config, 12),
            config=trial.config,
            params=trial.params,
            epochs=12,
            stage=stage,
            iteration=trial.iteration,
            known={"flops": trial.objectives["flops"], "params": trial.metrics["params"] or 0},
            continue_from=trial.trial,
        )
        for trial in chosen
    ]
    _plan(ledger, stage, requests)
    for place, (request, partial) in enumerate(zip(requests, chosen, strict=True)):
        objectives = partial.objectives | {"val_acc": min(0.998, partial.objectives["val_acc"] + 0.008)}
        result = _result(rng, request, failed=False).model_copy(update={"objectives": objectives, "seconds": 6.5})
        ledger.record(result)
        _curve(ledger, rng, request, result, begin_at=1.0)
        test = objectives["val_acc"] - 0.004
        step = Result(
            trial=f"verify-{request.trial}",
            state=State.COMPLETED if place else State.FAILED,
            kind="" if place else "verification",
            message="" if place else "the largest logit difference, 0.2, is above the tolerance, 0.001",
            metrics={"test_acc": test, "onnx_acc": test, "max_logit_diff": 2e-6 if place else 0.2},
        )
        ledger.record(step)
