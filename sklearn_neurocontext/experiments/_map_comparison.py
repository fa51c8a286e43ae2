"""Compare maps predicted from descriptions with the described maps (Figure 3)."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.pipeline import make_pipeline

from .._utils.files import (
    atomic_output,
    expand_path,
    write_json,
    write_table,
    write_text,
)
from ..datasets import fetch_ibc_maps, study_texts, usable_rows
from ..metrics import bootstrap_interval, dice_score
from ._benchmark import provenance
from ._estimators import make_embedder, make_estimators, make_masker
from ._paper_tables import BEST_TEXT_BRAIN, PAPER_RECIPE

_TOPS = (0.05, 0.1, 0.2, 0.3)
_IBC = "ibc"


@dataclass(eq=False)
class MapComparison:
    """Hold the similarities of predicted maps to the described maps.

    Parameters
    ----------
    scores : DataFrame
        One row per method and map, with the columns ``method``, ``name``,
        ``description``, ``correlation`` and one column ``dice_<p>`` for each percentage
        p. For ``dice_<p>``, the p % of voxels with the highest values are selected in
        each of the two maps. The score is the Dice overlap of the two selections.
    settings : dict
        Corpus, atlas, random state, and source of the maps.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_neurocontext.experiments import MapComparison
    >>> row = {"method": "a", "name": "m", "description": "pain", "correlation": 0.5}
    >>> MapComparison(pd.DataFrame([row]), {}).summary()["mean"].tolist()
    [0.5]
    """

    scores: pd.DataFrame
    settings: dict

    def summary(self) -> pd.DataFrame:
        """Compute the mean of each score over maps, and its 95 % interval.

        Returns
        -------
        summary : DataFrame
            One row per method and score. The columns are ``method``, ``metric``,
            ``mean``, ``low`` and ``high`` (ends of the 95 % interval of a bootstrap
            over maps, NaN for a single map), and ``n_maps``.
        """
        rows = []
        metrics = self.scores.columns.drop(["method", "name", "description"])
        for method, group in self.scores.groupby("method", sort=False):
            values = group[metrics].to_numpy(dtype=np.float64)
            low = high = np.full(len(metrics), np.nan)
            if len(values) > 1:
                low, high = bootstrap_interval(values)
            for place, metric in enumerate(metrics):
                row = {"method": method, "metric": metric}
                row |= {"mean": values[:, place].mean(), "low": low[place]}
                rows.append(row | {"high": high[place], "n_maps": len(values)})
        return pd.DataFrame(rows)

    def to_markdown(self) -> str:
        """Return the means over maps as a Markdown table.

        Returns
        -------
        text : str
            Markdown text.
        """
        summary = self.summary()
        metrics = list(summary["metric"].unique())
        rows = [["method", *map(_heading, metrics)]]
        for method, group in summary.groupby("method", sort=False):
            cells = group.set_index("metric").loc[metrics].itertuples()
            rows.append(
                [method, *(f"{c.mean:.3f} [{c.low:.3f}, {c.high:.3f}]" for c in cells)]
            )
        lines = ["| " + " | ".join(map(str, row)) + " |" for row in rows]
        lines.insert(1, "|---|" + "---:|" * len(metrics))
        n_maps = summary["n_maps"].max()
        note = (
            f"Means over {n_maps} maps. Brackets contain 95 % intervals of a bootstrap "
            "over maps. Dice is computed from the given percentage of voxels with the "
            "highest values in each of the two maps."
        )
        published = (
            "The paper shows the Dice overlap with maps of Individual Brain Charting "
            "as a figure without numbers."
        )
        return "\n\n".join(["# figure3", "\n".join(lines), note, published]) + "\n"

    def write(self, folder) -> None:
        """Write the table, the scores of each map, a figure and the provenance.

        Parameters
        ----------
        folder : path-like
            Output folder.
        """
        from ..plotting import plot_dice_bars

        folder = Path(folder)
        write_text(folder / "table.md", self.to_markdown())
        write_table(folder / "scores.csv", self.scores)
        write_json(
            folder / "results.json",
            {
                "scores": self.scores.to_dict("records"),
                "provenance": provenance() | {"settings": self.settings},
            },
        )
        by_method = self.scores.groupby("method", sort=False)["dice_10"]
        dice = {method: values.to_numpy() for method, values in by_method}
        with atomic_output(folder / "dice.png") as path:
            plot_dice_bars(dice, top=0.1).figure.savefig(path, dpi=150)


def _heading(metric) -> str:
    """Return the column heading of a score."""
    if not metric.startswith("dice_"):
        return metric
    return f"Dice, top {metric.removeprefix('dice_')} %"


def read_described_maps(folder) -> pd.DataFrame:
    """Read the descriptions of maps in the subfolders of a folder.

    Parameters
    ----------
    folder : path-like
        Folder with subfolders. Each subfolder contains map files and a table
        ``descriptions.tsv`` with the columns ``name``, ``file`` and ``description``.
        The column ``file`` contains the names of the map files.

    Returns
    -------
    maps : DataFrame
        Table with the columns ``name``, ``description`` and ``path``.

    Raises
    ------
    ValueError
        If no subfolder contains ``descriptions.tsv``.

    Examples
    --------
    >>> from sklearn_neurocontext.experiments import read_described_maps
    >>> read_described_maps("missing_folder")
    Traceback (most recent call last):
    ...
    ValueError: No subfolder of 'missing_folder' contains descriptions.tsv.
    """
    tables = []
    for path in sorted(expand_path(folder).glob("*/descriptions.tsv")):
        table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
        tables.append(_check_descriptions(table, path))
    if not tables:
        raise ValueError(f"No subfolder of {str(folder)!r} contains descriptions.tsv.")
    return pd.concat(tables, ignore_index=True)[["name", "description", "path"]]


def compare_maps(
    corpus,
    maps="ibc",
    *,
    atlas="geometric",
    n_components=512,
    random_state=0,
    cache="memory",
    on_progress=None,
) -> MapComparison:
    """Predict maps from descriptions and compare them with the described maps.

    All methods are fitted to the titles of all studies of the corpus. The comparison is
    like that in Figure 3 of the NeuroConText paper, which uses maps of Individual Brain
    Charting (IBC).

    Parameters
    ----------
    corpus : Bunch
        Corpus with titles.
    maps : "ibc" or path-like, default="ibc"
        ``"ibc"`` downloads maps of Individual Brain Charting, see `fetch_ibc_maps`. A
        path must be that of a folder whose subfolders contain maps and their
        descriptions (see `read_described_maps`).
    atlas : str or path-like, default="geometric"
        Atlas, see `make_masker`.
    n_components : int, default=512
        Number of components of the atlas.
    random_state : int, default=0
        Seed of the estimators.
    cache : "memory" or path-like, default="memory"
        Cache of embeddings, see `LLMChunkEmbedder`.
    on_progress : callable or None, default=None
        Function called as ``on_progress(n_done, n_total, label)`` after each method.

    Returns
    -------
    comparison : MapComparison
        Scores of each method and map.

    Raises
    ------
    ValueError
        If `maps` is a folder without descriptions.
    OSError
        If maps of IBC cannot be downloaded.

    Examples
    --------
    >>> from sklearn_neurocontext.datasets import make_studies
    >>> from sklearn_neurocontext.experiments import compare_maps
    >>> compare_maps(make_studies(n_studies=40, random_state=0), "missing_folder")
    Traceback (most recent call last):
    ...
    ValueError: No subfolder of 'missing_folder' contains descriptions.tsv.
    """
    embedder = make_embedder().set_params(cache=cache).fit()
    table = _fetch_ibc() if str(maps) == _IBC else read_described_maps(maps)
    masker = make_masker(atlas, n_components)
    y = np.asarray(masker.fit(corpus.peaks).transform(corpus.peaks))
    texts = study_texts(corpus, "title")
    rows = usable_rows(texts, y)
    texts, y = [texts[row] for row in rows], y[rows]
    described = [_read_map(one, masker.mask_img_) for one in table["path"]]
    methods = _make_methods(random_state, embedder, cache)
    scores = []
    for n_done, (name, method) in enumerate(methods.items()):
        predicted = method(texts, y, table["description"].tolist())
        voxels = masker.coefficients_to_voxels(predicted)
        for one, true_map, map_ in zip(
            table.itertuples(), described, voxels, strict=True
        ):
            row = {"method": name, "name": one.name, "description": one.description}
            row["correlation"] = np.corrcoef(true_map, map_)[0, 1]
            for top in _TOPS:
                row[f"dice_{round(100 * top)}"] = dice_score(true_map, map_, top=top)
            scores.append(row)
        if on_progress is not None:
            on_progress(n_done + 1, len(methods), name)
    settings = {"corpus": str(corpus.description), "n_studies": len(rows)}
    settings |= {"atlas": str(atlas), "n_components": n_components}
    settings |= {"maps": "ibc" if str(maps) == _IBC else "folder"}
    settings["random_state"] = random_state
    return MapComparison(pd.DataFrame(scores), settings)


def _check_descriptions(table, path) -> pd.DataFrame:
    """Check the columns, descriptions and files of a table; add the paths of files."""
    missing = [name for name in ("name", "file", "description") if name not in table]
    if missing:
        raise ValueError(
            f"{str(path)!r} must have the columns name, file and description; got "
            f"{', '.join(table.columns)}."
        )
    table = table.assign(path=[path.parent / one for one in table["file"]])
    for row in table.itertuples():
        if not row.description.strip():
            raise ValueError(
                f"{str(path)!r}: the description of {row.name!r} is empty."
            )
        if not row.path.is_file():
            raise ValueError(f"{str(path)!r}: the file {row.file!r} does not exist.")
    return table


def _read_map(path, mask_img) -> np.ndarray:
    """Read a map at the voxels of the mask; resample it if its grid differs."""
    from nilearn.image import load_img, resample_to_img
    from nilearn.masking import apply_mask

    img = load_img(path)
    if img.shape != mask_img.shape or not np.allclose(img.affine, mask_img.affine):
        img = resample_to_img(
            img, mask_img, interpolation="linear", force_resample=True, copy_header=True
        )
    return apply_mask(img, mask_img)


def _fetch_ibc() -> pd.DataFrame:
    """Download maps of Individual Brain Charting, and return a table of them."""
    ibc = fetch_ibc_maps()
    names = ibc.contrasts["contrast_definition"]
    return pd.DataFrame({"name": names, "description": names, "path": ibc.maps})


def _make_methods(random_state, embedder, cache) -> dict:
    """Return functions, each of which fits a method and predicts coefficients."""
    from ..models import ContrastiveTextBrain, best_text_brain

    def fit_predict(model):
        """Return a function that fits a model to texts and predicts for queries."""
        return lambda texts, y, queries: model.fit(texts, y).predict(queries)

    made = make_estimators(random_state=random_state, decoder="residual")
    models = {
        PAPER_RECIPE: ContrastiveTextBrain.paper(random_state=random_state),
        "contrastive, defaults": made["contrastive"],
        "ridge": made["ridge"],
        "mlp": made["mlp"],
    }
    methods = {"mean map": _predict_mean}
    for name, model in models.items():
        methods[name] = fit_predict(make_pipeline(embedder, model))
    best = best_text_brain("title", random_state)
    caches = [name for name in best.get_params() if name.endswith("__cache")]
    best.set_params(**dict.fromkeys(caches, cache))
    methods[BEST_TEXT_BRAIN] = fit_predict(best)
    return methods


def _predict_mean(texts, y, queries) -> np.ndarray:
    """Return, for each query, the mean of the unit-norm coefficients of all studies."""
    mean = (y / np.linalg.norm(y, axis=1, keepdims=True)).mean(axis=0)
    return np.tile(mean, (len(queries), 1))
