"""
How do I run a NeuroQuery script with this package?
===================================================

Most scripts for NeuroQuery need three changes: the import, the line that creates the
model, and the key of maps that are thresholded at a z value. The model is installed
with the package and needs no network.
"""

# %%
# The script
# ----------
# With NeuroQuery, a script begins with
#
# .. code-block:: python
#
#     from neuroquery import NeuroQueryModel, fetch_neuroquery_model
#     encoder = NeuroQueryModel.from_data_dir(fetch_neuroquery_model())
#
# and continues as below. NeuroQuery's ``brain_map`` is a z map: a script that
# thresholds ``result["brain_map"]`` at z = 3 must use ``result["z_map"]``, which both
# models return.

import warnings

from nilearn.plotting import view_img

from sklearn_neurocontext import NeuroContextModel

# nilearn causes this warning when it computes the median of a masked template.
warnings.filterwarnings("ignore", ".*'partition' will ignore the 'mask'")

encoder = NeuroContextModel.from_pretrained()
result = encoder("Reading words aloud in people with dyslexia")
print(result["similar_words"].head(10))
view = view_img(result["z_map"], threshold=3.0)
# In a browser: view.open_in_browser()

# %%
# Brain map and z map
# -------------------
# ``brain_map`` is the predicted density of peaks. ``z_map`` is its difference from the
# mean map of all studies, divided by the null standard deviation.

from nilearn.plotting import plot_glass_brain, show

plot_glass_brain(
    result["brain_map"],
    title="brain_map",
    threshold=0.02,
    vmin=0,
    symmetric_cbar=False,
    plot_abs=False,
    cmap="inferno_r",
    colorbar=True,
)
plot_glass_brain(
    result["z_map"], title="z_map", threshold=3.0, plot_abs=False, colorbar=True
)
show()

# %%
# Decoding
# --------
# ``decode`` ranks terms by their similarity to a map. The null distribution of the p
# values consists of maps of training studies.

print(encoder.decode(result["brain_map"], k=5))

# %%
# Two lines changed. After ``encoder.index_corpus(corpus)``, ``similar_documents``
# contains the most similar studies.
