"""Progress bars in terminals and notebooks."""

import html
import sys
import time
from contextlib import contextmanager

# A bar of `delayed_progress_bar` is shown after this number of seconds, so that short
# tasks print nothing.
_DELAY = 2.0


@contextmanager
def progress_bar(label, show_counts=True):
    """Yield a function that shows a progress bar and updates its counts and label."""
    # The bar is not shown before the first update. If an error occurs earlier, only the
    # error is printed.
    bar = _NotebookBar() if _is_notebook() else _TerminalBar(show_counts)

    def update(n_done, n_total, new_label=None):
        """Show the progress, and optionally a new label."""
        bar.show(new_label or label, n_done, n_total)

    try:
        yield update
    finally:
        bar.stop()


@contextmanager
def delayed_progress_bar(label):
    """Yield a function that shows a progress bar if a task takes some seconds.

    The caller passes the number of finished steps and the number of all steps to this
    function. Without a terminal and a notebook, no bar is shown.
    """
    if not (_is_notebook() or sys.stderr.isatty()):
        yield lambda n_done, n_total: None
        return
    start = time.monotonic()
    with progress_bar(label) as show:

        def update(n_done, n_total):
            """Show the progress if the task has taken some seconds."""
            if time.monotonic() - start >= _DELAY:
                show(n_done, n_total)

        yield update


def _is_notebook() -> bool:
    """Return whether the program runs in a notebook, which can display HTML."""
    if "IPython" not in sys.modules:
        return False
    # The shells of notebooks have a kernel, and the shell of a terminal has none.
    return hasattr(sys.modules["IPython"].get_ipython(), "kernel")


class _TerminalBar:
    """Progress bar on standard error, with the elapsed and the remaining time."""

    def __init__(self, show_counts):
        from rich import progress
        from rich.console import Console

        columns = (
            progress.TextColumn("{task.description}", markup=False),
            progress.BarColumn(),
            progress.MofNCompleteColumn()
            if show_counts
            else progress.TaskProgressColumn(),
            progress.TimeElapsedColumn(),
            progress.TimeRemainingColumn(),
            progress.TextColumn("left", markup=False),
        )
        console = Console(stderr=True, highlight=False, soft_wrap=True)
        self._bar = progress.Progress(
            *columns, console=console, speed_estimate_period=300
        )
        self._task = self._bar.add_task("", total=None)

    def show(self, label, n_done, n_total):
        """Show the bar with a label and counts."""
        self._bar.start()
        self._bar.update(self._task, completed=n_done, total=n_total, description=label)

    def stop(self):
        """End the updates of the bar."""
        if self._bar.live.is_started:
            self._bar.stop()


class _NotebookBar:
    """Progress bar below the cell of a notebook."""

    # The bar of rich would need ipywidgets in a notebook.

    def __init__(self):
        self._handle = None

    def show(self, label, n_done, n_total):
        """Show the bar with a label and counts."""
        from IPython.display import HTML, display

        limit = "" if n_total is None else f' max="{n_total}"'
        bar = HTML(
            f'{html.escape(label)} <progress value="{n_done}"{limit}></progress> '
            f"{n_done:,.0f}" + ("" if n_total is None else f" of {n_total:,.0f}")
        )
        if self._handle is None:
            self._handle = display(bar, display_id=True)
        else:
            self._handle.update(bar)

    def stop(self):
        """Leave the bar in its last state."""
