"""Compute tables like those of the NeuroConText paper, and add published scores."""

from dataclasses import dataclass, replace
from pathlib import Path

from .._utils.files import atomic_output, write_text
from ..datasets import load_corpus
from ._benchmark import run_benchmark
from ._estimators import make_embedder
from ._paper_tables import BEST_TEXT_BRAIN, PAPER_RECIPE, TABLES, PaperExperiment
from ._result import DIRECTIONS, BenchmarkResult

_TEXT_TO_BRAIN = DIRECTIONS[0]
_BOTH = ("minilm", "mpnet")
# Tables whose text fields are not titles, abstracts and bodies.
_TEXT_FIELDS = {
    "table1": ("title", "abstract", "body", "counts"),
    "sizes": ("title", "abstract", "body", "counts"),
    "candidates": ("title", "abstract", "body", "counts"),
    "titles": ("title",),
    "features": ("abstract", "body"),
}
_MODEL_NAMES = {"table2": _BOTH, "titles": _BOTH}
_SOURCE = (
    "Published: Meudec, Ghayem et al., NeuroConText, MICCAI 2024 (bodies of 20,000 "
    "articles of PubMed Central, 19,000 of them for training, DiFuMo atlas, 1,000 "
    "candidates, 15 folds; ± is the standard deviation over folds)"
)
_DIFFERENCES = (
    "The published scores cannot be compared directly: the articles are others and "
    "more numerous, the language model is larger (Mistral-7B unless stated "
    "otherwise), and the atlas is DiFuMo."
)
# Rows of a published table: name, recall@10, recall@100 and mix&match, in percent.
_TABLE1 = (
    ("NeuroConText", "22.6 ± 1.4", "57.8 ± 1.6", "84.2 ± 0.9"),
    ("RidgeCV", "14.9", "43.7", "76.5"),
    ("MLP", "11.4", "39.4", "74.1"),
    ("NeuroQuery", "7", "", ""),
    ("Text2Brain", "1.4", "", ""),
)
_TABLE2 = (
    ("Mistral-7B, 256 components", "19.8", "51.6", "81"),
    ("Mistral-7B, 512 components", "22.6", "57.8", "84.2"),
    ("GPT-Neo-1.3B, 512 components", "21.5", "54.8", "82.7"),
    ("GPT-Neo-125M, 512 components", "17.5", "48.2", "79.7"),
    ("SciBERT, 512 components", "17.9", "50.3", "81"),
)
_NICLIP = (
    "NiCLIP (2025; 23,865 articles, BrainGPT-7B) reports a recall@10 of 33.6 % from "
    "bodies and of 24.0 % from abstracts."
)
_SIZES = (
    "The paper reports that recall@10 gains 4.5 points from 10,000 to 19,000 articles."
)
_PUBLISHED = {
    "table1": (_TABLE1, _NICLIP),
    "table2": (_TABLE2, ""),
    "figure2": (_TABLE1, _NICLIP),
    "sizes": ((), _SIZES),
}


@dataclass(eq=False)
class ReproducedTable:
    """Hold the results of one table: one result for each text field.

    Parameters
    ----------
    name : str
        Name of the table.
    description : str
        What the table compares.
    results : dict of str to BenchmarkResult
        Result of each text field.

    Examples
    --------
    >>> from sklearn_neurocontext.experiments import BenchmarkResult, ReproducedTable
    >>> record = {"split": 0, "estimator": "a", "n_candidates": 100, "mix_match": 0.75}
    >>> results = {"title": BenchmarkResult([record])}
    >>> table = ReproducedTable("table1", "Compare estimators.", results)
    >>> print(table.to_markdown().splitlines()[0])
    # table1
    """

    name: str
    description: str
    results: dict

    def to_markdown(self) -> str:
        """Return the tables of all text fields and the published scores as Markdown.

        Returns
        -------
        text : str
            Markdown text.
        """
        parts = [f"# {self.name}", self.description]
        for text_field, result in self.results.items():
            parts += [f"## {text_field}", result.to_markdown()]
        return "\n\n".join([*parts, *self._published()]) + "\n"

    def _published(self) -> list[str]:
        """Return the published scores as paragraphs."""
        rows, note = _PUBLISHED.get(self.name, ((), ""))
        parts = []
        if rows or note:
            parts += ["## Published scores"]
        if rows:
            header = ("% of 1,000 candidates", "recall@10", "recall@100", "mix&match")
            lines = ["| " + " | ".join(row) + " |" for row in (header, *rows)]
            lines.insert(1, "|---|---:|---:|---:|")
            parts += ["\n".join(lines), f"{_SOURCE}. {_DIFFERENCES}"]
        return [*parts, note] if note else parts

    def write(self, folder) -> None:
        """Write tables, figures and records of all text fields.

        Parameters
        ----------
        folder : path-like
            Output folder. Its file ``table.md`` contains the tables. Its subfolder for
            each text field contains figures and the files of `BenchmarkResult.write`.
        """
        folder = Path(folder)
        write_text(folder / "table.md", self.to_markdown())
        for text_field, result in self.results.items():
            result.write(folder / text_field)
            for name, figure in _plot(result, f"{self.name}, {text_field}").items():
                with atomic_output(folder / text_field / f"{name}.png") as path:
                    figure.savefig(path, dpi=150, bbox_inches="tight")


