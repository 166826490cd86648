"""A process that does one mini-batch after another: it starts once, then is told what to do, line by line."""

import json
import os
import socket
import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from windtunnel.definition import Fleet
from windtunnel.fleet.accounts import SHORT
from windtunnel.fleet.outputs import Outputs
from windtunnel.fleet.partitions import Partition as Part
from windtunnel.fleet.partitions import Partitions
from windtunnel.fleet.records import BatchResult, Outcome, Row, batch_name, record, unit_of
from windtunnel.host.machine import host, now
from windtunnel.ledger import Ledger, State
from windtunnel_trainer.failure import why_failed
from windtunnel_trainer.fleet.contract import Contract, load
from windtunnel_trainer.fleet.partition import Partition, PartitionVerification, clear, frame
from windtunnel_trainer.fleet.returned import elements, metrics_of, placed
from windtunnel_trainer.fleet.script import trains_by_script
from windtunnel_trainer.logs import say
from windtunnel_trainer.seeds import seed_everything

READY, WAITING = "ready", "waiting"


class Worker:
    """Does mini-batches in this process."""

    def __init__(
        self, ledger: Ledger, fleet: Fleet, partitions: Partitions, folder: Path, facts: Mapping[str, Any]
    ) -> None:
        """Nothing is done yet.

        Args:
            ledger: of the run.
            fleet: its definition.
            partitions: of the run.
            folder: of this process alone, for the partitions' files and what is written to outputs.
            facts: of every result: lane, slot.
        """
        self._ledger = ledger
        self._fleet = fleet
        self._partitions = partitions
        self._outputs = Outputs(ledger, fleet, folder / "outputs")
        self._folder = folder / "data"
        self._facts = dict(facts) | {"process": os.getpid(), "host": host()}
        self._contract = Contract()

    def load(self, script: Path | None) -> None:
        """Import the entry; the folders that its arguments name are there.

        Args:
            script: its file, where it is a script.

        Raises:
            Exception: whatever importing it raises.
        """
        self._outputs.clear()
        if self._fleet.script is not None:
            self._contract = Contract(train=trains_by_script(self._ledger))
        else:
            self._contract = load(self._fleet, script, self._outputs.folders)

    def serve(self, line: socket.socket) -> None:
        """Do what the lane asks for until it asks no more; `init` comes before all, `shutdown` after."""
        if self._contract.init is not None:
            self._contract.init()
        _say(line, {"state": READY})
        with line.makefile("rb") as requests:
            for request in requests:
                _say(line, self.do(**json.loads(request)))
        if self._contract.shutdown is not None:
            self._contract.shutdown()

    def do(self, number: int, places: list[int], attempt: int, last: bool) -> dict[str, str]:
        """Try a mini-batch, and record how it ended: where it failed, only the last try does.

        Args:
            number: of the mini-batch.
            places: of its partitions.
            attempt: how often it was begun, this try included.
            last: whether there is no other try.
        """
        started, began = now(), time.monotonic()
        result = self._try(batch_name(number), places)
        if result.state is State.COMPLETED or last:
            brought = tuple(self._outputs.bring()) if result.succeeded else ()
            outcomes = tuple(one.model_copy(update={"files": one.files + brought}) for one in result.outcomes)
            facts = {"attempts": attempt, "started": started, "seconds": round(time.monotonic() - began, 6)}
            record(self._ledger, result.model_copy(update={"outcomes": outcomes, **facts, **self._facts}))
        return {"state": result.state, "kind": result.kind, "message": result.message}

    def _try(self, batch: str, places: list[int]) -> BatchResult:
        self._outputs.clear()
        clear(self._folder)
        parts = [self._partitions[place] for place in places]
        files = [self._fetch(part) for part in parts]
        if self._contract.run is not None:
            return self._run(batch, places, files)
        return self._train(batch, places, parts, files)

    def _fetch(self, part: Part) -> Path:
        """The partition's file, a copy: what a mini-batch does to it changes nothing for others."""
        file = self._folder / part.name
        self._ledger.store.download(self._ledger.path(part.path), file)
        return file

    def _run(self, batch: str, places: list[int], files: list[Path]) -> BatchResult:
        """Azure's contract: one call for all, one returned element for each success."""
        assert self._contract.run is not None
        items = places
        try:
            if self._fleet.mini_batch_type == "frame":
                frames = [frame([file]) for file in files]
                items = [place for place, one in zip(places, frames, strict=True) for _ in range(len(one))]
                returned = self._contract.run(frame(files))
            else:
                returned = self._contract.run([str(file) for file in files])
            rows = elements(returned)
        except BaseException as error:  # such as asyncio's CancelledError
            traceback.print_exc()
            kind, message = why_failed(error)
            return _failed(batch, places, kind, message, items=len(items))
        if len(rows) < len(items):
            message = f"run() returned {len(rows)} of {len(items)} elements; each missing one is a failed item"
            returned_rows = tuple(placed(rows, items))
            return _failed(batch, places, SHORT, message, items=len(items), succeeded=len(rows), rows=returned_rows)
        of_places = placed(rows, items)
        return BatchResult(
            batch=batch,
            state=State.COMPLETED,
            items=len(items),
            succeeded=len(items),
            outcomes=tuple(
                Outcome(state=State.COMPLETED, metrics=metrics_of([row for other, row in of_places if other == place]))
                for place in places
            ),
            rows=tuple(of_places),
        )

    def _train(self, batch: str, places: list[int], parts: list[Part], files: list[Path]) -> BatchResult:
        """Our contract: one call for each partition, and each has its own outcome."""
        outcomes: list[Outcome] = []
        rows: list[Row] = []
        for place, part, file in zip(places, parts, files, strict=True):
            outcome, own = self._train_one(place, part, file)
            outcomes.append(outcome)
            rows += [(place, row) for row in own]
        failed = [(part, one) for part, one in zip(parts, outcomes, strict=True) if one.state is State.FAILED]
        return BatchResult(
            batch=batch,
            state=State.FAILED if failed else State.COMPLETED,
            items=len(places),
            succeeded=len(places) - len(failed),
            outcomes=tuple(outcomes),
            rows=tuple(rows),
            kind="error" if failed else "",
            message=f"{failed[-1][0].name}: {failed[-1][1].message}" if failed else "",
        )

    def _train_one(self, place: int, part: Part, file: Path) -> tuple[Outcome, list[dict[str, Any]]]:
        assert self._contract.train is not None
        unit, began = unit_of(place), time.monotonic()
        partition = Partition(self._ledger, self._fleet, unit, part.name, self._partitions.keys_of(part), [file])
        verified: bool | None = None
        try:
            seed_everything(self._fleet.seed)
            returned = self._contract.train(partition)
            rows = [] if returned is None else elements([returned] if isinstance(returned, Mapping) else returned)
            if partition.exported and self._contract.verify is not None:
                verification = PartitionVerification(self._ledger, unit, partition)
                self._contract.verify(verification)
                partition.metrics |= verification.metrics
                verified = True
        except BaseException as error:
            traceback.print_exc()
            message = ": ".join(why_failed(error))
            return Outcome(state=State.FAILED, message=message, seconds=_since(began)), []
        files = [*partition.saved, *(["model.onnx"] if partition.exported else [])]
        return Outcome(
            state=State.COMPLETED,
            metrics=partition.metrics,
            files=tuple(files),
            seconds=_since(began),
            verified=verified,
        ), rows


def _failed(batch: str, places: list[int], kind: str, message: str, **facts: Any) -> BatchResult:
    outcomes = (Outcome(state=State.FAILED, message=message),) * len(places)
    return BatchResult(batch=batch, state=State.FAILED, outcomes=outcomes, kind=kind, message=message, **facts)


def tell_wait(line: socket.socket, text: str) -> None:
    """Tell the lane that a wait for the store begins, or the second time that it ends, and the log what it is for."""
    say(text)
    _say(line, {"state": WAITING})


def _say(line: socket.socket, message: Mapping[str, Any]) -> None:
    line.sendall(json.dumps(message).encode() + b"\n")


def _since(began: float) -> float:
    return round(time.monotonic() - began, 6)
