"""The front as a picture, for a README, a chat or a slide: one panel for every pair of objectives."""

import io
import itertools
import math
from typing import TYPE_CHECKING

from windtunnel.ledger import State, Trial
from windtunnel.objectives.direction import loss, near, sign
from windtunnel.objectives.front import pareto_front
from windtunnel.report.snapshot import Snapshot
from windtunnel.text import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

EXTRA = 'install it with: pip install "windtunnel[report]"'
_MOST_PANELS = 6
_STAR, _CROSS, _INK, _GRID = "#E69F00", "#D55E00", "#1b2330", "#dfe3e9"  # Okabe and Ito's orange and vermilion


def draw(snapshot: Snapshot) -> bytes:
    """The picture as PNG.

    Raises:
        ImportError: matplotlib is not installed.
    """
    picture = io.BytesIO()
    figure(snapshot).savefig(picture, format="png")
    return picture.getvalue()


def figure(snapshot: Snapshot) -> "Figure":
    """The picture as matplotlib's figure, which a notebook shows.

    Raises:
        ImportError: matplotlib is not installed.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(f"the picture takes matplotlib, which is missing: {EXTRA}") from error

    names = list(snapshot.objectives)
    pairs = list(itertools.combinations(names, 2))[:_MOST_PANELS] or [(names[0], "")]
    columns = min(len(pairs), 3)
    rows = -(-len(pairs) // columns)
    figure = Figure(figsize=(1.2 + 4.6 * columns, 0.9 + 4.0 * rows), dpi=130, layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(rows, columns, squeeze=False).flatten()
    for panel, (y, x) in zip(panels, pairs, strict=False):
        _panel(panel, snapshot, x, y)
    for panel in panels[len(pairs) :]:
        panel.set_visible(False)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(
        handles,
        labels,
        loc="outside lower center",
        ncols=min(len(labels), 4 * min(len(pairs), 2)),
        frameon=False,
        fontsize=9,
    )
    title = f"{snapshot.search}: {counted(len(snapshot.trials), 'trial')}, {len(snapshot.front)} on the front"
    figure.suptitle(title, color=_INK)
    return figure


def _panel(panel: "Axes", snapshot: Snapshot, x: str, y: str) -> None:
    """Draw one pair; without `x`, the objective over the trials."""
    from matplotlib import colormaps

    iterations = sorted({trial.iteration for trial in snapshot.trials})
    colours = colormaps["viridis"]
    fit = [trial for trial in snapshot.trials if trial.feasible and _has(trial, x, y)]
    if x:
        front = _front_of_two(fit, snapshot, x, y)
        panel.step(
            [_value(snapshot, trial, x) for trial in front],
            [_value(snapshot, trial, y) for trial in front],
            where="post",
            color=_INK,
            linestyle=":",
            linewidth=1.2,
        )
    for place, iteration in enumerate(iterations):
        of = [trial for trial in fit if trial.iteration == iteration]
        panel.scatter(
            [_value(snapshot, trial, x) for trial in of],
            [_value(snapshot, trial, y) for trial in of],
            s=[52 if trial.trial in snapshot.front else 26 for trial in of],
            color=colours(0.04 + 0.84 * place / max(len(iterations) - 1, 1)),
            edgecolors=[_INK if trial.trial in snapshot.front else "none" for trial in of],
            linewidths=1.1,
            label=f"iteration {iteration}" if iteration else "warm start",
            zorder=3,
        )
    models = [model.trial for model in snapshot.models if model.trial.feasible and _has(model.trial, x, y)]
    if models and x:
        panel.scatter(
            [_value(snapshot, trial, x) for trial in models],
            [_value(snapshot, trial, y) for trial in models],
            marker="*",
            s=130,
            color=_STAR,
            edgecolors=_INK,
            linewidths=0.8,
            label="finalists, fully trained",
            zorder=4,
        )
    _failures(panel, snapshot, fit + models, x, y)
    for name, axis, scale, label in (
        (x, panel.xaxis, panel.set_xscale, panel.set_xlabel),
        (y, panel.yaxis, panel.set_yscale, panel.set_ylabel),
    ):
        if name and _wide([_value(snapshot, trial, name) for trial in fit]):
            scale("log")
            _label_few(axis)
        label(f"{name} {'↓' if sign(snapshot.objectives[name]) > 0 else '↑'}" if name else "trial")
    panel.grid(color=_GRID, linewidth=0.8)
    panel.set_axisbelow(True)
    panel.spines[["top", "right"]].set_visible(False)


def _label_few(axis: "Axis") -> None:
    """Few labels on a logarithmic axis: by itself it labels every minor tick where it spans less than two decades."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis.set_major_locator(LogLocator(subs=(1.0, 3.0), numticks=8))
    axis.set_major_formatter(FuncFormatter(lambda value, place: f"{value:g}".replace("e+0", "e").replace("e+", "e")))
    axis.set_minor_formatter(NullFormatter())


def _failures(panel: "Axes", snapshot: Snapshot, others: list[Trial], x: str, y: str) -> None:
    """Failed trials stand at the edge of the axis that they have no value on; those without any are left out."""
    lost = [
        (snapshot.numbers[trial.trial], snapshot.objectives_of(trial))
        for trial in snapshot.trials
        if trial.state in (State.FAILED, State.INFEASIBLE)
    ]
    axes = [name for name in (x, y) if name]
    lost = [(number, values) for number, values in lost if not all(name in values for name in axes)]
    lost = [(number, values) for number, values in lost if not x or any(name in values for name in axes)]
    if lost and others:
        places = [[values.get(name, _beyond(snapshot, others, name)) for _, values in lost] for name in axes]
        horizontal = places[0] if x else [number for number, _ in lost]
        panel.scatter(horizontal, places[-1], marker="x", s=26, color=_CROSS, linewidths=1.3, label="failed", zorder=3)


def _beyond(snapshot: Snapshot, trials: list[Trial], name: str) -> float:
    """A place on the axis a little worse than all values."""
    values = [trial.objectives[name] for trial in trials]
    log = _wide(values)
    low, high = (math.log10(edge) if log else edge for edge in (min(values), max(values)))
    gap = 0.06 * (high - low or abs(high) or 1)
    place = high + gap if sign(snapshot.objectives[name]) > 0 else low - gap
    return 10**place if log else place


def _front_of_two(trials: list[Trial], snapshot: Snapshot, x: str, y: str) -> list[Trial]:
    pair = {name: snapshot.objectives[name] for name in (x, y)}
    front = pareto_front(trials, pair)
    return sorted(front, key=lambda trial: loss(trial.objectives[x], pair[x]))


def _has(trial: Trial, *names: str) -> bool:
    return all(name in trial.objectives for name in names if name)


def _value(snapshot: Snapshot, trial: Trial, name: str) -> float:
    return near(trial.objectives[name]) if name else snapshot.numbers[trial.trial]


def _wide(values: list[float]) -> bool:
    return len(values) > 1 and min(values) > 0 and max(values) / min(values) > 30
