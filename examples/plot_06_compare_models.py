"""
Which model retrieves best on the same folds?
=============================================

Four estimators are cross-validated on the same embeddings, coefficients and 15 folds.
For every held-out text, each ranks the maps of all held-out studies by similarity.
"""

# %%
# The same X and y for all estimators
# -----------------------------------
# Embeddings and coefficients are not learned from the studies, so computing them once,
# before splitting, does not leak information between folds.

from sklearn_neurocontext import KDEDiFuMoMasker, LLMChunkEmbedder
from sklearn_neurocontext.datasets import load_nimare_studyset, study_texts

corpus = load_nimare_studyset()
X = LLMChunkEmbedder().fit_transform(study_texts(corpus, "title"))
masker = KDEDiFuMoMasker(atlas="geometric", n_components=128)
y = masker.fit_transform(corpus.peaks)

# %%
# 15 folds, four estimators
# -------------------------
# Retrieval needs no decoder: ``decoder=None`` skips its training.

from sklearn.model_selection import KFold, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_neurocontext import (
    CCABaseline,
    ContrastiveTextBrain,
    MLPBaseline,
    RidgeBaseline,
    make_retrieval_scorer,
)

folds = KFold(15, shuffle=True, random_state=0)
estimators = {
    "contrastive": ContrastiveTextBrain(random_state=0, decoder=None),
    "CCA": CCABaseline(),
    "ridge": RidgeBaseline(),
    "MLP": MLPBaseline(random_state=0),
}
scores = {}
for name, estimator in estimators.items():
    result = cross_validate(
        make_pipeline(StandardScaler(), estimator),
        X,
        y,
        cv=folds,
        scoring=make_retrieval_scorer(ks=(1, 5)),
    )
    scores[name] = 100 * result["test_mix_match"]
    print(f"{name:12s} mix&match {scores[name].mean():.1f} %")

# %%
# Mix&match, fold by fold
# -----------------------
# Mix&match is the fraction of wrong maps that are less similar than the true one. Its
# chance level is 50 % for any number of candidates, while recall@k with 21 or 22
# candidates cannot be compared with published figures.

import matplotlib.pyplot as plt
from nilearn.plotting import show

fig, ax = plt.subplots(figsize=(6, 3.5), layout="constrained")
ax.boxplot(
    list(scores.values()),
    tick_labels=list(scores),
    medianprops={"color": "tab:blue"},
)
ax.axhline(50, color="0.5", linestyle="--", label="chance level")
ax.legend(frameon=False, loc="lower right")
ax.set_ylabel("mix&match (%)")
ax.set_title("15 folds, 21 or 22 candidates each")
show()

# %%
# Paired differences
# ------------------
# Some folds are harder than others for all estimators. The difference of two estimators
# on the same fold does not contain this common variation. Each small point is a fold,
# and the diamond is the mean.

from sklearn_neurocontext.plotting import plot_paired_differences

differences = {
    name: values - scores["ridge"] for name, values in scores.items() if name != "ridge"
}
_, ax = plt.subplots(figsize=(7, 3), layout="constrained")
plot_paired_differences(differences, reference="ridge regression", ax=ax)
show()

# %%
# With 320 studies of two tasks, ridge regression is hard to beat. Neural networks need
# thousands of studies; see the results in the documentation. ``run_benchmark`` computes
# the same comparison with confidence intervals.