def _plot(result, title) -> dict:
    """Return figures of the scores and of the recall curves."""
    from ..plotting import plot_recall_curves, plot_scores

    summary = result.summary()
    scores: dict[str, dict] = {}
    intervals: dict[str, dict] = {}
    chance = {}
    for metric in result.metrics():
        if result.direction(metric) != _TEXT_TO_BRAIN or metric == "recall_curve_auc":
            continue
        rows = summary[summary["metric"] == metric].set_index("estimator")
        n_candidates = round(rows["n_candidates"].mean())
        label = f"{result.heading(metric)} ({n_candidates:,} candidates)"
        scores[label] = rows["mean"].to_dict()
        chance[label] = rows["chance"].mean()
        ends = rows.loc[rows["low"].notna(), ["low", "high"]]
        intervals[label] = dict(zip(ends.index, ends.to_numpy(), strict=True))
    curves = plot_recall_curves(result.recall_curves(), title=title)
    return {
        "scores": plot_scores(scores, intervals=intervals, chance=chance, title=title),
        "recall_curves": curves.figure,
    }


def reproduce(
    table,
    corpus="neuroquery+neurosynth",
    *,
    text_fields=None,
    rows=None,
    model_names=None,
    atlas="geometric",
    n_components=512,
    n_splits=15,
    n_candidates=1000,
    random_state=0,
    output=None,
    cache=None,
    on_progress=None,
) -> ReproducedTable:
    """Compute a table like one of the NeuroConText paper.

    The studies, the language models and the default atlas differ from those of the
    paper, so the scores also differ. If there are published scores, they are listed
    below the table. The tables compare:

    - ``"table1"``: estimators on bodies, abstracts and titles;
    - ``"table2"``: language models and numbers of components;
    - ``"titles"``: training on titles, and training on titles and abstracts;
    - ``"figure2"``: bodies, abstracts and titles of the same studies;
    - ``"sizes"``: numbers of training studies;
    - ``"comparators"``: `comparators.NeurosynthMaps`, `comparators.NeuroQuery` and
      `comparators.Text2Brain`;
    - ``"features"``: models on the same word features, with and without the hubness
      correction of `KernelCCA`;
    - ``"candidates"``: `best_text_brain` with and without CSLS;
    - ``"losses"``: the InfoNCE loss with and without a reconstruction loss;
    - ``"settings"``: settings of the estimators, on development studies.

    Parameters
    ----------
    table : str
        Name of the table.
    corpus : str, path-like or Bunch, default="neuroquery+neurosynth"
        A corpus, or its name or path as in `load_corpus`. Use `add_texts` to add
        abstracts and bodies to a corpus.
    text_fields : sequence of {"title", "abstract", "body", "counts"} or None, \
            default=None
        Text fields to use. If None, all fields of the table for which the corpus has
        texts are used. ``"counts"`` are the sums of NeuroQuery's counts of terms in
        titles, keywords and abstracts. The counts in titles and keywords are multiplied
        by 2.
    rows : sequence of str or None, default=None
        Names of the rows to compute, for example ``["ridge", "cca"]``. If None, all
        rows of the table are computed.
    model_names : sequence of str or None, default=None
        Language models, see `make_embedder`. ``"table2"`` and ``"titles"`` compare all
        of them. All other tables use only the first. If None, ``"table2"`` and
        ``"titles"`` compare minilm and mpnet, and all other tables use minilm.
    atlas : str or path-like, default="geometric"
        Atlas, see `make_masker`.
    n_components : int, default=512
        Number of components of the atlas. ``"table2"`` uses 256 and 512.
    n_splits : int, default=15
        Number of splits.
    n_candidates : int, default=1000
        Number of test studies in each split. If the corpus has too few studies, the
        splits are folds of a shuffled cross-validation.
    random_state : int, default=0
        Seed of splits and estimators.
    output : path-like or None, default=None
        Folder in which a record of each fit is stored. A second run with the same
        settings reads these records instead of fitting again.
    cache : path-like or None, default=None
        Embedding store. If None, it is ``embeddings.sqlite`` in the cache folder of the
        package.
    on_progress : callable or None, default=None
        Function called as ``on_progress(n_done, n_total, label)`` after each step.

    Returns
    -------
    result : ReproducedTable
        Results of each text field.

    Raises
    ------
    ValueError
        If `table` or a name in `rows` is unknown, or if the corpus has no text for the
        table.

    References
    ----------
    Meudec, Ghayem et al., NeuroConText: Contrastive Text-to-Brain Mapping for
    Neuroscientific Literature, MICCAI 2024.

    Examples
    --------
    >>> from sklearn_neurocontext.datasets import make_studies
    >>> from sklearn_neurocontext.experiments import reproduce
    >>> corpus = make_studies(n_studies=60, random_state=0)
    >>> reproduce("table3", corpus)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    ValueError: table must be one of table1, table2, titles, ...; got 'table3'.
    """
    if table not in TABLES:
        raise ValueError(f"table must be one of {', '.join(TABLES)}; got {table!r}.")
    allowed = _TEXT_FIELDS.get(table, ("title", "abstract", "body"))
    unknown = [one for one in text_fields or () if one not in allowed]
    if unknown:
        raise ValueError(
            f"text_fields of {table} must be among {', '.join(allowed)}; got "
            f"{', '.join(map(repr, unknown))}."
        )
    if not hasattr(corpus, "studies"):
        corpus = load_corpus(corpus)
    model_names = tuple(model_names or _MODEL_NAMES.get(table, ("minilm",)))
    for name in model_names:
        # If a language model is missing, an error is raised before any other work.
        make_embedder(name).fit()
    experiment = PaperExperiment(
        corpus=corpus,
        text_fields=text_fields,
        model_names=model_names,
        atlas=atlas,
        n_components=n_components,
        n_splits=n_splits,
        n_candidates=n_candidates,
        random_state=random_state,
        cache=cache,
        on_progress=on_progress,
    )
    sections = TABLES[table](experiment)
    if not sections:
        raise ValueError(
            f"The corpus has no texts for {table}. Add texts with add_texts, or choose "
            "other text_fields."
        )
    if rows is not None:
        sections = _select_rows(sections, rows)
    n_total = sum(len(row.splits) for of_field in sections.values() for row in of_field)
    progress = _Progress(on_progress, n_total)
    results = {
        name: _run(of_field, output, progress, str(corpus.description))
        for name, of_field in sections.items()
    }
    return ReproducedTable(table, describe_table(table), results)


