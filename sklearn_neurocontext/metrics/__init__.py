"""Scores for retrieval and for predicted maps, and scorers for scikit-learn.

In retrieval, candidates are ranked by their similarity to a query. The query is a text
and the candidates are maps, or the query is a map and the candidates are texts. The
true candidate belongs to the same study as the query; all others are wrong candidates.

Retrieval scores and the Dice overlap are fractions in [0, 1]. Recall depends on the
number of candidates, so report this number with every recall. Mix&match is the fraction
of wrong candidates that are less similar to the query than the true candidate is. Its
chance level is 0.5 for any number of candidates.
"""

from ._maps import bootstrap_interval, dice_score, score_maps
from ._retrieval import (
    csls,
    mix_match_score,
    recall_at_k,
    recall_curve,
    recall_curve_auc,
    true_ranks,
)
from ._scorers import (
    ScalarRetrievalScorer,
    make_dice_scorer,
    make_retrieval_scorer,
    mix_match_brain_to_text_scorer,
    mix_match_scorer,
    recall_at_10_brain_to_text_scorer,
    recall_at_10_scorer,
    recall_at_100_brain_to_text_scorer,
    recall_at_100_scorer,
    retrieval_scores,
    similarity,
)

__all__ = [
    "ScalarRetrievalScorer",
    "bootstrap_interval",
    "csls",
    "dice_score",
    "make_dice_scorer",
    "make_retrieval_scorer",
    "mix_match_brain_to_text_scorer",
    "mix_match_score",
    "mix_match_scorer",
    "recall_at_10_brain_to_text_scorer",
    "recall_at_10_scorer",
    "recall_at_100_brain_to_text_scorer",
    "recall_at_100_scorer",
    "recall_at_k",
    "recall_curve",
    "recall_curve_auc",
    "retrieval_scores",
    "score_maps",
    "similarity",
    "true_ranks",
]
