"""Scores of retrieval and of predicted maps, and scorers for scikit-learn.

Every score is a fraction in [0, 1]. Recall depends on the number of candidates: report
it together with that number. Mix&match does not.
"""

from ._csls import csls
from ._dice_scorer import DiceScorer, make_dice_scorer
from ._map_scores import bootstrap_interval, score_maps
from ._overlap import dice_score
from ._retrieval import mix_match_score, recall_at_k, recall_curve, recall_curve_auc
from ._scorer import (
    RetrievalScorer,
    ScalarRetrievalScorer,
    make_retrieval_scorer,
    mix_match_brain_to_text_scorer,
    mix_match_scorer,
    recall_at_10_brain_to_text_scorer,
    recall_at_10_scorer,
    recall_at_100_brain_to_text_scorer,
    recall_at_100_scorer,
    retrieval_scores,
)
from ._similarity import similarity

# In the order of sorted(), which puts 100 before 10_.
__all__ = [
    "DiceScorer",
    "RetrievalScorer",
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
]
