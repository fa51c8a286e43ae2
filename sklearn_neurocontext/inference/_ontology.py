"""Rank the entries of an ontology (tasks, concepts, disorders, domains) for a map."""

import numpy as np
import pandas as pd
from scipy.sparse import csr_array
from scipy.special import softmax

from ._decoding import rank_candidates
from ._nulls import fit_null
from ._terms import find_terms_in_texts

ONTOLOGY_KINDS = ("tasks", "concepts", "disorders", "domains")
PRIORS = ("uniform", "studies")
# Words that occur in names of entries, but do not state the topic of an entry.
_GENERIC = {
    "assessment", "battery", "checklist", "disorder", "disorders", "fmri",
    "function", "index", "interview", "inventory", "level", "levels", "measure",
    "method", "paradigm", "paradigms", "performance", "procedure", "process",
    "processes", "processing", "questionnaire", "rating", "report", "scale",
    "scales", "study", "survey", "syndrome", "task", "tasks", "test", "tests",
    "version",
}  # fmt: skip


def noisy_or(probabilities, links) -> np.ndarray:
    r"""Compute the probabilities of groups from those of their members by noisy-OR.

    A group is present if at least one of its members is present. If the members are
    independent, the probability of group g is

    .. math:: P(g) = 1 - \prod_{i \in g} (1 - P(i))

    `NeuroContextModel.decode` applies this formula twice, as NiCLIP does: to the tasks
    that measure a concept, and to the concepts of a domain.

    Parameters
    ----------
    probabilities : array-like of shape (n_members,)
        Probability of each member, in [0, 1].
    links : array-like or sparse array of shape (n_groups, n_members)
        Nonzero where a member belongs to a group.

    Returns
    -------
    group_probabilities : ndarray of shape (n_groups,), float64
        Probability of each group, in [0, 1]. It is 0 if the group has no members.

    Raises
    ------
    ValueError
        If a probability is outside [0, 1] or NaN, or if the shapes do not match.

    References
    ----------
    Peraza et al., NiCLIP, bioRxiv 2025, doi 10.1101/2025.06.14.659706.

    Examples
    --------
    >>> from sklearn_neurocontext.inference import noisy_or
    >>> noisy_or([0.5, 0.2, 0.1], [[1, 1, 0], [0, 0, 1]]).round(3).tolist()
    [0.6, 0.1]
    """
    probabilities = np.asarray(probabilities, dtype=np.float64)
    links = csr_array(links) != 0
    if probabilities.ndim != 1 or links.shape[1] != len(probabilities):
        raise ValueError(
            f"links must have one column per member; got {links.shape[1]} columns and "
            f"probabilities of shape {probabilities.shape}."
        )
    if not ((probabilities >= 0) & (probabilities <= 1)).all():
        wrong = probabilities[~((probabilities >= 0) & (probabilities <= 1))][0]
        raise ValueError(f"probabilities must be in [0, 1]; got {wrong:g}.")
    with np.errstate(divide="ignore"):
        log_absent = np.log1p(-probabilities)
    return -np.expm1(links.astype(np.float64) @ log_absent)


def entry_texts(table) -> list:
    """Return the name and the definition of each entry as one text."""
    return [
        f"{name}: {definition}" if definition else name
        for name, definition in zip(table["name"], table["definition"], strict=True)
    ]


def count_evidence(names, n_studies) -> np.ndarray:
    """Return the number of training studies for each name, of shape (n_names,).

    `n_studies` is a dict from known terms to numbers of training studies that contain
    them. The result for a name is the largest of the numbers of the terms in the name.
    It is 0 if the name contains no known term. Generic words, such as "task", are
    ignored.
    """
    counts = [
        max(
            (n_studies[term] for *_, term in found if term not in _GENERIC),
            default=0,
        )
        for found in find_terms_in_texts(names, n_studies)
    ]
    return np.array(counts, dtype=int)


def link_matrix(pairs, rows, columns) -> csr_array:
    """Return a sparse array of links between ids, of shape (n_rows, n_columns).

    `rows` and `columns` contain the ids of the rows and columns. An element of the
    array is 1 if the pair of its row id and its column id is in `pairs`, otherwise 0.
    Pairs with ids that are not in `rows` and `columns` are ignored.
    """
    row_of = {one: place for place, one in enumerate(rows)}
    column_of = {one: place for place, one in enumerate(columns)}
    known = {
        (row_of[a], column_of[b]) for a, b in pairs if a in row_of and b in column_of
    }
    places = np.array(sorted(known), dtype=int).reshape(-1, 2)
    shape = len(row_of), len(column_of)
    return csr_array((np.ones(len(places)), places.T), shape=shape)


def standardize(similarity, null_similarity) -> np.ndarray:
    """Subtract the mean of null similarities, and divide by their standard deviation.

    `similarity` has shape (n_candidates,), and `null_similarity` has shape
    (n_candidates, n_maps). Mean and standard deviation are computed over null maps.
    """
    std = null_similarity.std(axis=1)
    return (similarity - null_similarity.mean(axis=1)) / np.where(std > 0, std, 1)


