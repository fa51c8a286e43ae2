"""
Which brain map belongs to a sentence?
======================================

A model learns from studies with a text and reported peaks to predict the activation map
of any sentence. The corpus consists of the 320 studies that come with NiMARE, most of
which use the n-back or the flanker task.
"""

# %%
# Texts and peaks
# ---------------
# Every loader returns a table of studies and, for each row, an array of peaks (x, y, z
# in mm, MNI space).

from sklearn_neurocontext.datasets import load_nimare_studyset, study_texts

corpus = load_nimare_studyset()
texts = study_texts(corpus, "title")
print(f"{len(texts)} studies; the first one reports {len(corpus.peaks[0])} peaks")
print(texts[0])

# %%
# From peaks to coefficients
# --------------------------
# A Gaussian kernel on each peak yields a density, which is reduced to coefficients on
# the maps of an atlas by least squares. The geometric atlas is computed from the MNI
# mask and needs no download; ``atlas="difumo"`` downloads the atlas of the paper.

from sklearn_neurocontext import KDEDiFuMoMasker

masker = KDEDiFuMoMasker(atlas="geometric", n_components=256)
y = masker.fit_transform(corpus.peaks)
print(f"{y.shape[1]} coefficients for each of {y.shape[0]} studies")

# %%
# One pipeline from text to coefficients
# --------------------------------------
# The language model embeds the texts, two encoders learn a space shared by texts and
# maps, and a decoder predicts coefficients from it.

from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_neurocontext import ContrastiveTextBrain, LLMChunkEmbedder

model = make_pipeline(
    LLMChunkEmbedder(), StandardScaler(), ContrastiveTextBrain(random_state=0)
)
model.fit(texts, y)

# %%
# The map predicted for a sentence
# --------------------------------
# ``inverse_transform`` turns coefficients into an image for nilearn. The figure shows
# the top 10 % of voxels.

import numpy as np
from nilearn.plotting import plot_glass_brain, show

sentence = "working memory load in the n-back task"
coefficients = model.predict([sentence])
voxels = masker.coefficients_to_voxels(coefficients)
plot_glass_brain(
    masker.inverse_transform(coefficients).slicer[..., 0],
    threshold=float(np.quantile(voxels, 0.9)),
    title=sentence,
    display_mode="lyrz",
    colorbar=True,
    plot_abs=False,
    cmap="inferno_r",
    vmin=0,
    symmetric_cbar=False,
)
show()

# %%
# These 320 studies cover little more than two tasks, so the model does not know other
# tasks. The next example measures the accuracy of such models.
