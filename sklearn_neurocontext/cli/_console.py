"""What the commands print: notes, progress bars, tables."""

import time
import warnings
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from ..experiments import format_difference, format_mean_std

# Results go to the standard output, notes and bars to the error output.
OUT = Console(highlight=False, soft_wrap=True)
NOTES = Console(stderr=True, highlight=False, soft_wrap=True)


def note(text: str) -> None:
    """Print a line for the person who waits."""
    NOTES.print(text, markup=False)


def say(text: str = "") -> None:
    """Print a line of the result."""
    OUT.print(text, markup=False)


@contextmanager
def progress_bar(words: str):
    """Show a bar; the value is a function of steps done, steps in all and words."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=NOTES) as progress:
        task = progress.add_task(words, total=None)

        def advance(n_done, n_total, shown=None):
            progress.update(
                task, completed=n_done, total=n_total, description=shown or words
            )

        yield advance


class TokenBar:
    """Counts what an embedder has done, and shows it.

    Parameters
    ----------
    progress : rich.progress.Progress
        Running.
    n_texts, n_characters : int
        Of all texts.
    """

    def __init__(self, progress, n_texts, n_characters):
        self.n_tokens = 0
        self._progress, self._started = progress, time.monotonic()
        self._task = progress.add_task(
            "embedding", total=n_characters, n_done=0, n_texts=n_texts, rate="–"
        )

    def advance(self, n_tokens, n_characters):
        """Count tokens that went through the model, and characters done."""
        self.n_tokens += n_tokens
        rate = self.n_tokens / max(time.monotonic() - self._started, 1e-3)
        self._progress.update(self._task, advance=n_characters, rate=f"{rate:,.0f}")

    def finish(self, n_done):
        """Say how many texts are done."""
        self._progress.update(self._task, n_done=n_done)


@contextmanager
def token_bar(n_texts: int, n_characters: int):
    """Show texts done, tokens per second and the time left, by characters."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.percentage:.0f} %", markup=False),
        TextColumn("{task.fields[n_done]:,}/{task.fields[n_texts]:,} texts"),
        TextColumn("{task.fields[rate]} tokens/s", markup=False),
        TimeElapsedColumn(),
        TextColumn("left", markup=False),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=NOTES, speed_estimate_period=300) as progress:
        yield TokenBar(progress, n_texts, n_characters)


@contextmanager
def notes_for_warnings():
    """Print warnings for users as notes, each once, without source lines.

    Deprecations, which are for developers, are left out.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for kind in (DeprecationWarning, PendingDeprecationWarning):
            warnings.simplefilter("ignore", kind)
        yield
    for text in dict.fromkeys(str(warning.message) for warning in caught):
        note(f"Note: {text}")


def print_scores(result, metrics, title: str) -> None:
    """Print scores in percent, mean ± standard deviation over splits, beside chance.

    Parameters
    ----------
    result : BenchmarkResult
        The records.
    metrics : dict of str to str
        Name of each score, and its heading.
    title : str
        Heading of the table.
    """
    summary = result.summary().set_index(["estimator", "metric"])
    # As text: names and folders may hold what rich reads as markup.
    table = Table(title=Text(title), title_justify="left")
    table.add_column("estimator")
    for heading in metrics.values():
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("fit, s", justify="right", no_wrap=True)
    for name in summary.index.unique("estimator"):
        cells = []
        for metric in metrics:
            row = summary.loc[(name, metric)]
            cells.append(format_mean_std(row["mean"], row["std"]))
        seconds = summary.loc[(name, "fit_seconds"), "mean"]
        table.add_row(Text(name), *cells, f"{seconds:.1f}")
    chances = [100 * summary.loc[(name, metric), "chance"] for metric in metrics]
    table.add_row("chance", *(f"{chance:.1f}" for chance in chances), "", style="dim")
    OUT.print(table)


def print_differences(result, metrics) -> None:
    """Print differences to the reference in points, with their paired intervals."""
    differences = result.differences().set_index(["estimator", "metric"])
    for name in differences.index.unique("estimator"):
        for metric, heading in metrics.items():
            row = differences.loc[(name, metric)]
            say(
                f"{name} minus {row['reference']}, {heading.removesuffix(', %')}, in "
                f"points [paired 95 % interval]: {format_difference(row)}"
            )


def print_frame(frame, title: str) -> None:
    """Print a DataFrame; what it holds is not read as markup."""
    table = Table(title=escape(title), title_justify="left")
    for name in frame:
        right = frame[name].dtype.kind == "f"
        table.add_column(name, justify="right" if right else "left")
    for row in frame.itertuples(index=False):
        cells = [f"{v:.3g}" if isinstance(v, float) else str(v) for v in row]
        table.add_row(*map(escape, cells))
    OUT.print(table)
