"""Load NiMARE studysets from JSON or Parquet files, without importing NiMARE."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pandas as pd

from .._utils.packages import import_optional
from .._utils.validation import read_numbers
from ._bunch import make_bunch, warn_about_spaces
from ._files import find_files, read_coordinates, read_json, read_parquet
from ._ids import group_articles, join_rows, read_integers

_BUNDLED = "resources/nback_vs_flanker_studyset_2026-07"
_TEXTS = {"title": "name", "abstract": "description", "journal": "publication"}
_PARQUET_COLUMNS = {
    "studies": ("study_id",),
    "analyses": ("id", "study_id", "name"),
    "coordinates": ("id", "study_id", "x", "y", "z", "space"),
    "metadata": ("study_id",),
}
_IDS = {"id", "study_id"}
# Patterns that extract the PMID and the PMCID from a slug. A slug is an identifier of a
# study in Neurostore, of the form <pmid>-<doi>-<pmcid>.
_SLUGS = {"pmid": r"^(\d{5,8})(?:-10-\d|$)", "pmcid": r"-pmc(\d+)$"}


def load_nimare_studyset(path=None, *, rows: str = "study"):
    """Load a NiMARE studyset.

    Parameters
    ----------
    path : path-like or None, default=None
        Path of a studyset, which is a JSON file or a folder of Parquet files. If None,
        the studyset bundled with the ``nimare`` package is loaded; it contains 320
        studies of n-back and flanker tasks. The extra ``[demo]`` installs ``nimare``.
    rows : {"study", "analysis"}, default="study"
        With "study", each row is a study, with the peaks of all its analyses. With
        "analysis", each row is an analysis (a contrast), and its title is the title of
        the study followed by the name of the analysis.

    Returns
    -------
    corpus : Bunch
        The fields documented in `sklearn_neurocontext.datasets`. Two studies are in
        the same group if they have the same PMID, or if they have the same title and
        abstract. The words "Reprint of" at the beginning of a title are ignored. For
        example, the bundled studies ``3iFzKZYtJ8fr`` and ``4CAE7uGTB2gw`` are in the
        same group.

    Raises
    ------
    FileNotFoundError
        If the file or folder does not exist.
    ImportError
        If ``nimare`` or ``pyarrow`` is needed and is not installed.
    ValueError
        If the file is not a studyset, if an id is missing or has the wrong type, if a
        point does not have three coordinates, or if `rows` is invalid.

    References
    ----------
    Salo et al., NiMARE: Neuroimaging meta-analysis research environment, 2022;
    the bundled studies are from Neurostore's release 2026-07.

    Examples
    --------
    >>> import warnings
    >>> from sklearn_neurocontext import datasets
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", datasets.CoordinateSpaceWarning)
    ...     corpus = datasets.load_nimare_studyset()
    >>> corpus.studies.shape
    (320, 10)
    """
    if rows not in ("study", "analysis"):
        raise ValueError(f"rows must be 'study' or 'analysis'; got {rows!r}.")
    path = _find_bundled() if path is None else Path(path).expanduser()
    if not path.exists():
        raise FileNotFoundError(
            f"{str(path)!r} does not exist. Expected a studyset: a JSON file or a "
            "folder of Parquet files."
        )
    read = _read_parquet_studyset if path.is_dir() else _read_json_studyset
    studies, analyses, points = read(path)
    table, keys = studies.assign(group=group_articles(studies)), points["study_id"]
    if rows == "analysis":
        table, keys = _analysis_rows(table, analyses), points["id"]
    owners = join_rows(table, "study_id", keys, "the studyset's points")
    known = owners >= 0
    corpus = make_bunch(
        table.drop(columns="group"),
        owners[known],
        read_coordinates(points[known], "the studyset's points"),
        points.loc[known, "space"].to_numpy(dtype=object),
        description=f"A NiMARE studyset, {len(table):,} rows (one per {rows}).",
        groups=table["group"],
    )
    return warn_about_spaces(corpus)


def _find_bundled() -> Path:
    """Find the bundled studyset in the installed NiMARE package."""
    spec = importlib.util.find_spec("nimare")
    folder = spec and spec.origin and Path(spec.origin).parent / _BUNDLED
    if not folder or not folder.is_dir():
        raise ImportError(
            "The bundled studies require nimare 0.22 or newer, which is not "
            "installed. Install it with: pip install 'sklearn-neurocontext[demo]', or "
            "pass the path of a studyset."
        )
    return folder


def _read_parquet_studyset(folder: Path):
    """Read the tables of studies, analyses and points from a folder."""
    import_optional("pyarrow", extra="demo")
    names = [f"{name}.parquet" for name in _PARQUET_COLUMNS]
    tables = []
    for path, required in zip(
        find_files(folder, names, "a NiMARE studyset in Parquet"),
        _PARQUET_COLUMNS.values(),
        strict=True,
    ):
        table = read_parquet(path, required)
        tables.append(table.astype(dict.fromkeys(_IDS.intersection(table), str)))
    studies, analyses, points, metadata = tables
    # The table of metadata has several rows per study, one for each analysis. Use the
    # first known value of each study.
    metadata = metadata.groupby("study_id").first().reindex(studies["study_id"])
    return _study_table(studies, metadata.reset_index(drop=True)), analyses, points


def _read_json_studyset(path: Path):
    """Read the tables of studies, analyses and points from a JSON file."""
    content = read_json(path)
    if not isinstance(content, dict) or "studies" not in content:
        raise ValueError(
            f"{path.name} is not a NiMARE studyset: it has no field studies. Convert "
            "a legacy Dataset with nimare.io.convert_dataset_to_studyset(dataset, "
            "out_file='studyset.json')."
        )
    studies, analyses, points = [], [], []
    for study in content["studies"]:
        ids = {"study_id": _read_id(study, "A study")}
        studies.append({**study, **ids})
        for analysis in study.get("analyses") or []:
            own = _read_id(analysis, f"An analysis of study {ids['study_id']}")
            ids = {**ids, "id": f"{ids['study_id']}-{own}"}
            analyses.append({**ids, "name": analysis.get("name")})
            points.extend(
                {**ids, **_read_point(point, ids["id"])}
                for point in analysis.get("points") or []
            )
    if not points:
        raise ValueError(
            f"{path.name} has no points; expected a studyset with reported peaks. "
            "Studysets that contain only images are not supported."
        )
    metadata = [study.get("metadata") or {} for study in content["studies"]]
    table = _study_table(pd.DataFrame(studies), pd.DataFrame(metadata))
    return table, pd.DataFrame(analyses), pd.DataFrame(points)


def _read_id(item, name) -> str:
    """Return the id of a study or an analysis as str."""
    if not isinstance(item, dict) or item.get("id") in (None, ""):
        keys = ", ".join(item) if isinstance(item, dict) else repr(item)
        raise ValueError(
            f"{name} has no id; it has {keys or 'no field'}. "
            "Expected the fields of a NiMARE studyset. Studies have the fields id, "
            "name and analyses; analyses have the fields id and points."
        )
    return str(item["id"])


def _read_point(point, name) -> dict:
    """Return a dict with the keys x, y, z and space of a point."""
    coordinates = point.get("coordinates")
    if not isinstance(coordinates, list) or len(coordinates) != 3:
        raise ValueError(
            f"The coordinates of a point must be [x, y, z] in mm; got {coordinates!r} "
            f"in analysis {name}. Correct or drop the point."
        )
    return {**dict(zip("xyz", coordinates, strict=True)), "space": point.get("space")}


def _study_table(studies, metadata) -> pd.DataFrame:
    """Return the table of studies; fill missing cells from the metadata."""
    table = pd.DataFrame({"study_id": studies["study_id"].astype(str)})
    for column, source in _TEXTS.items():
        table[column] = studies.get(source)
    slugs = _first_known(studies, metadata, "slug").astype("string")
    for column, pattern in _SLUGS.items():
        words = _first_known(studies, metadata, column).astype("string")
        words = words.fillna(slugs.str.extract(pattern)[0])
        table[column] = read_integers(words, column)
    years = read_numbers(_first_known(studies, metadata, "year"))
    table["year"] = np.where(years % 1 == 0, years, np.nan)  # "in press" is NaN.
    keywords = _first_known(studies, metadata, "keywords")
    table["keywords"] = [_read_keywords(cell) for cell in keywords]
    return table


def _first_known(studies, metadata, column) -> pd.Series:
    """Return a column of the studies; fill missing values from the metadata."""
    empty = pd.Series(None, index=studies.index, dtype=object)
    own, other = studies.get(column, empty), metadata.get(column, empty)
    return own.astype(object).where(own.notna(), other.to_numpy())


def _read_keywords(cell) -> str:
    """Join a list of keywords with semicolons; the list may be written in JSON."""
    if isinstance(cell, str):
        try:
            cell = json.loads(cell)
        except json.JSONDecodeError:
            return cell
    return "; ".join(map(str, cell)) if isinstance(cell, list | tuple) else ""


def _analysis_rows(studies, analyses) -> pd.DataFrame:
    """Return a table with one row per analysis, with the texts of its study."""
    table = analyses[["id", "study_id", "name"]].merge(studies, on="study_id")
    table["study_id"] = table["id"]
    table["title"] = table["title"].str.cat(table["name"].fillna(""), sep=": ")
    table["title"] = table["title"].str.removesuffix(": ")
    return table.drop(columns=["id", "name"])
