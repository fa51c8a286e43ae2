"""NiMARE's studysets, in JSON or Parquet, without importing NiMARE."""

import importlib.util
import json
from pathlib import Path

import pandas as pd

from .._utils.optional import import_optional
from ._articles import group_articles
from ._bunch import make_bunch, say_spaces
from ._files import read_coordinates, read_json, read_parquet
from ._ids import join_rows, read_numbers

_BUNDLED = "resources/nback_vs_flanker_studyset_2026-07"
_ROWS = ("study", "analysis")
_TEXTS = {"title": "name", "abstract": "description", "journal": "publication"}
_PARQUET = {
    "studies": ("study_id",),
    "analyses": ("id", "study_id", "name"),
    "coordinates": ("id", "study_id", "x", "y", "z", "space"),
    "metadata": ("study_id",),
}
_IDS = {"id", "study_id"}
_SLUGS = {"pmid": r"^(\d{5,8})(?:-10-\d|$)", "pmcid": r"-pmc(\d+)$"}


def load_nimare_studyset(path=None, *, rows: str = "study"):
    """Read a NiMARE studyset.

    Parameters
    ----------
    path : path-like or None, default=None
        A studyset in JSON or a folder in Parquet. None takes the 320 real n-back and
        flanker studies that come with the ``nimare`` package (extra ``[demo]``).
    rows : {"study", "analysis"}, default="study"
        Whether a row is a study with the peaks of all its analyses, or one analysis,
        whose name is appended to the study's title.

    Returns
    -------
    corpus : Bunch
        ``studies``, ``peaks``, ``groups``, ``space_counts``, ``description`` as every
        loader gives them. ``groups`` names the article of each row: pass it to
        `sklearn.model_selection.GroupKFold`, so that analyses of one study, or an
        article that stands twice, never straddle splits. Two studies are one article
        where the PMID, or title and abstract, are the same ("Reprint of" apart); among
        the bundled ones that is one pair, ``3iFzKZYtJ8fr`` and ``4CAE7uGTB2gw``. Peaks
        of space TAL are converted to MNI, each by itself.

    Raises
    ------
    FileNotFoundError
        If the file or folder is missing.
    ImportError
        If the bundled studies or Parquet need a package that is not installed.
    ValueError
        If the file is no studyset, an id is of the wrong kind, a point has no three
        coordinates, or `rows` has another value.

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
    if rows not in _ROWS:
        raise ValueError(f"rows={rows!r} is unknown; expected 'study' or 'analysis'.")
    path = _bundled() if path is None else Path(path).expanduser()
    if not path.exists():
        raise FileNotFoundError(
            f"{str(path)!r} does not exist. Expected a studyset in JSON, or a folder "
            "in Parquet."
        )
    reader = _read_parquet if path.is_dir() else _read_json
    studies, analyses, points = reader(path)
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
        description=f"A NiMARE studyset, {len(table):,} rows ({rows}).",
        groups=table["group"],
    )
    return say_spaces(corpus)


def _bundled() -> Path:
    spec = importlib.util.find_spec("nimare")
    folder = spec and spec.origin and Path(spec.origin).parent / _BUNDLED
    if not folder or not folder.is_dir():
        raise ImportError(
            "The bundled studies come with nimare 0.22 or newer, which is not "
            "installed. Install it with: pip install 'sklearn-neurocontext[demo]'; or "
            "pass the path of a studyset."
        )
    return folder


def _read_parquet(folder: Path):
    import_optional("pyarrow", extra="demo")
    tables = []
    for name, wanted in _PARQUET.items():
        file = folder / f"{name}.parquet"
        if not file.is_file():
            raise FileNotFoundError(
                f"{file.name} is missing in {str(folder)!r}; expected a NiMARE "
                "studyset in Parquet."
            )
        table = read_parquet(file, wanted)
        tables.append(table.astype(dict.fromkeys(_IDS.intersection(table), str)))
    studies, analyses, points, metadata = tables
    # The first value that is known among the analyses of a study.
    facts = metadata.groupby("study_id").first().reindex(studies["study_id"])
    return _study_table(studies, facts.reset_index(drop=True)), analyses, points


def _study_table(studies, facts) -> pd.DataFrame:
    """Gather what is known of the studies; `facts` are their metadata."""
    table = pd.DataFrame({"study_id": studies["study_id"].astype(str)})
    for column, source in _TEXTS.items():
        table[column] = studies.get(source)
    # Neurostore's slugs: <pmid>-<doi>-<pmcid>
    slugs = _first_known(studies, facts, "slug").astype("string")
    for column, pattern in _SLUGS.items():
        words = _first_known(studies, facts, column).astype("string")
        words = words.fillna(slugs.str.extract(pattern)[0])
        table[column] = read_numbers(words, column)
    years = _first_known(studies, facts, "year").astype("string")
    years = pd.to_numeric(years, errors="coerce")  # "in press" is no year
    table["year"] = years.where(years % 1 == 0)
    keywords = _first_known(studies, facts, "keywords")
    table["keywords"] = [_read_keywords(cell) for cell in keywords]
    return table


def _first_known(studies, facts, column) -> pd.Series:
    """Take a column of the studies, or of their metadata where it is missing."""
    nothing = pd.Series(None, index=studies.index, dtype=object)
    own, other = studies.get(column, nothing), facts.get(column, nothing)
    return own.astype(object).where(own.notna(), other.to_numpy())


def _read_keywords(cell) -> str:
    """Join a list of keywords, or one in JSON, with semicolons."""
    if isinstance(cell, str):
        try:
            cell = json.loads(cell)
        except json.JSONDecodeError:
            return cell
    return "; ".join(map(str, cell)) if isinstance(cell, list | tuple) else ""


def _read_json(file: Path):
    content = read_json(file)
    if not isinstance(content, dict) or "studies" not in content:
        raise ValueError(
            f"{file.name} is no NiMARE studyset: it has no list of studies. Convert an "
            "old Dataset first: nimare.io.convert_dataset_to_studyset(dataset, "
            "out_file='studyset.json')."
        )
    studies, analyses, points = [], [], []
    for study in content["studies"]:
        names = {"study_id": _read_id(study, "A study")}
        studies.append({**study, **names})
        for analysis in study.get("analyses") or []:
            own = _read_id(analysis, f"An analysis of study {names['study_id']}")
            names = {**names, "id": f"{names['study_id']}-{own}"}
            analyses.append({**names, "name": analysis.get("name")})
            points.extend(
                {**names, **_read_point(point, names["id"])}
                for point in analysis.get("points") or []
            )
    if not points:
        raise ValueError(
            f"{file.name} holds no point; expected a studyset with reported peaks. "
            "A studyset of images alone is not read."
        )
    facts = pd.DataFrame([study.get("metadata") or {} for study in content["studies"]])
    table = _study_table(pd.DataFrame(studies), facts)
    return table, pd.DataFrame(analyses), pd.DataFrame(points)


def _read_id(item, words) -> str:
    if not isinstance(item, dict) or item.get("id") in (None, ""):
        keys = ", ".join(item) if isinstance(item, dict) else repr(item)
        raise ValueError(
            f"{words} has no id; it has {keys or 'nothing'}. "
            "Expected NiMARE's fields: id, name, analyses with id and points."
        )
    return str(item["id"])


def _read_point(point, name) -> dict:
    coordinates = point.get("coordinates")
    if not isinstance(coordinates, list) or len(coordinates) != 3:
        raise ValueError(
            f"A point of analysis {name} has the coordinates {coordinates!r}; expected "
            "[x, y, z] in mm. Correct or drop the point."
        )
    return {**dict(zip("xyz", coordinates, strict=True)), "space": point.get("space")}


def _analysis_rows(studies, analyses) -> pd.DataFrame:
    """Make one row per analysis, with the texts of its study."""
    table = analyses[["id", "study_id", "name"]].merge(studies, on="study_id")
    table["study_id"] = table["id"]
    table["title"] = table["title"].str.cat(table["name"].fillna(""), sep=": ")
    table["title"] = table["title"].str.removesuffix(": ")
    return table.drop(columns=["id", "name"])
