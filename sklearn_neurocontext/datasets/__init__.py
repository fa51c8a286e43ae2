"""Corpora: ``load_*`` reads files, ``fetch_*`` downloads, ``make_*`` generates."""

from ._bunch import CoordinateSpaceWarning, SkippedPeaksWarning, study_texts
from ._fetch_pubget import fetch_pubget
from ._fetchers import fetch_neuroquery, fetch_neurosynth
from ._ibc import fetch_ibc_maps
from ._load_corpus import CORPORA, load_corpus, usable_rows
from ._merge import merge_corpora
from ._neuroquery import load_neuroquery
from ._neurosynth import load_neurosynth
from ._nimare import load_nimare_studyset
from ._pubget import load_pubget
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
