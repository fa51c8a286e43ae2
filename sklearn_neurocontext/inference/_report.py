"""Pages about a text, a corpus or a benchmark."""

import html
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .._utils.files import atomic_write
from ._report_benchmark import benchmark_sections, benchmark_title
from ._report_corpus import corpus_sections
from ._report_page import page
from ._report_text import text_sections

_TITLE_CHARACTERS = 90


@dataclass(frozen=True)
class Report:
    """An HTML page.

    Parameters
    ----------
    html : str
        The whole document, which asks nothing of the network.

    Examples
    --------
    >>> from sklearn_neurocontext.inference import Report
    >>> Report("<!DOCTYPE html>").html
    '<!DOCTYPE html>'
    """

    html: str

    def save(self, path) -> Path:
        """Write the page to a file.

        Parameters
        ----------
        path : path-like
            The file; its folder must exist.

        Returns
        -------
        path : Path
            The file.
        """
        path = Path(path).expanduser()
        with atomic_write(path) as part:
            part.write_text(self.html, encoding="utf-8")
        return path

    def _repr_html_(self):
        """Show the page inside a notebook, shut in a frame."""
        inside = html.escape(self.html)
        return (
            '<iframe sandbox="allow-scripts" width="100%" height="800" '
            f'srcdoc="{inside}"></iframe>'
        )


def make_report(model, results, *, k=20, top=0.1) -> Report:
    """Write one self-contained HTML page about a text, a corpus or a benchmark.

    Of a text, the page holds the text with the known terms marked, nilearn's
    interactive viewer, pictures on glass brain and surface, the terms and, where the
    model has a corpus, the studies that match. Of a corpus, how well the model finds
    its maps by their titles, the studies found best and worst, and where its peaks lie.
    Of a benchmark, scores beside chance, recall curves and paired differences. All end
    with versions and facts of the training. No page makes an outside request, and
    whatever comes from texts, studies or names is escaped.

    Parameters
    ----------
    model : NeuroContextModel or None
        Ready to use; give it a corpus with ``index_corpus`` for the nearest studies.
        None will do for a benchmark.
    results : str, Bunch or BenchmarkResult
        A text of any length; a corpus that a loader of
        `sklearn_neurocontext.datasets` gave; or what `run_benchmark` gave.
    k : int, default=20
        Rows of the tables of terms and studies.
    top : float, default=0.1
        Fraction of the brain's voxels that pictures show, in (0, 1].

    Returns
    -------
    report : Report
        Save it with ``report.save("report.html")``; a notebook shows it.

    Raises
    ------
    TypeError, ValueError
        If `results` is none of these, a text is blank, a corpus has fewer than two
        usable studies, or `top` is out of range.

    Examples
    --------
    >>> from sklearn_neurocontext import NeuroContextModel
    >>> from sklearn_neurocontext.inference import make_report
    >>> model = NeuroContextModel.from_pretrained("my_model")  # doctest: +SKIP
    >>> make_report(model, "finger tapping").save("report.html")  # doctest: +SKIP
    """
    if isinstance(results, str):
        title, sections = results, text_sections(model, results, k, top)
    elif isinstance(results, Mapping) and {"studies", "peaks"} <= set(results):
        title, sections = "A corpus", corpus_sections(model, results, k, top)
    elif all(hasattr(results, name) for name in ("summary", "recall_curves")):
        title, sections = benchmark_title(results), benchmark_sections(model, results)
    else:
        raise TypeError(
            f"results is a {type(results).__name__}; expected a text, a corpus (what a "
            "loader gave), or a benchmark (what run_benchmark gave). For several texts "
            "make one report each."
        )
    if len(title) > _TITLE_CHARACTERS:
        title = title[:_TITLE_CHARACTERS] + " …"
    return Report(page(title, sections))
