"""Compute tables like those of the NeuroConText paper, and add published scores."""

from dataclasses import dataclass, replace
from pathlib import Path

from .._utils.files import atomic_output, write_text
from ..datasets import load_corpus
from ._benchmark import run_benchmark
from ._estimators import make_embedder
from ._paper_tables import (
    BEST_TEXT_BRAIN,
    PAPER_RECIPE,
    TABLES,
    PaperExperiment,
    row_names,
)
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
_KS = (10, 100)
# The first of these rows that a table has is the reference of paired differences.
_REFERENCES = (PAPER_RECIPE, BEST_TEXT_BRAIN)
_PUBLISHED_ATLAS = "difumo"
_PUBLISHED_MODEL = "mistral-7b"
_PUBLISHED_MODELS = "the language model is Mistral-7B unless stated otherwise"
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
    atlas : str or path-like, default="geometric"
        Atlas of the results. It is compared with that of the published scores.
    model_names : sequence of str, default=("minilm",)
        Language models of the results. They are compared with those of the published
        scores.

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
    atlas: object = "geometric"
    model_names: tuple = ("minilm",)

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
            parts += ["\n".join(lines), f"{_SOURCE}. {self._differences()}"]
        return [*parts, note] if note else parts

    def _differences(self) -> str:
        """Return a sentence that names the differences from the published scores."""
        differences = ["the articles are others"]
        if not any(_PUBLISHED_MODEL in name.lower() for name in self.model_names):
            differences.append(_PUBLISHED_MODELS)
        if str(self.atlas) != _PUBLISHED_ATLAS:
            differences.append("the atlas is DiFuMo")
        *others, last = differences
        text = f"{', '.join(others)} and {last}" if others else last
        return f"The published scores cannot be compared directly: {text}."

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
    - ``"figure2"``: estimators and comparators on bodies, abstracts and titles of the
      same studies. `comparators.Text2Brain` is slow, so it is compared only if `rows`
      contains its name, and on one split;
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
        rows of the table are computed, except for Text2Brain in ``"figure2"``.
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
        If `table` or a name in `rows` is unknown, if the corpus has no text for the
        table, or if no row of a text field can be fitted. If only some rows cannot be
        fitted, a note below the table names them.

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
    check_rows(table, rows, model_names)
    allowed = _TEXT_FIELDS.get(table, ("title", "abstract", "body"))
    unknown = [one for one in text_fields or () if one not in allowed]
    if unknown:
        raise ValueError(
            f"text_fields of {table} must be among {', '.join(allowed)}; got "
            f"{', '.join(map(repr, unknown))}."
        )
    if not hasattr(corpus, "studies"):
        corpus = load_corpus(corpus)
    model_names = _choose_models(table, model_names)
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
    sections = _select_rows(sections, rows)
    n_total = sum(len(row.splits) for of_field in sections.values() for row in of_field)
    progress = _Progress(on_progress, n_total)
    results = {
        name: _run(name, of_field, output, progress, str(corpus.description))
        for name, of_field in sections.items()
    }
    return ReproducedTable(table, describe_table(table), results, atlas, model_names)


def _choose_models(table, model_names) -> tuple:
    """Return the names of the language models, by default those of the table."""
    return tuple(model_names or _MODEL_NAMES.get(table, ("minilm",)))


def check_rows(table, rows, model_names=None) -> None:
    """Check the name of a table and the names of its rows.

    Parameters
    ----------
    table : str
        Name of a table, see `reproduce`.
    rows : sequence of str or None
        Names of rows. If None, only the name of the table is checked.
    model_names : sequence of str or None, default=None
        Language models, see `reproduce`. The names of some rows contain their names.

    Raises
    ------
    ValueError
        If the name of the table or the name of a row is unknown.

    Examples
    --------
    >>> from sklearn_neurocontext.experiments import check_rows
    >>> check_rows("candidates", ["best_text_brain, CSLS"])
    >>> check_rows("candidates", ["ridge"])  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    ValueError: rows must be among 'best_text_brain', ... got 'ridge'.
    """
    if table not in TABLES:
        raise ValueError(f"table must be one of {', '.join(TABLES)}; got {table!r}.")
    if rows is None:
        return
    known = row_names(table, _choose_models(table, model_names))
    unknown = [name for name in rows if name not in known]
    if unknown:
        raise ValueError(
            f"rows must be among {', '.join(map(repr, known))}; got "
            f"{', '.join(map(repr, unknown))}."
        )


def _select_rows(sections, names) -> dict:
    """Return the rows whose names are in `names`; None stands for the usual rows."""
    chosen = {
        field: [
            row
            for row in rows
            if (not row.on_request if names is None else row.name in names)
        ]
        for field, rows in sections.items()
    }
    chosen = {field: rows for field, rows in chosen.items() if rows}
    if not chosen:
        raise ValueError(
            f"The corpus has too few studies for the rows {', '.join(map(repr, names))}"
            ". Choose other rows, or use a larger corpus."
        )
    return chosen


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
        self._report(f"{record['estimator']}, split {record['split'] + 1}")

    def skip(self, n_fits, name):
        """Report that fits of a row are skipped."""
        self.n_done += n_fits
        self._report(name)

    def _report(self, label):
        if self.on_progress is not None:
            self.on_progress(self.n_done, self.n_total, label)


def _run(section, rows, output, progress, description) -> BenchmarkResult:
    """Run all rows of a section on their splits, and combine the results."""
    # All rows have the same values of k, even if their splits differ.
    smallest = min(len(test) for row in rows for _, test in row.splits)
    ks = tuple(k for k in _KS if k < smallest)
    results, records, runs, failures = [], [], [], {}
    for row in rows:
        n_before = progress.n_done
        try:
            result = run_benchmark(
                {row.name: row.estimator},
                row.get_X(),
                row.get_y(),
                row.splits,
                output=output,
                on_progress=progress,
                ks=ks,
                reference=None,
                groups=row.studies.groups,
                settings={"corpus": description, **row.studies.metadata},
            )
        except ValueError as error:
            # Some estimators cannot be fitted to some corpora. For example, NeuroQuery
            # needs terms that occur in many studies.
            failures[row.name] = str(error)
            progress.skip(n_before + len(row.splits) - progress.n_done, row.name)
            continue
        first = len(runs)
        records += [one | {"run": first + one["run"]} for one in result.records]
        runs += result.provenance
        results.append(result)
    if not results:
        name, message = next(iter(failures.items()))
        raise ValueError(f"No row of {section} can be fitted. {name}: {message}")
    computed = {record["estimator"] for record in records}
    reference = next((name for name in _REFERENCES if name in computed), None)
    # Some rows have fewer splits than others. The test studies of a split are the same
    # for all rows, so the result with the most splits contains all test studies.
    longest = max(results, key=lambda one: len(one.studies))
    return replace(
        longest,
        records=records,
        reference=reference,
        provenance=runs,
        failures=failures,
    )
