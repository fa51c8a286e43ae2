"""
How do scores depend on the number of candidates?
=================================================

Recall@k, mix&match and Dice answer different questions about the same predictions. This
example shows how recall@k changes if only the number of candidates changes, and how
Dice changes with the fraction of voxels that are compared.
"""

# %%
# Predictions for held-out studies
# --------------------------------
# Ridge regression is fitted to half of the studies that come with NiMARE. The other
# half are the test studies.

import numpy as np
from sklearn.model_selection import train_test_split

from sklearn_neurocontext import KDEDiFuMoMasker, LLMChunkEmbedder, RidgeBaseline
from sklearn_neurocontext.datasets import load_nimare_studyset, study_texts

corpus = load_nimare_studyset()
X = LLMChunkEmbedder().fit_transform(study_texts(corpus, "title+abstract"))
masker = KDEDiFuMoMasker(atlas="geometric", n_components=128)
y = masker.fit_transform(corpus.peaks)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=160, random_state=0)
model = RidgeBaseline().fit(X_train, y_train)
similarity = model.similarity(X_test, y_test)

# %%
# Recall@10 falls with the number of candidates
# ---------------------------------------------
# Recall@10 is the fraction of texts whose true map is among the ten most similar maps.
# Its chance level is 10 / n for n candidates. Mix&match is the fraction of wrong maps
# that are less similar to a text than its true map. Its chance level is always 0.5.
# Each point is the mean over 50 random subsets of the test studies.

import matplotlib.pyplot as plt
from nilearn.plotting import show

from sklearn_neurocontext import mix_match_score, recall_at_k

rng = np.random.default_rng(0)
n_candidates = [20, 40, 80, 160]
recall, mix_match = [], []
for n in n_candidates:
    subsets = [rng.choice(len(similarity), n, replace=False) for _ in range(50)]
    matrices = [similarity[np.ix_(subset, subset)] for subset in subsets]
    recall.append(np.mean([recall_at_k(matrix, k=10) for matrix in matrices]))
    mix_match.append(np.mean([mix_match_score(matrix) for matrix in matrices]))

figure, axes = plt.subplots(1, 2, figsize=(8, 3.2), layout="constrained", sharey=True)
chance_levels = (10 / np.array(n_candidates), np.full(len(n_candidates), 0.5))
for axis, values, chance, label in zip(
    axes, (recall, mix_match), chance_levels, ("recall@10", "mix&match"), strict=True
):
    axis.plot(n_candidates, values, "o-", label="ridge regression")
    axis.plot(n_candidates, chance, "--", color="0.5", label="chance level")
    axis.set(xlabel="number of candidates", title=label, ylim=(0, 1), xscale="log")
    axis.set_xticks(n_candidates, n_candidates, minor=False)
    axis.minorticks_off()
    axis.spines[["top", "right"]].set_visible(False)
axes[0].set_ylabel("score")
axes[0].legend(frameon=False)
show()

# %%
# Dice of maps
# ------------
# Dice compares the strongest voxels of two maps. Two unrelated maps also overlap: if a
# fraction of the voxels is selected at random in each map, the expected Dice is this
# fraction. The mean map of the training studies is a better reference, because all
# studies of a task report similar regions.

from sklearn_neurocontext import dice_score

observed = masker.coefficients_to_voxels(y_test)
predicted = masker.coefficients_to_voxels(model.predict(X_test))
mean_map = masker.coefficients_to_voxels(y_train.mean(axis=0, keepdims=True))
mean_maps = np.broadcast_to(mean_map, observed.shape)
tops = [0.02, 0.05, 0.1, 0.2, 0.3]
dice = {
    "ridge regression": [dice_score(observed, predicted, top=top) for top in tops],
    "mean map": [dice_score(observed, mean_maps, top=top) for top in tops],
    "random voxels": tops,
}

figure, axis = plt.subplots(figsize=(6, 3.4), layout="constrained")
for name, values in dice.items():
    axis.plot(tops, values, "--" if name == "random voxels" else "o-", label=name)
axis.set(xlabel="fraction of voxels (top)", ylabel="mean Dice", ylim=(0, None))
axis.spines[["top", "right"]].set_visible(False)
axis.legend(frameon=False)
show()

# %%
# Always state the number of candidates with recall@k, and ``top`` with Dice. Compare a
# model with the mean map before you call its maps accurate.
