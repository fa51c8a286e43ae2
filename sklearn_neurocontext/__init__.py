"""Link the text of neuroscience articles to the brain coordinates that they report.

The subpackages are:

- :mod:`~sklearn_neurocontext.datasets` reads corpora, which contain the texts and the
  peak coordinates of studies;
- :mod:`~sklearn_neurocontext.text` turns texts into embeddings;
- :mod:`~sklearn_neurocontext.maskers` turns peaks into coefficients (one value per
  component of a brain atlas), and coefficients into maps;
- :mod:`~sklearn_neurocontext.models` predicts coefficients from embeddings or texts,
  and learns a space shared by texts and maps;
- :mod:`~sklearn_neurocontext.comparators` contains the systems that the NeuroConText
  paper compares with;
- :mod:`~sklearn_neurocontext.metrics` evaluates predicted maps, and the retrieval of
  maps by texts;
- :mod:`~sklearn_neurocontext.model_selection` splits studies into training and test
  studies, and removes duplicates;
- :mod:`~sklearn_neurocontext.plotting` plots maps and scores;
- :mod:`~sklearn_neurocontext.persistence` saves and loads models;
- :mod:`~sklearn_neurocontext.inference` predicts and decodes maps with a trained model;
- :mod:`~sklearn_neurocontext.experiments` fits and evaluates several estimators on the
  same splits;
- :mod:`~sklearn_neurocontext.server` serves a page for a model on this machine;
- :mod:`~sklearn_neurocontext.cli` implements the ``neurocontext`` command.

A subpackage is imported when it is first used, so importing the package is fast.
"""

import importlib
from typing import Any

__version__ = "0.1.0.dev0"

# The public names of the package, and the subpackage that defines each name.
_HOME_OF = {
    "CCABaseline": "models",
    "ContrastiveTextBrain": "models",
    "KDEDiFuMoMasker": "maskers",
    "KernelCCA": "models",
    "LLMChunkEmbedder": "text",
    "MLPBaseline": "models",
    "NeuroContextModel": "inference",
    "RidgeBaseline": "models",
    "TermCounts": "text",
    "TextBrainEnsemble": "models",
    "best_text_brain": "models",
    "dice_score": "metrics",
    "load_model": "persistence",
    "make_dice_scorer": "metrics",
    "make_report": "inference",
    "make_retrieval_scorer": "metrics",
    "mix_match_score": "metrics",
    "paper_splits": "model_selection",
    "recall_at_k": "metrics",
    "retrieval_scores": "metrics",
    "save_model": "persistence",
    "similarity": "metrics",
}
_SUBPACKAGES = (
    "cli",
    "comparators",
    "datasets",
    "experiments",
    "inference",
    "maskers",
    "metrics",
    "model_selection",
    "models",
    "persistence",
    "plotting",
    "server",
    "text",
)

__all__ = list(_HOME_OF)


def __getattr__(name: str) -> Any:
    if name in _SUBPACKAGES:
        return importlib.import_module(f"{__name__}.{name}")
    if name in _HOME_OF:
        value = getattr(importlib.import_module(f"{__name__}.{_HOME_OF[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    private = (name for name in globals() if name.startswith("_"))
    return sorted({*private, *__all__, *_SUBPACKAGES})
