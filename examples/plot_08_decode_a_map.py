"""
Which terms and studies match a statistical map?
================================================

nilearn is distributed with a statistical map of a motor task, in which subjects pressed
buttons with the left or with the right hand. The shipped model ranks terms, texts and
studies by their similarity to this map.
"""

# %%
# The statistical map
# -------------------
# The map compares button presses of the left hand with those of the right hand. In the
# motor cortex, positive values are in the right hemisphere, and negative values are in
# the left hemisphere.

from nilearn.datasets import load_sample_motor_activation_image
from nilearn.plotting import plot_stat_map, show

motor_img = load_sample_motor_activation_image()
plot_stat_map(
    motor_img,
    threshold=3.0,
    vmax=8.0,
    display_mode="z",
    cut_coords=(-20, 0, 45, 60),
    cmap="RdBu_r",
    title="left hand − right hand",
)
show()

# %%
# Terms
# -----
# Peaks of studies have no sign: the model compares texts with densities of peaks, which
# are positive. Therefore, decode each sign of a contrast on its own.

import matplotlib.pyplot as plt
from nilearn.image import math_img

from sklearn_neurocontext import NeuroContextModel

model = NeuroContextModel.from_pretrained()
imgs = {
    "left hand": math_img("np.maximum(img, 0)", img=motor_img),
    "right hand": math_img("np.maximum(-img, 0)", img=motor_img),
}
figure, axes = plt.subplots(1, 2, figsize=(9, 3.5), layout="constrained", sharex=True)
for (name, img), axis in zip(imgs.items(), axes, strict=True):
    terms = model.decode(img, k=10)
    axis.barh(terms["candidate"], terms["similarity"], color="C0")
    axis.invert_yaxis()
    axis.set(title=name, xlabel="similarity to the map")
    axis.spines[["top", "right"]].set_visible(False)
show()

# %%
# Texts of your choice
# --------------------
# The candidates can be any texts, for example the tasks that you consider. A map
# without negative values, such as one side of a contrast, is treated like a density of
# peaks. With ``null="surrogates"``, it is compared with random maps that are as smooth.

tasks = [
    "finger tapping",
    "reading words",
    "pictures of faces",
    "mental arithmetic",
    "working memory",
]
for name, img in imgs.items():
    ranking = model.decode(img, tasks, null="surrogates")
    ranking = ranking[["candidate", "similarity", "p_value"]]
    print(f"{name}\n{ranking.round(3).to_string(index=False)}\n")

# %%
# Studies
# -------
# ``index_corpus`` adds studies to the model, which ``decode`` then ranks. The 320
# studies of this corpus come with NiMARE. Few of them are about movements, so the
# similarities are low. ``index_corpus(fetch_neuroquery())`` indexes thousands of
# studies, but needs a download.

from sklearn_neurocontext.datasets import load_nimare_studyset

model.index_corpus(load_nimare_studyset())
studies = model.decode(imgs["right hand"], "studies", k=5)
for title, value in zip(studies["candidate"], studies["similarity"], strict=True):
    print(f"{value:.2f}  {title}")

# %%
# Both signs match terms of the sensorimotor cortex. The terms do not tell the hands
# apart, because the model barely encodes the hemisphere.
