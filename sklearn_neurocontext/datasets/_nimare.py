"""Load NiMARE studysets, and write them as JSON, without importing NiMARE."""

import importlib.util
import json
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from .._utils.coordinate_spaces import find_sides
from .._utils.files import expand_path, write_json
from .._utils.packages import import_optional
from .._utils.validation import read_numbers
from ._bunch import SkippedPeaksWarning, count_words, make_bunch, warn_about_spaces
from ._files import find_files, read_coordinates, read_json, read_parquet
from ._ids import group_articles, join_rows, read_dois, read_integers
from ._sleuth import fill_n_subjects

_BUNDLED = "resources/nback_vs_flanker_studyset_2026-07"
_NESTED_URL = "https://neurostore.org/api/studysets/<id>?nested=true"
_TEXTS = {"title": "name", "abstract": "description", "journal": "publication"}
_PARQUET_COLUMNS = {
    "studies": ("study_id",),
    "analyses": ("id", "study_id", "name"),
    "coordinates": ("id", "study_id", "x", "y", "z", "space"),
    "metadata": ("study_id",),
}
_IDS = {"id", "study_id"}
# Texts that programs write in place of unknown coordinates.
_NO_NUMBERS = ("", "NaN", "nan", "null", "None", "NA", "N/A", "n/a")
# Patterns that extract the PMID and the PMCID from a slug. A slug is an identifier of a
# study in Neurostore, of the form <pmid>-<doi>-<pmcid>.
_SLUGS = {"pmid": r"^(\d{5,8})(?:-10-\d|$)", "pmcid": r"-pmc(\d+)$"}


def load_nimare_studyset(path=None, *, rows: str = "study"):
    """Load a NiMARE studyset.

    Parameters
    ----------
    path : path-like or None, default=None
        Path of a studyset, which is a JSON file or a folder of Parquet files. The JSON
        file may be compressed with gzip. If None, the studyset bundled with the
        ``nimare`` package is loaded; it contains 320 studies of n-back and flanker
        tasks. The extra ``[demo]`` installs ``nimare``.
    rows : {"study", "analysis"}, default="study"
        With "study", each row is a study, with the peaks of all its analyses. With
        "analysis", each row is an analysis (a contrast), and its title is the title of
        the study followed by the name of the analysis.

    Returns
    -------
    corpus : Bunch
        The fields documented in `sklearn_neurocontext.datasets`. Two studies are in
        the same group if they have the same PMID, PMCID or DOI, or the same title and
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
        If the file is not a studyset, if an id is missing or has the wrong type, if the
        file contains only the ids of studies, analyses or points (peaks), if the number
        of coordinates of a point is neither zero nor three, or if `rows` is invalid.

    Warns
    -----
    SkippedPeaksWarning
        If points (peaks) have no coordinates. These points are skipped.
    CoordinateSpaceWarning
        If the label of a coordinate space is unclear.

    See Also
    --------
    write_nimare_studyset : Write a studyset in JSON.

    References
    ----------
    Salo et al., NiMARE: Neuroimaging meta-analysis research environment, 2022;
    the bundled studies are from Neurostore's release 2026-07.

    Examples
    --------
    >>> from sklearn_neurocontext.datasets import load_nimare_studyset
    >>> load_nimare_studyset().studies.shape
    (320, 11)
    """
    if rows not in ("study", "analysis"):
        raise ValueError(f"rows must be 'study' or 'analysis'; got {rows!r}.")
    path = _find_bundled() if path is None else expand_path(path)
    if not path.exists():
        raise FileNotFoundError(
            f"{str(path)!r} does not exist. Expected a studyset: a JSON file or a "
            "folder of Parquet files."
        )
    read = _read_parquet_studyset if path.is_dir() else _read_json_studyset
    studies, analyses, points = read(path)
    points, skipped = _drop_empty_points(points)
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
        description=(
            f"A NiMARE studyset, {count_words(len(table), 'row', 'rows')} (one per "
            f"{rows}). {skipped}"
        ).strip(),
        groups=table["group"],
        sides=find_sides(points[known]),
    )
    if skipped:
        warnings.warn(skipped, SkippedPeaksWarning, stacklevel=2)
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
    # The table of metadata has several rows per study, one for each analysis. The first
    # known value of each study is used.
    metadata = metadata.groupby("study_id").first().reindex(studies["study_id"])
    return _study_table(studies, metadata.reset_index(drop=True)), analyses, points


