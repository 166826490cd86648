"""Trials that sleep, by Optuna: `optuna_peer.py TRIALS SLOTS SECONDS`; so many processes share a journal in a file."""

import json
import multiprocessing
import sys
import tempfile
import time
from pathlib import Path

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study import MaxTrialsCallback

SEEN = (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.RUNNING)


def work(journal: str, trials: int, seconds: float, seed: int) -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.load_study(
        study_name="sleep",
        storage=JournalStorage(JournalFileBackend(journal)),
        sampler=optuna.samplers.RandomSampler(seed=seed),
    )

    def objective(trial: optuna.Trial) -> float:
        x = trial.suggest_float("x", 0, 1)
        time.sleep(seconds)
        return x

    study.optimize(objective, callbacks=[MaxTrialsCallback(trials, states=SEEN)])


def main() -> None:
    trials, slots, seconds = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        journal = str(Path(folder) / "journal.log")
        began = time.time()
        study = optuna.create_study(
            study_name="sleep", storage=JournalStorage(JournalFileBackend(journal)), direction="maximize"
        )
        workers = [
            multiprocessing.get_context("spawn").Process(target=work, args=(journal, trials, seconds, seed))
            for seed in range(slots)
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        wall = time.time() - began
        done = sum(trial.state is optuna.trial.TrialState.COMPLETE for trial in study.trials)
    print(json.dumps({"trials": done, "seconds": wall}))


if __name__ == "__main__":
    main()
