"""Make the lists of terms that `decode` ranks: neuroscience and methods.

    python -m training.make_term_lists

The terms of NeuroQuery in at least ten studies, and those of the shipped model, are
sorted by a rule. A term belongs to the list ``terms`` if

- it is a name or an alias of a concept, a task or a disorder of the Cognitive Atlas
  (https://www.cognitiveatlas.org), with or without a plural s or a last word such as
  "task", or
- each of its words begins with a stem for regions, functions, stimuli, tasks, disorders
  or drugs, or is a qualifier, and at least one is not a qualifier.

Generic words, such as "effect", are left out. A term belongs to the list ``methods`` if
each of its words names a method or is a qualifier, and at least one names a method.
``term_words.toml`` contains the stems, generic words, qualifiers and words for methods,
which we chose. The corpora and the Cognitive Atlas are downloaded, or read from the
folder that ``NEUROCONTEXT_DATA`` names.
"""

import re
import tomllib
from importlib.resources import files
from pathlib import Path

import numpy as np

from sklearn_neurocontext import NeuroContextModel
from sklearn_neurocontext._utils.validation import american_spelling
from sklearn_neurocontext.datasets import fetch_cognitive_atlas, load_corpus
from training.recipe import choose_terms

MIN_STUDIES = 10
WORDS = {
    name: set(text.split())
    for name, text in tomllib.loads(
        Path(__file__).with_name("term_words.toml").read_text(encoding="utf-8")
    ).items()
}
GENERIC, KEPT, LAST_WORDS = WORDS["generic"], WORDS["kept"], WORDS["last_words"]
WHOLE = WORDS["whole"]
STEMS = tuple(sorted(WORDS["stems"] - WHOLE))
QUALIFIERS, METHODS = WORDS["qualifiers"], WORDS["methods"]


def main():
    names = _atlas_names()
    lists = {"terms": [], "methods": []}
    for term in _all_terms():
        if _is_method(term):
            lists["methods"].append(term)
        elif _is_neuroscience(term, names):
            lists["terms"].append(term)
    for name, terms in lists.items():
        path = files("sklearn_neurocontext.inference") / "data" / "terms"
        (path / f"{name}.txt").write_text("\n".join(terms) + "\n", encoding="utf-8")
        print(f"{name}: {len(terms):,} terms")


def _all_terms() -> list:
    """Return the terms of NeuroQuery and of the shipped model, in American spelling."""
    corpus = load_corpus("neuroquery")
    rows = np.arange(len(corpus.peaks))
    terms, _ = choose_terms(corpus, rows, MIN_STUDIES)
    model = NeuroContextModel.from_pretrained()
    return sorted({american_spelling(term) for term in terms} | set(model.terms))


def _atlas_names() -> set:
    """Return the names and aliases of the Cognitive Atlas, as sequences of words."""
    ontology = fetch_cognitive_atlas()
    names = set()
    for kind in ("concepts", "tasks", "disorders"):
        table = ontology[kind]
        for name, aliases in zip(table["name"], table["aliases"], strict=True):
            others = aliases if isinstance(aliases, list | tuple) else [aliases]
            names |= {_words(one) for one in [name, *others] if isinstance(one, str)}
    short = {name.rsplit(" ", 1)[0] for name in names if _last(name) in LAST_WORDS}
    names |= {name for name in short if len(name) > 3}
    plural = {f"{name}s" for name in names}
    return {name for name in names | plural if _is_specific(name)}


def _words(name) -> str:
    """Return the words of a name in lower case and in American spelling."""
    name = american_spelling(re.sub(r"\(.*?\)", " ", name.lower()))
    return " ".join(re.findall(r"[^\W_]+", name))


def _last(name) -> str:
    return name.rsplit(" ", 1)[-1]


def _is_specific(name) -> bool:
    if name in KEPT:
        return True
    return name not in GENERIC and name.removesuffix("s") not in GENERIC


def _is_method(term) -> bool:
    words = term.split()
    allowed = METHODS | WORDS["method_qualifiers"] | QUALIFIERS
    has_method = any(word in METHODS for word in words)
    return has_method and all(word in allowed for word in words)


def _is_neuroscience(term, names) -> bool:
    if term in names:
        return True
    if term in GENERIC:
        return False
    words = term.split()
    core = [word not in QUALIFIERS and _is_core(word) for word in words]
    known = [word in QUALIFIERS or _is_core(word) for word in words]
    return all(known) and any(core)


def _is_core(word) -> bool:
    return word in WHOLE or word.startswith(STEMS)


if __name__ == "__main__":
    main()