def _read_json_studyset(path: Path):
    """Read the tables of studies, analyses and points from a JSON file."""
    content = read_json(path)
    if not isinstance(content, dict) or "studies" not in content:
        raise ValueError(
            f"{path.name} is not a NiMARE studyset: it has no field 'studies'. "
            "Convert a legacy Dataset with nimare.io.convert_dataset_to_studyset("
            "dataset, out_file='studyset.json')."
        )
    studies, analyses, points = [], [], []
    for study in _read_items(content, "studies", path.name):
        study_id = _read_id(study, "A study")
        name = f"study {study_id}"
        texts = {field: _read_text(study, field, name) for field in _TEXTS.values()}
        studies.append({**study, **texts, "study_id": study_id})
        for analysis in _read_items(study, "analyses", name):
            own_id = _read_id(analysis, f"An analysis of {name}")
            ids = {"study_id": study_id, "id": f"{study_id}-{own_id}"}
            place = f"analysis {ids['id']}"
            analyses.append({**ids, "name": _read_text(analysis, "name", place)})
            points.extend(
                {**ids, **_read_point(point, place)}
                for point in _read_items(analysis, "points", place)
            )
    if not points:
        raise ValueError(
            f"{path.name} has no points; expected a studyset with reported peaks. "
            "Studysets that contain only images are not supported."
        )
    metadata = [_read_metadata(study) for study in studies]
    table = _study_table(pd.DataFrame(studies), pd.DataFrame(metadata))
    return table, pd.DataFrame(analyses), pd.DataFrame(points)


def _read_items(owner, field, name) -> list:
    """Return the list of studies, analyses or points in a field of an object."""
    items = owner.get(field)
    if items is None and field != "studies":
        return []
    if not isinstance(items, list):
        raise ValueError(
            f"The field {field!r} of {name} must be a list; got {_show(items)}. "
            f"Download the studyset with nested {field}, from {_NESTED_URL}."
        )
    ids = [item for item in items if isinstance(item, str | int)]
    if ids:
        raise ValueError(
            f"The field {field!r} of {name} contains ids, for example "
            f"{_show(ids[0])}; expected the {field} themselves. Download the "
            f"studyset with nested {field}, from {_NESTED_URL}."
        )
    return items


def _show(value) -> str:
    """Return the beginning of a value, as it is written in JSON."""
    words = json.dumps(value)
    return words if len(words) <= 60 else f"{words[:60]}…"


def _read_id(item, name) -> str:
    """Return the id of a study or an analysis as str."""
    expected = (
        "In a NiMARE studyset, a study has the fields 'id', 'name' and 'analyses', and "
        "an analysis has the fields 'id' and 'points'."
    )
    if not isinstance(item, dict):
        raise ValueError(f"{name} must be an object; got {_show(item)}. {expected}")
    own_id = item.get("id")
    if own_id in (None, "") or not isinstance(own_id, str | int | float):
        fields = ", ".join(map(repr, item)) or "none"
        raise ValueError(
            f"{name} has no valid id; its fields are: {fields}. {expected}"
        )
    return str(own_id)


def _read_text(item, field, name):
    """Return a text field of a study or an analysis, or None if it is empty."""
    value = item.get(field)
    if isinstance(value, dict | list):
        raise ValueError(
            f"The field {field!r} of {name} must be a text; got {_show(value)}. Write "
            "the text itself."
        )
    return None if value is None else str(value)


def _read_metadata(study) -> dict:
    """Return the metadata of a study."""
    metadata = study.get("metadata") or {}
    if not isinstance(metadata, dict):
        raise ValueError(
            f"The field 'metadata' of study {study['study_id']} must be an object, "
            f'such as {{"year": 2001}}; got {_show(metadata)}.'
        )
    return metadata


def _read_point(point, name) -> dict:
    """Return the coordinates (keys x, y, z) and the space (key space) of a point."""
    # The values x, y and z are None if a point has no coordinates. Such a point is
    # removed by `_drop_empty_points`.
    point = {} if point is None else point
    coordinates = point.get("coordinates") if isinstance(point, dict) else point
    if coordinates is None or coordinates == []:
        coordinates = [point.get(axis) for axis in "xyz"]
    if not isinstance(point, dict) or not _is_triple(coordinates):
        raise ValueError(
            "A point must be an object whose field 'coordinates' contains [x, y, z] in "
            f"mm; got {_show(point)} in {name}. Correct or drop the point."
        )
    space = point.get("space")
    if isinstance(space, dict | list | bool):
        raise ValueError(
            "The field 'space' of a point must be a name, such as 'MNI'; got "
            f"{_show(space)} in {name}. Write the name itself."
        )
    return {**dict(zip("xyz", coordinates, strict=True)), "space": space}


def _is_triple(coordinates) -> bool:
    """Return whether coordinates are a list of three numbers, texts or nulls."""
    return (
        isinstance(coordinates, list)
        and len(coordinates) == 3
        and not any(isinstance(value, dict | list | bool) for value in coordinates)
    )


def _drop_empty_points(points):
    """Return the points with coordinates, and a message about the other points."""
    words = (
        points[["x", "y", "z"]].astype("string").apply(lambda cells: cells.str.strip())
    )
    empty = (words.isna() | words.isin(_NO_NUMBERS)).any(axis=1)
    if not empty.any():
        return points, ""
    studies = points.loc[empty, "study_id"].drop_duplicates().tolist()
    shown = ", ".join(studies[:2]) + (", …" if len(studies) > 2 else "")
    message = (
        f"Skipped {empty.sum():,} of {count_words(len(points), 'point', 'points')} "
        "(peaks) because of missing coordinates "
        f"({count_words(len(studies), 'study', 'studies')}: {shown})."
    )
    if empty.all():
        raise ValueError(f"{message} Expected a studyset with reported peaks.")
    return points[~empty], message


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
    table["doi"] = read_dois(_first_known(studies, metadata, "doi"))
    years = read_numbers(_first_known(studies, metadata, "year"))
    # If a year is not an integer, for example "in press", it is treated as unknown.
    table["year"] = np.where(years % 1 == 0, years, np.nan)
    keywords = _first_known(studies, metadata, "keywords")
    table["keywords"] = [_read_keywords(cell) for cell in keywords]
    return table


