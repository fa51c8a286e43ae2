"""Load, download, generate and merge corpora of studies and their peaks.

Functions named ``load_*`` read files, functions named ``fetch_*`` download files, and
functions named ``make_*`` generate data. `fetch_ibc_maps` returns maps.
`load_cognitive_atlas` and `fetch_cognitive_atlas` return an ontology, with tables of
tasks, mental concepts and disorders. All other functions return a corpus, which is a
Bunch with the fields below. Its ``repr`` and its display in notebooks are a short
summary with the numbers of studies and peaks, and the description.

- ``studies``: DataFrame with the columns study_id, pmid, pmcid, doi, title, keywords,
  abstract, body, year, journal and coordinate_space, and usually one row per study.
  ``pmid`` is the identifier of the article in PubMed, and ``pmcid`` is its identifier
  in PubMed Central. An unknown text is an empty string, and an unknown number is NA.
  ``coordinate_space`` is the space reported by the source: MNI, TAL (Talairach),
  UNKNOWN or OTHER. It is MIXED if the peaks of a study are in different spaces;
- ``peaks``: list with one float64 array of shape (n_peaks_i, 3) per row of ``studies``,
  where n_peaks_i is the number of peaks of row i. Coordinates are in mm. Talairach
  peaks are converted to MNI space by the Lancaster transform. Peaks in an unknown or
  other space are not converted;
- ``peak_spaces``: list with one array of shape (n_peaks_i,) per row of ``studies``,
  which contains the space reported for each peak;
- ``groups``: array with one identifier per row of ``studies``. Rows from the same
  article have the same identifier. If several rows may come from the same article, pass
  this array as ``groups`` to `sklearn.model_selection.GroupKFold`;
- ``space_counts``: dict that maps each space to its number of peaks;
- ``unclear_spaces``: list of the names of spaces in the source that can be understood
  as more than one space, such as "MNI converted to Talairach". The space of peaks with
  such a name is UNKNOWN;
- ``description``: str that summarizes the source, the coordinate spaces and the number
  of studies without peaks.

The representation of a corpus, which ``print`` and notebooks display, is a summary. It
counts the studies, the peaks of each coordinate space, the peaks outside the brain and
the texts.

Warnings are reserved for data that users should correct. All functions that return a
corpus, except `load_corpus`, issue a `CoordinateSpaceWarning` if ``unclear_spaces`` is
not empty. Functions named ``load_*`` issue a `DoubtfulPeaksWarning` if the peaks of an
article are probably not in mm (but, for example, in centimeters or voxel indices), or
if the minus signs of x are probably missing. For the public data of NeuroQuery and
Neurosynth, ``description`` states which articles have such peaks.
"""

from .._utils.coordinate_spaces import CoordinateSpaceWarning, DoubtfulPeaksWarning
from ._bunch import SkippedPeaksWarning, select_studies, study_texts
from ._cognitive_atlas import fetch_cognitive_atlas, load_cognitive_atlas
from ._ibc import fetch_ibc_maps
from ._load_corpus import CORPORA, load_corpus, usable_rows
from ._merge import merge_corpora
from ._neuroquery_neurosynth import (
    fetch_neuroquery,
    fetch_neurosynth,
    load_neuroquery,
    load_neurosynth,
)
from ._nimare import load_nimare_studyset, write_nimare_studyset
from ._pubget import fetch_pubget, load_pubget
from ._sleuth import load_sleuth, write_sleuth
from ._synthetic import make_studies
from ._table import load_table
from ._texts import add_texts

__all__ = [
    "CORPORA",
    "CoordinateSpaceWarning",
    "DoubtfulPeaksWarning",
    "SkippedPeaksWarning",
    "add_texts",
    "fetch_cognitive_atlas",
    "fetch_ibc_maps",
    "fetch_neuroquery",
    "fetch_neurosynth",
    "fetch_pubget",
    "load_cognitive_atlas",
    "load_corpus",
    "load_neuroquery",
    "load_neurosynth",
    "load_nimare_studyset",
    "load_pubget",
    "load_sleuth",
    "load_table",
    "make_studies",
    "merge_corpora",
    "select_studies",
    "study_texts",
    "usable_rows",
    "write_nimare_studyset",
    "write_sleuth",
]