def rank_entries(
    kind,
    ontology,
    compare,
    n_studies,
    *,
    min_studies=10,
    prior="uniform",
    tail="positive",
) -> pd.DataFrame:
    """Rank entries of an ontology; `NeuroContextModel.decode` documents the result.

    ``compare(texts)`` returns the similarities of texts with a map, of shape
    (n_texts,), and with null maps, of shape (n_texts, n_maps).
    `n_studies` is a dict from the terms of the model to numbers of training studies.
    """
    known = {
        name: _select_known(ontology[name], name, n_studies, min_studies)
        for name in {"concepts" if kind == "domains" else kind, "tasks"}
    }
    if kind == "domains":
        table, (similarity, null) = _average_concepts(ontology, known, compare)
    else:
        table = known[kind]
        similarity, null = compare(entry_texts(table))
    ids = table["id"].tolist()
    of_ids = fit_null(len(ids), lambda rows: null[rows])
    ranking = rank_candidates(ids, similarity, of_ids, tail)
    ranking = ranking.set_index("candidate")
    if kind in ("tasks", "disorders"):
        weights = _prior_weights(table, prior)
        probability, prior_probability = _posterior(similarity, null, weights)
    else:
        tasks = known["tasks"]
        of_tasks = _posterior(
            *compare(entry_texts(tasks)), _prior_weights(tasks, prior)
        )
        probability, prior_probability = (
            _propagate(one, tasks, ontology, kind, ids) for one in of_tasks
        )
    columns = {"probability": probability, "prior_probability": prior_probability}
    if "n_studies" in table:
        columns["n_studies"] = table["n_studies"].to_numpy()
    ranking = ranking.join(pd.DataFrame(columns, index=ids))
    ranking.insert(0, "candidate", table.set_index("id")["name"][ranking.index])
    return ranking.reset_index(drop=True)


def _select_known(table, kind, n_studies, min_studies):
    """Return the entries with enough training studies, and add these numbers."""
    counts = count_evidence(table["name"], n_studies)
    known = table.assign(n_studies=counts)[counts >= min_studies]
    if known.empty:
        raise ValueError(
            f"The model has no evidence for any of the {len(table)} {kind}: none of "
            "their names contains a term that occurs in at least "
            f"{min_studies} training studies. Pass a smaller min_studies."
        )
    return known.reset_index(drop=True)


def _average_concepts(ontology, known, compare):
    """Return the domains that have known concepts, and the similarities of domains.

    The similarity of a domain is the mean similarity of its known concepts.
    """
    concepts, domains = known["concepts"], ontology["domains"]
    concepts = concepts[concepts["domain"].isin(domains["name"])]
    domains = domains[domains["name"].isin(concepts["domain"])].reset_index(drop=True)
    pairs = zip(concepts["domain"], concepts["id"], strict=True)
    links = link_matrix(pairs, domains["name"], concepts["id"])
    weights = links / links.sum(axis=1)[:, None]
    similarity, null = compare(entry_texts(concepts))
    return domains, (weights @ similarity, weights @ null)


def _prior_weights(table, prior) -> np.ndarray:
    """Return the prior probabilities of entries, of shape (n_entries,)."""
    counts = table["n_studies"].to_numpy()
    weights = np.ones(len(counts)) if prior == "uniform" else 1.0 + counts
    return weights / weights.sum()


def _posterior(similarity, null, prior):
    """Return the posterior and the prior probabilities of entries.

    The likelihood of a map given an entry is the exponential of their standardized
    similarity.
    """
    return softmax(standardize(similarity, null) + np.log(prior)), prior


def _propagate(probabilities, tasks, ontology, kind, ids) -> np.ndarray:
    """Return the probabilities of concepts or domains, given those of tasks.

    A probability is NaN if no known task measures the concept, or any concept of the
    domain.
    """
    links, concepts = ontology["task_concepts"], ontology["concepts"]
    pairs = zip(links["concept"], links["task"], strict=True)
    to_concepts = link_matrix(pairs, concepts["id"], tasks["id"])
    of_concepts = noisy_or(probabilities, to_concepts)
    is_measured = to_concepts.sum(axis=1) > 0
    if kind == "concepts":
        values = pd.Series(
            np.where(is_measured, of_concepts, np.nan), index=concepts["id"]
        )
        return values[ids].to_numpy()
    id_of = dict(
        zip(ontology["domains"]["name"], ontology["domains"]["id"], strict=True)
    )
    pairs = zip(concepts["domain"].map(id_of), concepts["id"], strict=True)
    to_domains = link_matrix(pairs, ids, concepts["id"])
    has_measured = to_domains @ is_measured.astype(float) > 0
    return np.where(has_measured, noisy_or(of_concepts, to_domains), np.nan)