def _first_known(studies, metadata, column) -> pd.Series:
    """Return a column of the studies; fill missing values from the metadata."""
    empty = pd.Series(None, index=studies.index, dtype=object)
    own, other = studies.get(column, empty), metadata.get(column, empty)
    return own.astype(object).where(own.notna(), other.to_numpy())


def _read_keywords(cell) -> str:
    """Return keywords as a text; items of a list or JSON list are joined by "; "."""
    if isinstance(cell, str):
        try:
            cell = json.loads(cell)
        except (ValueError, RecursionError):
            return cell
    return "; ".join(map(str, cell)) if isinstance(cell, list | tuple) else ""


def _analysis_rows(studies, analyses) -> pd.DataFrame:
    """Return a table with one row per analysis; each row has the texts of its study."""
    table = analyses[["id", "study_id", "name"]].merge(studies, on="study_id")
    table["study_id"] = table["id"]
    table["title"] = table["title"].str.cat(table["name"].fillna(""), sep=": ")
    table["title"] = table["title"].str.removesuffix(": ")
    return table.drop(columns=["id", "name"])


def write_nimare_studyset(corpus, path, *, default_n_subjects=None) -> Path:
    """Write the studies and peaks of a corpus to a NiMARE studyset in JSON.

    Parameters
    ----------
    corpus : Bunch
        A corpus returned by a loader of this package. Each row is written as a study
        with one analysis.
    path : path-like
        Path of the output file, which must end in ``.json``. An existing file is
        replaced.
    default_n_subjects : int or None, default=None
        Sample size to write for rows whose number of subjects is unknown. Known numbers
        are in the field ``n_subjects`` of the corpus. If None, no sample size is
        written for rows whose number is unknown. NiMARE's ``ALE()`` then requires
        another parameter, for example ``kernel__sample_size=20``.

    Returns
    -------
    path : Path
        Path of the output file. In this file, coordinates are in mm and labeled as MNI,
        even if the corpus does not state their space. Rows without a peak are omitted.

    Raises
    ------
    ValueError
        If `path` does not end in ``.json``, if `default_n_subjects` is not positive, or
        if no row has a peak.

    Warns
    -----
    UserWarning
        If rows without a peak are omitted.

    See Also
    --------
    load_nimare_studyset : Load a studyset.
    write_sleuth : Write a text file for Sleuth and GingerALE.

    References
    ----------
    Salo et al., NiMARE: Neuroimaging meta-analysis research environment, 2022.

    Examples
    --------
    >>> import tempfile
    >>> from sklearn_neurocontext.datasets import (
    ...     load_nimare_studyset,
    ...     make_studies,
    ...     write_nimare_studyset,
    ... )
    >>> corpus = make_studies(3, random_state=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = write_nimare_studyset(corpus, folder + "/studyset.json")
    ...     len(load_nimare_studyset(path).peaks)
    3
    """
    path = expand_path(path)
    if path.suffix != ".json":
        raise ValueError(f"path must end in .json; got {str(path)!r}.")
    studies = [
        _format_study(row, peaks, n_subjects)
        for row, peaks, n_subjects in zip(
            corpus.studies.to_dict("records"),
            corpus.peaks,
            fill_n_subjects(corpus, default_n_subjects),
            strict=True,
        )
        if len(peaks)
    ]
    if not studies:
        raise ValueError("The corpus must have at least one peak; got none.")
    if n_empty := len(corpus.peaks) - len(studies):
        warnings.warn(
            f"{n_empty} of {len(corpus.peaks)} rows have no peak and were omitted.",
            UserWarning,
            stacklevel=2,
        )
    write_json(path, {"id": path.stem, "name": path.stem, "studies": studies})
    return path


def _format_study(row, peaks, n_subjects) -> dict:
    """Return a study with one analysis, as it is written in JSON."""
    metadata = {
        name: int(row[name])
        for name in ("pmid", "pmcid", "year")
        if not pd.isna(row[name])
    }
    metadata |= {name: row[name] for name in ("doi", "keywords") if row[name]}
    sample = {} if n_subjects is None else {"sample_sizes": [n_subjects]}
    analysis = {
        "id": "1",
        "name": "all peaks",
        "metadata": sample,
        "conditions": [],
        "weights": [],
        "images": [],
        "points": [
            {"space": "MNI", "coordinates": xyz, "kind": "unknown", "values": []}
            for xyz in np.round(peaks, 4).tolist()
        ],
    }
    return {
        "id": row["study_id"],
        **{source: row[column] for column, source in _TEXTS.items()},
        "authors": "",
        "metadata": metadata,
        "analyses": [analysis],
    }
