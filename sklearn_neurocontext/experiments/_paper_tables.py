"""Rows of tables like those of the NeuroConText paper, with estimators and splits."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache, partial

import numpy as np
from sklearn.base import clone
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from .._utils.files import cache_folder
from ._corrections import CorrectedByCandidates, HubnessCorrected, to_dense
from ._estimators import make_embedder, make_estimators, make_masker
from ._paper_studies import (
    COUNTS,
    PaperStudies,
    prepare_paper_studies,
    random_subset,
)

PAPER_RECIPE = "contrastive, paper recipe"
BEST_TEXT_BRAIN = "best_text_brain"
_MODEL_LABELS = {"minilm": "MiniLM", "mpnet": "MPNet"}
_SIZES = (1000, 2000, 5000, 10_000)
# Number of splits on which the network of the paper is fitted to titles. The training
# of this network always takes 50 epochs, so a fit to 17,000 titles is slow.
_N_SPLITS_OF_TITLES = 3
# Number of splits on which NeuroQuery is fitted. The number is small, because a fit
# takes minutes.
_N_SPLITS_OF_NEUROQUERY = 3
_N_TRAIN_OF_TEXT2BRAIN = 2000
_LOSS_LABEL = "contrastive, reconstruction_weight"
_LOSS_WEIGHTS = (0, 0.1, 1, 10)
# Settings of the network that were chosen on development studies.
_BEST_NETWORK = {"batch_size": 512, "lr": 1e-3, "y_scaling": "sqrt"}


@dataclass(eq=False)
class Row:
    """Hold one row of a table.

    Parameters
    ----------
    name : str
        Name of the row.
    estimator : estimator
        Unfitted estimator.
    get_X : callable
        Function without parameters that returns the input of the estimator. It is
        called when the row is computed, so that texts are embedded only if they are
        needed.
    studies : PaperStudies
        Studies to which the rows of the input belong.
    splits : list of (train, test) or None, default=None
        Splits on which the estimator is fitted and scored. If None, all splits of the
        studies are used.
    get_y : callable or None, default=None
        Function without parameters that returns the maps to which the estimator is
        fitted. If None, the coefficients of the studies are used.
    on_request : bool, default=False
        Whether the row is computed only if its name is passed to `reproduce`.
    """

    name: str
    estimator: object
    get_X: Callable
    studies: PaperStudies
    splits: list | None = None
    get_y: Callable | None = None
    on_request: bool = False

    def __post_init__(self):
        """Use the splits and the coefficients of the studies by default."""
        if self.splits is None:
            self.splits = self.studies.splits
        if self.get_y is None:
            self.get_y = partial(getattr, self.studies, "y")


@dataclass(eq=False)
class PaperExperiment:
    """Hold the corpus and the settings of a table.

    Parameters
    ----------
    corpus : Bunch
        Corpus of all studies.
    text_fields : sequence of str or None
        Text fields to use. If None, the fields of the table for which the corpus has
        texts are used.
    model_names : sequence of str
        Names of the language models, see `make_embedder`.
    atlas : str or path-like
        Atlas, see `make_masker`.
    n_components : int
        Number of components of the atlas.
    n_splits : int
        Number of splits.
    n_candidates : int
        Number of test studies of each split.
    random_state : int
        Seed of splits and estimators.
    cache : path-like or None
        SQLite file in which embeddings are stored. If None, it is in the cache folder
        of the package.
    on_progress : callable or None
        Function called as ``on_progress(n_done, n_total, label)``.
    """

    corpus: object
    text_fields: tuple | None = None
    model_names: tuple = ("minilm",)
    atlas: object = "geometric"
    n_components: int = 512
    n_splits: int = 15
    n_candidates: int = 1000
    random_state: int = 0
    cache: object = None
    on_progress: object = None
    _embeddings: dict = field(default_factory=dict)

    def prepare(self, text_fields, **options) -> dict:
        """Prepare the studies of the chosen text fields for a table.

        The chosen fields are the attribute `text_fields`. If this attribute is None,
        they are those of the passed `text_fields` for which the corpus has texts.
        """
        options = {
            "atlas": self.atlas,
            "n_components": self.n_components,
            "n_splits": self.n_splits,
            "n_candidates": self.n_candidates,
            "random_state": self.random_state,
        } | options
        wanted = self.text_fields
        if wanted is None:
            wanted = [name for name in text_fields if self._has_texts(name)]
        return prepare_paper_studies(self.corpus, wanted, **options)

    def _has_texts(self, text_field) -> bool:
        if text_field == COUNTS:
            return "term_counts" in self.corpus
        return bool(self.corpus.studies[text_field].str.strip().any())

    def embedder(self, studies, model_name=None) -> Callable:
        """Return a function without parameters that embeds the texts of studies.

        By default, the first language model is used.
        """
        return partial(self._embed, studies, model_name or self.model_names[0])

    def _embed(self, studies, model_name) -> np.ndarray:
        """Embed the texts of studies, or read the embeddings from the store."""
        key = (model_name, tuple(studies.texts))
        if key not in self._embeddings:
            store = self.cache or cache_folder() / "embeddings.sqlite"
            embedder = make_embedder(model_name).set_params(cache=str(store)).fit()
            n_total, n_done = sum(map(len, studies.texts)), 0
            label = f"embedding ({studies.text_field}, {model_label(model_name)})"

            def update(n_tokens, n_characters):
                nonlocal n_done
                n_done += n_characters
                if self.on_progress is not None:
                    self.on_progress(n_done, n_total, label)

            blocks = embedder.embed_blocks(studies.texts, update)
            vectors = np.concatenate([block.vectors for block in blocks])
            self._embeddings[key] = vectors
        return self._embeddings[key]


def model_label(model_name) -> str:
    """Return the name of a language model without its folder."""
    return _MODEL_LABELS.get(model_name, str(model_name).rstrip("/").split("/")[-1])


def table1(experiment) -> dict:
    """Compare estimators on bodies, abstracts and titles."""
    prepared = experiment.prepare(("body", "abstract", "title"))
    return {
        name: _estimator_rows(experiment, studies) for name, studies in prepared.items()
    }


def figure2(experiment) -> dict:
    """Compare bodies, abstracts and titles of the same studies."""
    prepared = experiment.prepare(("body", "abstract", "title"), same_studies=True)
    sections = {}
    for name, studies in prepared.items():
        # Text2Brain is slow.
        text2brain = _text2brain(experiment, studies, studies.splits[:1])
        text2brain.on_request = True
        sections[name] = [
            *_estimator_rows(experiment, studies),
            *_term_maps(experiment, studies, _term_counter(studies.texts)),
            text2brain,
        ]
    return sections


def _term_counter(texts) -> Callable:
    """Return a function that counts the terms of texts when it is first called."""
    from ..text import TermCounts

    # The terms are those that NeurosynthMaps and NeuroQuery find in texts. Here, they
    # are counted once for all splits, because bodies are long. Both methods omit rare
    # terms; the rarest are omitted here to save memory.
    counter = TermCounts(10, ngram_range=(1, 2), stop_words="english")
    return cache(partial(counter.fit_transform, texts))


def table2(experiment) -> dict:
    """Compare language models and numbers of components."""
    sections: dict[str, list] = {}
    for n_components in (256, 512):
        prepared = experiment.prepare(("title", "abstract"), n_components=n_components)
        for name, studies in prepared.items():
            rows = sections.setdefault(name, [])
            for model_name in experiment.model_names:
                get_X = experiment.embedder(studies, model_name)
                label = f"{model_label(model_name)}, {n_components} components"
                rows += [
                    Row(f"{label}: {kind}", model, get_X, studies)
                    for kind, model in _embedding_models(experiment).items()
                ]
    return sections


def _embedding_models(experiment) -> dict:
    """Return three estimators that take embeddings; one of them uses a kernel."""
    from ..models import best_text_brain

    seed = experiment.random_state
    # The steps of `best_text_brain("title")` that follow the embedder.
    steps = dict(best_text_brain("title", seed).estimators)["language_model"].steps[1:]
    made = make_estimators(("cca", "contrastive"), seed)
    return {
        "cca": made["cca"],
        "KernelCCA": make_pipeline(*(step for _, step in steps)),
        "contrastive": made["contrastive"],
    }


def titles(experiment) -> dict:
    """Compare training on titles with training on titles and abstracts.

    All queries are titles.
    """
    sections = {}
    for name, studies in experiment.prepare(("title",)).items():
        more = _add_abstracts(experiment.corpus, studies)
        choices = [experiment.model_names[:1]]
        if len(experiment.model_names) > 1:
            choices.append(experiment.model_names)
        rows = []
        for label, used in (("titles", studies), ("titles and abstracts", more)):
            get_X = experiment.embedder(used)
            made = make_estimators(("ridge", "cca"), experiment.random_state)
            models = model_label(experiment.model_names[0])
            rows += [
                Row(f"{kind} ({models}), {label}", model, get_X, used)
                for kind, model in made.items()
            ]
            for chosen in choices:
                row = _best_row(experiment, used, chosen)
                models = " and ".join(map(model_label, chosen))
                row.name = f"{row.name} ({models}), {label}"
                rows.append(row)
        sections[name] = rows
    return sections


def _add_abstracts(corpus, studies) -> PaperStudies:
    """Return studies with abstracts as additional rows of the training sets."""
    abstracts = corpus.studies["abstract"].iloc[studies.rows].str.strip()
    with_abstract = np.flatnonzero(abstracts != "")
    # For each study, the row that contains its abstract, or -1 if it has no abstract.
    further = np.full(len(studies.rows), -1)
    further[with_abstract] = len(studies.rows) + np.arange(len(with_abstract))
    splits = []
    for train, test in studies.splits:
        rows = further[train]
        splits.append((np.concatenate([train, rows[rows >= 0]]), test))
    chosen = np.concatenate([np.arange(len(studies.rows)), with_abstract])
    return replace(
        studies,
        rows=studies.rows[chosen],
        texts=[*studies.texts, *abstracts.iloc[with_abstract]],
        y=studies.y[chosen],
        peaks=[studies.peaks[row] for row in chosen],
        splits=splits,
        development=None,
        groups=studies.groups[chosen],
        metadata=studies.metadata | {"n_abstracts": len(with_abstract)},
    )


def sizes(experiment) -> dict:
    """Train on nested subsets of the training studies."""
    sections = {}
    for name, studies in experiment.prepare(("title",)).items():
        n_train = min(len(train) for train, _ in studies.splits)
        chosen = [size for size in _SIZES if size < n_train]
        rows = []
        for row in _two_models(experiment, studies):
            for size in chosen:
                splits = [
                    (random_subset(train, size), test) for train, test in row.splits
                ]
                label = f"{row.name}, {size:,} studies"
                rows.append(Row(label, row.estimator, row.get_X, studies, splits))
            rows.append(
                Row(f"{row.name}, all", row.estimator, row.get_X, studies, row.splits)
            )
        sections[name] = rows
    return sections


def comparators(experiment) -> dict:
    """Compare NeuroQuery, Neurosynth's maps and Text2Brain with other estimators.

    Text2Brain is slow, so it is compared on one split with few training studies.
    """
    sections = {}
    for name, studies in experiment.prepare(("title", "abstract")).items():
        rows = [*_two_models(experiment, studies), *_term_maps(experiment, studies)]
        sections[name] = rows
        split = studies.splits[0]
        few = studies.restrict(split, _N_TRAIN_OF_TEXT2BRAIN)
        n_train = len(few.splits[0][0])
        sections[f"{name}, {n_train:,} training studies"] = [
            *_estimator_rows(experiment, few),
            *_term_maps(experiment, few),
            _text2brain(experiment, few),
        ]
    return sections


def _term_maps(experiment, studies, get_X=None) -> list:
    """Return the rows of NeurosynthMaps and NeuroQuery, by default fitted to texts.

    There are two rows for each method. In one row, maps are compared voxel by voxel, as
    the authors of the methods do. In the other row, standardized coefficients of the
    maps are compared, as for all other estimators.
    """
    from ..comparators import NeuroQuery, NeurosynthMaps

    masker = make_masker(experiment.atlas, experiment.n_components)
    if get_X is None:
        name = "counts" if studies.texts is None else "texts"
        get_X = partial(getattr, studies, name)
    get_peaks = partial(getattr, studies, "peaks")
    rows = []
    for kind, n_splits in (
        (NeurosynthMaps, None),
        (NeuroQuery, _N_SPLITS_OF_NEUROQUERY),
    ):
        for representation in ("voxels", "coefficients"):
            model = kind(representation=representation, masker=masker)
            label = f"{kind.__name__}, {representation}"
            splits = studies.splits[:n_splits]
            rows.append(Row(label, model, get_X, studies, splits, get_peaks))
    return rows


def _text2brain(experiment, studies, splits=None) -> Row:
    from ..comparators import Text2Brain

    def get_densities():
        masker = make_masker(experiment.atlas, experiment.n_components).fit()
        return masker.peaks_to_voxels(studies.peaks)

    model = make_pipeline(
        StandardScaler(), Text2Brain(random_state=experiment.random_state)
    )
    get_X = experiment.embedder(studies)
    return Row("Text2Brain", model, get_X, studies, splits, get_densities)


def features(experiment) -> dict:
    """Compare models on the same word features, with and without hubness correction.

    The table shows how much of the difference between ridge regression and
    `best_text_brain` is due to the features, to the correction and to the model.
    """
    sections = {}
    for name, studies in experiment.prepare(("body", "abstract")).items():
        seed = experiment.random_state
        made = make_estimators(("ridge", "contrastive"), seed)
        models = {kind: pipeline[-1] for kind, pipeline in made.items()}
        for model in models.values():
            model.set_params(y_scaling="sqrt")
        best = _best_row(experiment, studies)
        # The model of `best_text_brain` without the correction, and without the kernel.
        kernel_cca = clone(best.estimator[-1]).set_params(hubness_weight=0)
        models["cca"] = clone(kernel_cca).set_params(kernel_width=None)
        models["KernelCCA"] = kernel_cca
        embedded = make_estimators(("ridge",), seed)["ridge"]
        label = model_label(experiment.model_names[0])
        get_X = experiment.embedder(studies)
        rows = [Row(f"ridge, {label}", embedded, get_X, studies)]
        for kind, model in models.items():
            steps = _word_steps(dense=kind in made)
            words = make_pipeline(*steps, model)
            rows.append(Row(f"{kind}, words", words, best.get_X, studies))
            label, corrected = f"{kind}, words, corrected", HubnessCorrected(words)
            rows.append(Row(label, corrected, best.get_X, studies))
        sections[name] = [*rows, best]
    return sections


def _word_steps(*, dense) -> list:
    """Return the steps of `best_text_brain` that compute weights of words."""
    from ..text import TermCounts

    steps = [TermCounts(min_df=10), TfidfTransformer(sublinear_tf=True)]
    # Some models accept only dense arrays.
    return [*steps, FunctionTransformer(to_dense, accept_sparse=True)][: 2 + dense]


def candidates(experiment) -> dict:
    """Compare best_text_brain with and without CSLS, which uses all candidates."""
    sections = {}
    for name, studies in experiment.prepare(("body", "abstract", "title")).items():
        best = _best_row(experiment, studies)
        corrected = CorrectedByCandidates(best.estimator)
        label = f"{best.name}, CSLS"
        sections[name] = [best, Row(label, corrected, best.get_X, studies)]
    return sections


def settings(experiment) -> dict:
    """Compare settings of each estimator on development studies.

    The development studies of a text field are not test studies of this text field in
    any other table. They may be test studies of another text field.
    """
    sections = {}
    for name, studies in experiment.prepare(("body", "abstract", "title")).items():
        if studies.development is None:
            raise ValueError(
                f"The corpus has {len(studies.rows):,} studies with the text field "
                f"{name}, which are too few for development studies. Lower "
                "n_candidates or use a larger corpus."
            )
        get_X = experiment.embedder(studies)
        rows = []
        for label, (kind, params) in _label_settings().items():
            [model] = make_estimators((kind,), experiment.random_state).values()
            model[-1].set_params(**params)
            rows.append(Row(label, model, get_X, studies, [studies.development]))
        sections[name] = rows
    return sections


_NETWORKS = (
    {},
    {"y_scaling": "sqrt"},
    {"batch_size": 512, "lr": 1e-3},
    {"batch_size": 512, "lr": 1e-3, "y_scaling": "sqrt"},
)
_SETTINGS = {
    "contrastive": _NETWORKS,
    "mlp": (*_NETWORKS, {"hidden_dim": 1024}, {"dropout": 0.2}),
    "ridge": ({}, {"y_scaling": "sqrt"}),
    "cca": ({}, {"y_scaling": "sqrt"}),
}


def _label_settings() -> dict:
    """Return the kind and the parameters of an estimator for each row name."""
    labels = {}
    for kind, tried in _SETTINGS.items():
        for params in tried:
            values = ", ".join(f"{key}={value}" for key, value in params.items())
            labels[f"{kind}, {values or 'defaults'}"] = kind, params
    return labels


def losses(experiment) -> dict:
    """Compare the InfoNCE loss alone with InfoNCE plus a reconstruction loss."""
    from ..models import ContrastiveTextBrain

    sections = {}
    for name, studies in experiment.prepare(("title", "abstract")).items():
        get_X = experiment.embedder(studies)
        options = {"random_state": experiment.random_state}
        rows = [
            Row(
                f"{_LOSS_LABEL}={weight:g}",
                make_pipeline(
                    StandardScaler(),
                    ContrastiveTextBrain(reconstruction_weight=weight, **options),
                ),
                get_X,
                studies,
            )
            for weight in _LOSS_WEIGHTS
        ]
        sections[name] = rows
    return sections


TABLES = {
    "table1": table1,
    "table2": table2,
    "titles": titles,
    "figure2": figure2,
    "sizes": sizes,
    "comparators": comparators,
    "features": features,
    "candidates": candidates,
    "losses": losses,
    "settings": settings,
}


def row_names(table, model_names) -> list:
    """Return the names of all rows of a table, for a corpus with enough studies."""
    # The names do not depend on studies, so they can be checked before any other work.
    labels = [model_label(name) for name in model_names]
    first, both = labels[0], [labels[0], " and ".join(labels)]
    estimators = [PAPER_RECIPE, "contrastive, defaults", "contrastive, tuned"]
    estimators += ["ridge", "mlp", "cca", BEST_TEXT_BRAIN]
    representations = ("voxels", "coefficients")
    comparators = [f"NeurosynthMaps, {name}" for name in representations]
    comparators += [f"NeuroQuery, {name}" for name in representations]
    comparators = [*estimators, *comparators, "Text2Brain"]
    of_titles = [f"ridge ({first})", f"cca ({first})"]
    of_titles += [f"{BEST_TEXT_BRAIN} ({names})" for names in dict.fromkeys(both)]
    names = {
        "table1": estimators,
        "table2": [
            f"{label}, {n_components} components: {kind}"
            for n_components in (256, 512)
            for label in labels
            for kind in ("cca", "KernelCCA", "contrastive")
        ],
        "titles": [
            f"{name}, {texts}"
            for texts in ("titles", "titles and abstracts")
            for name in of_titles
        ],
        "figure2": comparators,
        "sizes": [
            f"{name}, {size}"
            for name in (PAPER_RECIPE, BEST_TEXT_BRAIN)
            for size in [*(f"{size:,} studies" for size in _SIZES), "all"]
        ],
        "comparators": comparators,
        "features": [
            f"ridge, {first}",
            *(
                f"{kind}, words{correction}"
                for kind in ("ridge", "contrastive", "cca", "KernelCCA")
                for correction in ("", ", corrected")
            ),
            BEST_TEXT_BRAIN,
        ],
        "candidates": [BEST_TEXT_BRAIN, f"{BEST_TEXT_BRAIN}, CSLS"],
        "losses": [f"{_LOSS_LABEL}={weight:g}" for weight in _LOSS_WEIGHTS],
        "settings": list(_label_settings()),
    }
    return names[table]


def _estimator_rows(experiment, studies) -> list:
    """Return rows of all estimators that take embeddings, and of `best_text_brain`."""
    made = make_estimators(random_state=experiment.random_state)
    tuned = clone(made["contrastive"])
    tuned[-1].set_params(**_BEST_NETWORK)
    models = {
        "contrastive, defaults": made["contrastive"],
        "contrastive, tuned": tuned,
        "ridge": made["ridge"],
        "mlp": made["mlp"],
        "cca": made["cca"],
    }
    paper, best = _two_models(experiment, studies)
    rows = [
        Row(name, _on_features(studies, model), paper.get_X, studies)
        for name, model in models.items()
    ]
    return [paper, *rows, best]


def _two_models(experiment, studies) -> list:
    """Return the rows of the paper's network and of `best_text_brain`."""
    from ..models import ContrastiveTextBrain

    recipe = ContrastiveTextBrain.paper(
        decoder=None, random_state=experiment.random_state
    )
    get_X = experiment.embedder(studies)
    if studies.texts is None:
        get_X = partial(getattr, studies, "counts")
    n_splits = len(studies.splits)
    if studies.text_field == "title":
        n_splits = min(n_splits, _N_SPLITS_OF_TITLES)
    return [
        Row(
            PAPER_RECIPE,
            _on_features(studies, recipe),
            get_X,
            studies,
            studies.splits[:n_splits],
        ),
        _best_row(experiment, studies),
    ]


