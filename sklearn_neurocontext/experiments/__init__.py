"""Run estimators on splits, save records to resume runs, and compute tables."""

from ._benchmark import provenance, run_benchmark, score_similarity
from ._estimators import (
    ESTIMATORS,
    TEXT_ESTIMATORS,
    make_embedder,
    make_estimators,
    make_masker,
    select_inputs,
)
from ._map_comparison import MapComparison, compare_maps, read_described_maps
from ._paper_studies import PaperStudies, prepare_paper_studies
from ._reproduce import (
    ReproducedTable,
    check_rows,
    describe_table,
    list_paper_tables,
    reproduce,
)
from ._result import BenchmarkResult, format_interval, format_mean_std
from ._studies import PreparedStudies, StudyMaps, held_out_studies, prepare_studies

__all__ = [
    "ESTIMATORS",
    "TEXT_ESTIMATORS",
    "BenchmarkResult",
    "MapComparison",
    "PaperStudies",
    "PreparedStudies",
    "ReproducedTable",
    "StudyMaps",
    "check_rows",
    "compare_maps",
    "describe_table",
    "format_interval",
    "format_mean_std",
    "held_out_studies",
    "list_paper_tables",
    "make_embedder",
    "make_estimators",
    "make_masker",
    "prepare_paper_studies",
    "prepare_studies",
    "provenance",
    "read_described_maps",
    "reproduce",
    "run_benchmark",
    "score_similarity",
    "select_inputs",
]
