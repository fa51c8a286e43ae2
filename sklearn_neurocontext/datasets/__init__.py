"""Corpora: ``load_*`` reads files, ``fetch_*`` downloads, ``make_*`` generates.

Every loader returns a corpus: a Bunch with the fields

- ``studies``: DataFrame with the columns study_id, pmid, pmcid, title, keywords,
  abstract, body, year, journal and coordinate_space. Unknown text fields are empty
  strings, and unknown numbers are NA. ``coordinate_space`` is the space
  reported by the source: MNI, TAL (Talairach), UNKNOWN, OTHER, or MIXED if the peaks of
  a study are in different spaces;
- ``peaks``: list of float64 arrays of shape (n_peaks_i, 3), one per row of ``studies``,
  in mm. Talairach peaks are converted to MNI space by the Lancaster transform; peaks in
  an unknown or other space are not converted;
- ``peak_spaces``: list of arrays of shape (n_peaks_i,), the space reported for each
  peak;
- ``groups``: array of shape (n_rows,), an identifier of the article of each row. Pass
  it to `sklearn.model_selection.GroupKFold` if several rows may come from one article;
- ``space_counts``: dict that maps each space to its number of peaks;
- ``description``: summary of the source, the coordinate spaces and the number of
  studies without peaks.

Loaders issue a `CoordinateSpaceWarning` if not all peaks are reported in MNI space.
"""

from ._bunch import CoordinateSpaceWarning, SkippedPeaksWarning, study_texts
from ._ibc import fetch_ibc_maps
from ._load_corpus import CORPORA, load_corpus, usable_rows
from ._merge import merge_corpora
from ._neuroquery_neurosynth import (
    fetch_neuroquery,
    fetch_neurosynth,
    load_neuroquery,
    load_neurosynth,
)
from ._nimare import load_nimare_studyset
from ._pubget import fetch_pubget, load_pubget
from ._sleuth import load_sleuth, write_sleuth
from ._synthetic import make_studies
from ._table import load_table

__all__ = [
    "CORPORA",
    "CoordinateSpaceWarning",
    "SkippedPeaksWarning",
    "fetch_ibc_maps",
    "fetch_neuroquery",
    "fetch_neurosynth",
    "fetch_pubget",
    "load_corpus",
    "load_neuroquery",
    "load_neurosynth",
    "load_nimare_studyset",
    "load_pubget",
    "load_sleuth",
    "load_table",
    "make_studies",
    "merge_corpora",
    "study_texts",
    "usable_rows",
    "write_sleuth",
]
