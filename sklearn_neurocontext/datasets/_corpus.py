"""A corpus: a Bunch whose representation is a short summary."""

import html

import numpy as np
from sklearn.utils import Bunch

from .._utils.volumes import is_in_brain

_TEXT_FIELDS = ("title", "abstract", "body")
_SPACES = {
    "MNI": "MNI",
    "TAL": "Talairach (converted to MNI)",
    "UNKNOWN": "unknown",
    "OTHER": "neither MNI nor Talairach",
    "MIXED": "mixed",
}


class Corpus(Bunch):
    """Bunch of the studies of a corpus and their peaks, displayed as a short summary.

    The fields are documented in `sklearn_neurocontext.datasets`.
    """

    def _summarize(self) -> dict:
        """Return the lines of the summary, as a dict from headings to texts."""
        studies, peaks = self["studies"], self["peaks"]
        n_empty = sum(not len(one) for one in peaks)
        n_outside = int((~is_in_brain(np.concatenate(peaks))).sum())
        spaces = studies["coordinate_space"].value_counts()
        n_texts = {name: int((studies[name] != "").sum()) for name in _TEXT_FIELDS}
        return {
            "studies": f"{len(studies):,}, of which {n_empty:,} have no peak",
            "peaks": f"{sum(map(len, peaks)):,}, of which {n_outside:,} are outside "
            "the brain",
            "coordinate spaces of studies": ", ".join(
                f"{spaces[space]:,} {name}"
                for space, name in _SPACES.items()
                if space in spaces
            ),
            "texts": ", ".join(f"{n:,} {name}" for name, n in n_texts.items()),
            "fields": ", ".join(self),
            "description": self["description"],
        }

    def _is_complete(self) -> bool:
        """Return whether the corpus has the fields that the summary describes."""
        return {"studies", "peaks", "description"} <= set(self)

    def __repr__(self):
        """Return a summary in lines, or the dict if fields of a corpus are missing."""
        if not self._is_complete():
            return super().__repr__()
        lines = [f"  {name}: {text}" for name, text in self._summarize().items()]
        return "\n".join(["Corpus", *lines])

    def _repr_html_(self):
        """Return the summary as an HTML table, for display in notebooks."""
        if not self._is_complete():
            return f"<pre>{html.escape(repr(self))}</pre>"
        rows = "".join(
            f'<tr><th style="text-align: left">{name}</th>'
            f'<td style="text-align: left">{html.escape(text)}</td></tr>'
            for name, text in self._summarize().items()
        )
        return f"<table><caption>Corpus</caption>{rows}</table>"