def _on_features(studies, model):
    """Return a model, preceded by steps that transform counts if there are no texts."""
    if studies.texts is not None:
        return model
    from ..text import TermCounts

    # Latent semantic analysis. Its dimensions are not standardized, because this would
    # lower the retrieval scores (see docs/experiments.md).
    steps = [step for step in model if not isinstance(step, StandardScaler)]
    return make_pipeline(
        TermCounts(min_df=10),
        TfidfTransformer(sublinear_tf=True),
        TruncatedSVD(300, random_state=0),
        *steps,
    )


def _best_row(experiment, studies, model_names=None) -> Row:
    """Return the row of `best_text_brain`, by default with the first language model."""
    from ..models import best_text_brain

    text_field = "abstract" if studies.text_field == COUNTS else studies.text_field
    names = model_names or experiment.model_names[:1]
    names = [make_embedder(name).model_name for name in names]
    model = best_text_brain(text_field, experiment.random_state, model_names=names)
    caches = [name for name in model.get_params() if name.endswith("__cache")]
    store = str(experiment.cache or cache_folder() / "embeddings.sqlite")
    model.set_params(**dict.fromkeys(caches, store))
    get_X = partial(getattr, studies, "model_input")
    return Row(BEST_TEXT_BRAIN, model, get_X, studies)
