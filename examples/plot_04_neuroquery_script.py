"""
How does a NeuroQuery script run here?
======================================

A script for NeuroQuery goes on working after two changes: the import, and the line that
makes the model. The model comes with the package and needs no network.
"""

# %%
# The same five lines
# -------------------
# With NeuroQuery they begin with
#
# .. code-block:: python
#
#     from neuroquery import NeuroQueryModel, fetch_neuroquery_model
#     encoder = NeuroQueryModel.from_data_dir(fetch_neuroquery_model())
#
# and go on as here. NeuroQuery's ``brain_map`` is its z map under another name: a
# script that cuts ``result["brain_map"]`` at z = 3 must ask for ``result["z_map"]``,
# which both models have, or it draws an empty brain here.

import warnings

from nilearn.plotting import view_img

from sklearn_neurocontext import NeuroContextModel

# nilearn's own: it takes the median of a masked template, and NumPy warns.
warnings.filterwarnings("ignore", ".*'partition' will ignore the 'mask'")

encoder = NeuroContextModel.from_pretrained()
result = encoder("Reading words aloud in people with dyslexia")
print(result["similar_words"].head(10))
view = view_img(result["z_map"], threshold=3.0)
# In a browser: view.open_in_browser()

# %%
# What the map looks like
# -----------------------
# ``brain_map`` is the density of peaks to expect; ``z_map`` says where it differs from
# the mean map of all studies, in units of what chance would give.

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
# And back
# --------
# A map is decoded into the terms that match it best. The p value compares with the maps
# of training studies.

print(encoder.decode(result["brain_map"], k=5))

# %%
# Two lines changed, and the same script has its map, its words and its way back. With
# a corpus, ``encoder.index_corpus(corpus)``, ``similar_documents`` holds
# the nearest studies.
