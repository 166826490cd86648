"""The live display of a run: a small table that redraws itself on a terminal, plain lines elsewhere."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import StringIO
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TextIO

from windtunnel.errors import LedgerError, StoreError, UnreadableError
from windtunnel.ledger.stage import Stage
from windtunnel.ledger.trial import best_trial
from windtunnel.report.notes import notes
from windtunnel.report.reader import RunReader
from windtunnel.report.snapshot import Snapshot
from windtunnel.report.stages import StageProgress, caps, coming, seconds_left, stages
from windtunnel.text import printable

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.live import Live

_ROWS = 8  # stages shown at once; of a longer search, the latest
_LINE_EVERY = 30.0  # seconds between plain lines while nothing but counts changes
_LOOKING = 0.1  # share of the time that may go into looking at the ledger
_LONGEST = 60.0  # seconds between two looks, be the store ever so slow to answer
_SHORTEST = 0.5  # seconds between looks


class Display:
    """Shows a run until the block ends; call `update` often, it reads the ledger only as often as that is cheap.

    A store that fails, or that takes no writes, is told as long as it does.
    """

    def __init__(
        self, reader: RunReader, heading: str, file: TextIO | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Show a run.

        Args:
            reader: of the run, which need not have begun.
            heading: the first line.
            file: to write to; by default standard output.
            clock: seconds from any beginning.
        """
        from rich import console

        self.console: Console = console.Console(file=file, highlight=False, markup=False)
        self._reader = reader
        self._heading = printable(heading, keep="")
        self._stages: list[StageProgress] = []
        self._coming = [Stage.preparation(0)]
        self._notes: list[str] = []
        self._results = ""
        self._over = False
        self._trouble = ""
        self._clock = clock
        self._began = clock()
        self._next_look = 0.0
        self._begun: dict[str, float] = {}
        self._ended: dict[str, float] = {}
        self._printed: list[tuple[Stage, bool]] = []
        self._printed_at = 0.0
        self._live: Live | None = None
        self._cell: Any = None  # what a notebook shows, where this runs in one

    def __enter__(self) -> Self:
        if self.console.is_terminal:
            from rich.live import Live

            self._live = Live(
                console=self.console, get_renderable=self._render, refresh_per_second=8, redirect_stdout=False
            )
            self._live.start()
        elif self.console.is_jupyter:
            from IPython import display

            self._cell = display.display(self._drawn(), raw=True, display_id=True)  # type: ignore[no-untyped-call]
        else:
            self.console.print(self._heading, soft_wrap=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def update(self, *, now: bool = False) -> None:
        """Read the run if it is time to, or at once."""
        began = self._clock()
        if began < self._next_look and not now:
            return
        self._read()
        ended = self._clock()
        self._next_look = ended + max(_SHORTEST, min(_LONGEST, (ended - began) * (1 / _LOOKING - 1)))
        for stage in self._stages:
            self._begun.setdefault(stage.name, began)
            if stage.done:
                self._ended.setdefault(stage.name, began)
        if self._cell is not None:
            self._cell.update(self._drawn(), raw=True)
        elif self._live is None:
            self._print_line()

    def say(self, line: str) -> None:
        """Show a line of its own, above what is redrawn."""
        self.console.print(printable(line, keep=""), soft_wrap=True)

    def _tell_notes(self, snapshot: Snapshot) -> None:
        """Show what there is to know of the run; where lines are printed, each kind of note once."""
        before, self._notes = self._notes, [printable(note, keep="") for note in notes(snapshot)]
        if self._live is None and self._cell is None:
            for note in self._notes[len(before) :]:
                self.console.print(note, soft_wrap=True)

    def _read(self) -> None:
        trouble = ""
        try:
            snapshot = self._reader.read()
        except (UnreadableError, StoreError) as error:
            trouble = str(error)
        except LedgerError:  # the run has not begun
            pass
        else:
            self._stages, self._coming = stages(snapshot), coming(snapshot)
            self._results = _results(snapshot)
            self._over = not snapshot.works
            self._tell_notes(snapshot)
            trouble = snapshot.blocked
        if self._live is None and self._cell is None and bool(trouble) != bool(self._trouble):
            self.console.print(printable(trouble or "the run goes on", keep=""), soft_wrap=True)
        self._trouble = trouble

    @contextmanager
    def paused(self) -> Iterator["Console"]:
        """The terminal for something else, such as a question."""
        if self._live is not None:
            self._live.stop()
        yield self.console
        if self._live is not None:
            self._live.start()

    def _drawn(self) -> dict[str, str]:
        """What a terminal would show, as a notebook's cell has it."""
        from rich.console import Console

        drawer = Console(file=StringIO(), record=True, force_jupyter=False, force_terminal=True, width=110)
        drawer.print(self._render())
        text = drawer.export_text(clear=False)
        return {
            "text/plain": text,
            "text/html": drawer.export_html(inline_styles=True, code_format="<pre>{code}</pre>"),
        }

    def _print_line(self) -> None:
        """A line where a stage begins or ends, and now and then between."""
        if not self._stages:
            return
        state = [(stage.name, stage.done) for stage in self._stages]
        if state != self._printed or self._clock() - self._printed_at > _LINE_EVERY:
            self._printed, self._printed_at = state, self._clock()
            line = f"{_time(self._elapsed()):>7}  {_counts(self._stages[-1])}{self._results}"
            self.console.print(line, soft_wrap=True)

    def _elapsed(self) -> float:
        return self._clock() - self._began

    def _render(self) -> "RenderableType":
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.spinner import Spinner
        from rich.table import Table
        from rich.text import Text

        grid = Table.grid(padding=(0, 2))
        for stage in self._stages[-_ROWS:]:
            state: RenderableType = Text("✓", style="green") if stage.done else Spinner("dots", style="cyan")
            if self._over and not stage.done:
                state = Text("–", style="red")  # noqa: RUF001
            bar = ProgressBar(total=max(stage.total, 1), completed=stage.finished, width=24, complete_style="cyan")
            grid.add_row(
                state,
                stage.name.label,
                bar,
                f"{stage.finished}/{stage.total}",
                Text(_facts(stage), style="dim"),
                Text(f"{stage.failed} failed" if stage.failed else "", style="red"),
                Text(self._took(stage), style="dim"),
            )
        for name in self._coming[: max(0, _ROWS - len(self._stages))]:
            grid.add_row(Text("·", style="dim"), Text(name.label, style="dim"))
        foot = f"elapsed{self._results}" if self._stages else "elapsed · the run is starting"
        heads = [Text(self._heading, style="bold"), *map(Text, self._notes)]
        trouble = [Text(printable(self._trouble, keep=""), style="bold red")] if self._trouble else []
        return Group(*heads, grid, *trouble, Text(f"{_time(self._elapsed())} {foot}"))

    def _took(self, stage: StageProgress) -> str:
        until = self._ended.get(stage.name, self._clock())
        return _time(until - self._begun.get(stage.name, until))


def _results(snapshot: Snapshot) -> str:
    """What has been found so far, and how long the rest takes."""
    objective, direction = next(iter(snapshot.objectives.items()))
    best, left = best_trial(snapshot.trials, objective, direction), seconds_left(snapshot)
    parts = [f"best {printable(objective, keep='')} {best.objectives[objective]:.4g}"] if best else []
    parts += [f"front {len(snapshot.front)}"] if snapshot.front else []
    parts += [", ".join(f"{count} of {most} {name}" for name, (count, most) in caps(snapshot).items())]
    parts += [f"about {_rounded(left)} left"] if left is not None and coming(snapshot) else []
    return "".join(f" · {part}" for part in parts if part)


def _counts(stage: StageProgress) -> str:
    if not stage.total:
        return f"{stage.name.label}: nothing to do"
    failed = f", {stage.failed} failed" if stage.failed else ""
    running = f", {stage.running} running" if stage.running else ""
    return f"{stage.name.label}: {stage.finished} of {stage.total} done{running}{failed}"


def _facts(stage: StageProgress) -> str:
    if stage.running:
        return f"{stage.running} running"
    return f"front {len(stage.selection.front)}" if stage.selection else ""


def _time(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}" if minutes >= 60 else f"{minutes}:{rest:02}"


def _rounded(seconds: float) -> str:
    """An estimate that does not pretend to precision: to 5 s, and to minutes beyond two of them."""
    if seconds > 5400:
        return f"{seconds / 3600:.1f} h"
    return f"{max(5, round(seconds / 5) * 5)} s" if seconds < 120 else f"{round(seconds / 60)} min"
