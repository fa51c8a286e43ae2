"""A page about one text: its map, what it resembles, where the numbers come from."""

import html
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from .._validation import check_texts
from .._versions import library_versions
from ..plotting import plot_predicted_map, plot_surface_maps
from ._page import page, picture, table, viewer

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
    >>> from sklearn_neurocontext.reporting import Report
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
        path.write_text(self.html, encoding="utf-8")
        return path

    def _repr_html_(self):
        """Show the page inside a notebook, shut in a frame."""
        inside = html.escape(self.html)
        return (
            '<iframe sandbox="allow-scripts" width="100%" height="800" '
            f'srcdoc="{inside}"></iframe>'
        )


def make_report(model, text, *, k=20, top=0.1) -> Report:
    """Write one self-contained HTML page about a text and its predicted map.

    The page holds the text with the known terms marked, nilearn's interactive viewer,
    pictures on glass brain and surface, the terms and, where the model has a corpus,
    the studies that match, and versions and facts of the training. It makes no outside
    request, and whatever comes from texts or studies is escaped.

    Parameters
    ----------
    model : NeuroContextModel
        Ready to use; give it a corpus with ``index_corpus`` for the nearest studies.
    text : str
        Of any length.
    k : int, default=20
        Terms and studies in the tables.
    top : float, default=0.1
        Fraction of the brain's voxels that pictures show, in (0, 1].

    Returns
    -------
    report : Report
        Save it with ``report.save("report.html")``; a notebook shows it.

    Raises
    ------
    TypeError, ValueError
        If `text` is not one string that holds something, or `top` is out of range.

    Examples
    --------
    >>> from sklearn_neurocontext import NeuroContextModel
    >>> from sklearn_neurocontext.reporting import make_report
    >>> model = NeuroContextModel.from_pretrained("my_model")  # doctest: +SKIP
    >>> make_report(model, "finger tapping").save("report.html")  # doctest: +SKIP
    """
    (text,) = check_texts([text], "text")
    result = model(text)
    img = result["brain_map"]
    sections = [("Text", _quote(result["highlighted_text"]))]
    sections += _map_sections(img, text, top)
    if "similar_words" in result:
        sections.append(("Terms with similar maps", _words(result, k)))
    if result["similar_documents"] is not None:
        sections.append(("Studies with matching maps", _documents(result, k)))
    sections.append(("Where this comes from", _provenance(model)))
    title = text if len(text) <= _TITLE_CHARACTERS else text[:_TITLE_CHARACTERS] + " …"
    return Report(page(title, sections))


def _quote(marked):
    return f"<blockquote>{marked}</blockquote>\n<p>Marked: terms the model knows.</p>"


def _map_sections(img, text, top):
    values = img.get_fdata()
    inside = values[values != 0]
    cut = float(np.quantile(inside, 1 - top)) if inside.size else 0.0
    words = (
        f"<p>The strongest {100 * top:g} % of voxels. Drag to move through the brain; "
        "the unit is the density of peaks of studies scaled to norm one.</p>"
    )
    glass = plot_predicted_map(img, text=text, top=top)
    surface = plot_surface_maps({"predicted": img}, top=top, unit="unit-norm density")
    pictures = picture(glass, "glass brain"), picture(surface, "cortical surface")
    return [
        ("Predicted map", words + viewer(img, max(cut, 0.0))),
        ("Pictures", "\n".join(pictures)),
    ]


def _words(result, k):
    words = result["similar_words"].head(k).reset_index()
    return table(
        words,
        {
            "similarity": "{:.2f}".format,
            "weight_in_brain_map": "{:.2f}".format,
            "weight_in_query": "{:.2f}".format,
            "n_documents": "{:,}".format,
        },
    )


def _documents(result, k):
    return table(result["similar_documents"].head(k), {"similarity": "{:.2f}".format})


def _provenance(model):
    facts = {
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": library_versions(),
        "model": model.card,
    }
    text = json.dumps(facts, indent=1, ensure_ascii=False, default=str)
    return f"<pre>{html.escape(text)}</pre>"
