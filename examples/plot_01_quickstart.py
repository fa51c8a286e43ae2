"""
Which brain map belongs to a sentence?
======================================

A corpus of studies, each with a text and the peaks that it reports, is all it takes to
learn which activation map to expect from any sentence. The studies here are the 320
n-back and flanker studies that come with NiMARE.
"""

# %%
# Texts and peaks
# ---------------
# Every loader gives the same thing: a table of studies, and one array of peaks (x, y, z
# in mm, MNI space) for each row of it.

from sklearn_neurocontext.datasets import load_nimare_studyset, study_texts

corpus = load_nimare_studyset()
texts = study_texts(corpus, "title")
print(f"{len(texts)} studies; the first one reports {len(corpus.peaks[0])} peaks")
print(texts[0])

# %%
# Peaks become coefficients
# -------------------------
# A Gaussian kernel on each peak gives a density, and least squares give its
# coefficients on the maps of an atlas. The geometric atlas is made from nothing but the
# MNI mask and needs no download; ``atlas="difumo"`` fetches the article's.

from sklearn_neurocontext import KDEDiFuMoMasker

masker = KDEDiFuMoMasker(atlas="geometric", n_components=256)
y = masker.fit_transform(corpus.peaks)
print(f"{y.shape[1]} coefficients for each of {y.shape[0]} studies")

# %%
# One pipeline from text to coefficients
# --------------------------------------
# The language model embeds the texts, two encoders learn the space that texts and maps
# share, and a decoder leads from there back to coefficients.

from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_neurocontext import ContrastiveTextBrain, LLMChunkEmbedder

model = make_pipeline(
    LLMChunkEmbedder(), StandardScaler(), ContrastiveTextBrain(random_state=0)
)
model.fit(texts, y)

# %%
# The map to expect from a sentence
# ---------------------------------
# Coefficients times maps are an image like any other, ready for nilearn. Its strongest
# tenth is shown.

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
)
show()

# %%
# The map is what these 320 studies suggest, and they know two tasks. The next example
# asks how far such a model can be trusted.
