"""
How does the kernel's fwhm change the coefficients?
===================================================

A peak is a point, and two studies of one task report peaks that lie millimetres apart.
How much of the brain a peak speaks for is set by the full width at half maximum (fwhm)
of the Gaussian that is put on it: the wider, the more maps of the atlas each study
reaches, and the more alike all studies look.
"""

# %%
# One study, three widths
# -----------------------
# The masker gives the coefficients of a study's density on the maps of an atlas, and
# the way back to an image. Each row has its own scale: its highest value is darkest.

import matplotlib.pyplot as plt
from nilearn.plotting import plot_glass_brain, show

from sklearn_neurocontext import KDEDiFuMoMasker
from sklearn_neurocontext.datasets import load_nimare_studyset

corpus = load_nimare_studyset()
widths = [3, 6, 9, 12, 18, 25]
maskers = {
    fwhm: KDEDiFuMoMasker("geometric", n_components=256, fwhm=fwhm).fit()
    for fwhm in widths
}
row = max(range(len(corpus.peaks)), key=lambda row: len(corpus.peaks[row]) == 12)
study = [corpus.peaks[row]]

figure, axes = plt.subplots(3, 1, figsize=(9, 7))
for fwhm, axis in zip((3, 9, 25), axes, strict=True):
    maps_img = maskers[fwhm].inverse_transform(maskers[fwhm].transform(study))
    plot_glass_brain(
        maps_img.slicer[..., 0],
        axes=axis,
        display_mode="lyrz",
        threshold=0,
        plot_abs=False,
        colorbar=False,
        cmap="Reds",
    )
    axis.set_title(f"fwhm {fwhm} mm")

# %%
# How many maps a study speaks for
# --------------------------------
# With coefficients c, the number (Σc)² / Σc² says among how many maps a study is
# spread. Next to it stands how alike the coefficients of two studies are: the mean
# correlation over all pairs.

import numpy as np

spread, alike = [], []
for fwhm in widths:
    coefficients = maskers[fwhm].transform(corpus.peaks)
    coefficients = coefficients[coefficients.any(axis=1)].astype(float)
    spread.append(
        np.median(coefficients.sum(axis=1) ** 2 / (coefficients**2).sum(axis=1))
    )
    correlation = np.corrcoef(coefficients)
    alike.append(correlation[np.triu_indices_from(correlation, 1)].mean())

figure, axes = plt.subplots(1, 2, figsize=(8, 3.2), layout="constrained")
for axis, values, label in zip(
    axes,
    (spread, alike),
    ("maps a study is spread over (median)", "mean correlation of two studies"),
    strict=True,
):
    axis.plot(widths, values, "o-", color="C0")
    axis.axvline(9, color="0.7", linestyle="--", zorder=0)
    axis.set(xlabel="fwhm of the kernel (mm)", ylabel=label, ylim=(0, None))
    axis.spines[["top", "right"]].set_visible(False)

# %%
# The choice
# ----------
# Coefficients spread over more maps, and studies grow alike, with every millimetre;
# there is no width at which they settle. The default of 9 mm (dashed) is NeuroQuery's:
# use it to compare with others, and choose another by cross-validation of what you
# predict, never by how a map looks.

for fwhm, n_maps, correlation in zip(widths, spread, alike, strict=True):
    print(f"fwhm {fwhm:2d} mm: {n_maps:5.1f} maps, correlation {correlation:.2f}")
show()
