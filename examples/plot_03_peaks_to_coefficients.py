"""
How does the width of the kernel change the coefficients?
=========================================================

Two studies of the same task report peaks that lie millimeters apart. The full width at
half maximum (fwhm) of the Gaussian placed on each peak determines the extent of a peak.
With a wider kernel, each study involves more components, and studies become more
similar.
"""

# %%
# One study, three widths
# -----------------------
# The masker computes the coefficients of a study on the maps of an atlas, and converts
# them back to an image. Each row has its own color scale.

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
    img = maps_img.slicer[..., 0]
    plot_glass_brain(
        img,
        axes=axis,
        display_mode="lyrz",
        threshold=img.get_fdata().max() / 20,
        plot_abs=False,
        colorbar=False,
        cmap="Reds",
    )
    axis.set_title(f"fwhm {fwhm} mm")

# %%
# Effective number of components
# ------------------------------
# For coefficients c, (Σc)² / Σc² is the effective number of components of a study. The
# right panel shows the mean correlation between the coefficients of two studies.

import numpy as np

n_effective, mean_correlation = [], []
for fwhm in widths:
    coefficients = maskers[fwhm].transform(corpus.peaks)
    coefficients = coefficients[coefficients.any(axis=1)].astype(float)
    n_effective.append(
        np.median(coefficients.sum(axis=1) ** 2 / (coefficients**2).sum(axis=1))
    )
    correlation = np.corrcoef(coefficients)
    mean_correlation.append(correlation[np.triu_indices_from(correlation, 1)].mean())

figure, axes = plt.subplots(1, 2, figsize=(8, 3.2), layout="constrained")
for axis, values, label in zip(
    axes,
    (n_effective, mean_correlation),
    ("effective number of components", "mean correlation of two studies"),
    strict=True,
):
    axis.plot(widths, values, "o-", color="C0")
    axis.axvline(9, color="0.7", linestyle="--", zorder=0)
    axis.set(xlabel="fwhm of the kernel (mm)", ylabel=label, ylim=(0, None))
    axis.spines[["top", "right"]].set_visible(False)

# %%
# Choosing a width
# ----------------
# Both measures increase with the width and do not reach a plateau. The default of 9 mm
# (dashed line) is the width in NeuroQuery: use it for comparisons. Choose another width
# by cross-validation, not by the appearance of a map.

for fwhm, n, correlation in zip(widths, n_effective, mean_correlation, strict=True):
    print(f"fwhm {fwhm:2d} mm: {n:5.1f} components, correlation {correlation:.2f}")
show()
