"""
How does contrastive training bring texts and maps together?
============================================================

``ContrastiveTextBrain`` trains two encoders. They transform a text and a map to
latents, which are unit vectors in a shared space. The loss is small if the latent of
each text is closer to the latent of its own map than to those of the other maps in the
batch.
"""

# %%
# Synthetic studies
# -----------------
# Real corpora need minutes of training. ``make_studies`` generates studies whose texts
# and peaks depend on the same hidden topics.

from sklearn.model_selection import train_test_split

from sklearn_neurocontext import ContrastiveTextBrain, KDEDiFuMoMasker, TermCounts
from sklearn_neurocontext.datasets import make_studies, study_texts

corpus = make_studies(n_studies=800, n_peaks=20, random_state=0)
X = TermCounts().fit_transform(study_texts(corpus, "abstract")).toarray()
y = KDEDiFuMoMasker("geometric", n_components=128).fit_transform(corpus.peaks)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=100, random_state=0)

# %%
# Loss and best epoch
# -------------------
# Studies for validation are held out from the training studies. After each epoch, the
# maps of these studies are ranked for each of their texts. The model keeps the weights
# of the epoch with the best ranks.

import matplotlib.pyplot as plt
from nilearn.plotting import show

from sklearn_neurocontext.plotting import plot_training_curve

model = ContrastiveTextBrain(
    n_validation=100, max_epochs=30, patience=None, decoder=None, random_state=0
)
model.fit(X_train, y_train)
_, ax = plt.subplots(figsize=(7, 4), layout="constrained")
plot_training_curve(model.history_, best_epoch=model.best_epoch_, ax=ax)
show()

# %%
# Temperature
# -----------
# The loss divides cosines by the temperature τ, which is learned too. With a small τ,
# only the most similar wrong maps matter. In ten epochs, τ changes little.

for temperature in (0.03, 0.1, 0.3):
    other = ContrastiveTextBrain(
        n_validation=100,
        max_epochs=10,
        temperature=temperature,
        decoder=None,
        random_state=0,
    ).fit(X_train, y_train)
    print(
        f"initial τ {temperature:.2f}: learned τ {other.temperature_:.3f}, "
        f"mix&match of test studies {other.score(X_test, y_test):.3f}"
    )

# %%
# Cosines in the shared space
# ---------------------------
# The rows of the matrix are texts and the columns are maps of test studies. True pairs
# are on the diagonal.

from sklearn_neurocontext.plotting import plot_similarity_matrix

similarity = model.similarity(X_test[:20], y_test[:20])
numbers = [str(number) for number in range(1, 21)]
_, ax = plt.subplots(figsize=(6, 5), layout="constrained")
plot_similarity_matrix(
    similarity,
    paired=True,
    texts=numbers,
    maps=numbers,
    title="cosines of 20 test studies",
    ax=ax,
)
show()

# %%
# The cosines of true pairs are high. Those of two studies with similar topics are high
# as well, so a text is often closest to the map of such a study.
