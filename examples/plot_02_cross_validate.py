"""
Do the nets beat a ridge on the same folds?
===========================================

Four estimators see the same embeddings, the same coefficients and the same five folds.
Each is asked, for every held-out text, to find the map of its own study among the maps
of all held-out studies.
"""

# %%
# The same X and y for everyone
# -----------------------------
# Nothing in the embeddings or in the coefficients is learned from the studies, so both
# can be computed once, before the folds, without a leak.

from sklearn_neurocontext import KDEDiFuMoMasker, LLMChunkEmbedder
from sklearn_neurocontext.datasets import load_nimare_studyset, study_texts

corpus = load_nimare_studyset()
X = LLMChunkEmbedder().fit_transform(study_texts(corpus, "title"))
masker = KDEDiFuMoMasker(atlas="geometric", n_components=128)
y = masker.fit_transform(corpus.peaks)

# %%
# Five folds, four estimators
# ---------------------------
# ``decoder=None`` leaves out the way back to maps, which retrieval does not need.

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

folds = KFold(5, shuffle=True, random_state=0)
estimators = {
    "contrastive": ContrastiveTextBrain(random_state=0, decoder=None),
    "CCA": CCABaseline(),
    "ridge": RidgeBaseline(),
    "MLP": MLPBaseline(random_state=0),
}
results = {}
for name, estimator in estimators.items():
    results[name] = cross_validate(
        make_pipeline(StandardScaler(), estimator),
        X,
        y,
        cv=folds,
        scoring=make_retrieval_scorer(ks=(1, 5)),
    )
    print(f"{name:12s} mix&match {100 * results[name]['test_mix_match'].mean():.1f} %")

# %%
# Mix&match, fold by fold
# -----------------------
# Mix&match is the share of wrong maps that the right one beats: 50 % is chance, however
# many candidates there are. With 64 of them recall compares with nothing published.

import matplotlib.pyplot as plt
from nilearn.plotting import show

fig, ax = plt.subplots(figsize=(6, 3.5), layout="constrained")
ax.boxplot(
    [100 * scores["test_mix_match"] for scores in results.values()],
    tick_labels=list(results),
    medianprops={"color": "tab:blue"},
)
ax.axhline(50, color="0.5", linestyle="--")
ax.annotate("chance", (0.52, 50), va="bottom", color="0.4")
ax.set_ylabel("mix&match (%)")
ax.set_title("5 folds, 64 candidates each")
show()

# %%
# On 300 studies of two tasks a ridge is hard to beat; the nets need the thousands of
# studies of a real corpus, see the benchmarks.