def _select_rows(sections, names) -> dict:
    """Return the rows whose names are in `names`."""
    known = {row.name: None for rows in sections.values() for row in rows}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ValueError(
            f"rows must be among {', '.join(map(repr, known))}; got "
            f"{', '.join(map(repr, unknown))}."
        )
    chosen = {
        field: [row for row in rows if row.name in names]
        for field, rows in sections.items()
    }
    return {field: rows for field, rows in chosen.items() if rows}


def list_paper_tables() -> list[str]:
    """Return the names of the tables that `reproduce` computes.

    Returns
    -------
    names : list of str
        Names, in the order of the paper.

    Examples
    --------
    >>> from sklearn_neurocontext.experiments import list_paper_tables
    >>> list_paper_tables()[:3]
    ['table1', 'table2', 'titles']
    """
    return list(TABLES)


def describe_table(table) -> str:
    """Return the first line of the description of a table.

    Parameters
    ----------
    table : str
        Name of a table, see `reproduce`.

    Returns
    -------
    description : str
        For example "Compare estimators on bodies, abstracts and titles."

    Examples
    --------
    >>> from sklearn_neurocontext.experiments import describe_table
    >>> describe_table("table2")
    'Compare language models and numbers of components.'
    """
    return TABLES[table].__doc__.splitlines()[0]


class _Progress:
    """Count the fits of all rows."""

    def __init__(self, on_progress, n_total):
        self.on_progress = on_progress
        self.n_total = n_total
        self.n_done = 0

    def __call__(self, n_done, n_total, record):
        """Report a fit."""
        self.n_done += 1
        if self.on_progress is not None:
            label = f"{record['estimator']}, split {record['split'] + 1}"
            self.on_progress(self.n_done, self.n_total, label)


def _run(rows, output, progress, description) -> BenchmarkResult:
    """Run all rows on their splits, and combine the results."""
    results, records, runs = [], [], []
    for group in _group_rows(rows):
        result = run_benchmark(
            {row.name: row.estimator for row in group},
            {row.name: row.X for row in group},
            group[0].y,
            group[0].splits,
            output=output,
            on_progress=progress,
            reference=None,
            groups=group[0].studies.groups,
            settings={"corpus": description, **group[0].studies.metadata},
        )
        first = len(runs)
        records += [one | {"run": first + one["run"]} for one in result.records]
        runs += result.provenance
        results.append(result)
    names = [row.name for row in rows]
    records.sort(key=lambda one: (names.index(one["estimator"]), one["split"]))
    reference = PAPER_RECIPE if PAPER_RECIPE in names else None
    if reference is None and BEST_TEXT_BRAIN in names:
        reference = BEST_TEXT_BRAIN
    # Some rows have fewer splits than others. The test studies of a split are the same
    # for all rows, so the result with the most splits contains all test studies.
    longest = max(results, key=lambda one: len(one.studies))
    return replace(longest, records=records, reference=reference, provenance=runs)


def _group_rows(rows) -> list:
    """Group rows with the same studies, the same y and the same splits."""
    groups: dict[tuple, list] = {}
    for row in rows:
        # Splits are compared by identity, since a comparison of arrays would be slow.
        key = (id(row.studies), id(row.y), *map(id, row.splits))
        groups.setdefault(key, []).append(row)
    return list(groups.values())
