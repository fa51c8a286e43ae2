"""Plots do not change pyplot state; importing the subpackage is cheap."""

import subprocess
import sys

import matplotlib.pyplot as plt
import nibabel as nib
import numpy as np

from sklearn_neurocontext.plotting import (
    plot_dice_bars,
    plot_paired_differences,
    plot_predicted_map,
    plot_recall_curves,
    plot_similarity_matrix,
    plot_surface_maps,
    plot_training_curve,
)


def test_no_figure_stays_open():
    affine = np.diag([8.0, 8.0, 8.0, 1.0])
    affine[:3, 3] = (-88, -124, -72)
    before = plt.get_fignums()
    plot_recall_curves({"a": [0.5, 1.0]})
    plot_training_curve([{"epoch": 1, "train_loss": 1.0}])
    plot_paired_differences({"a": [1.0]})
    plot_dice_bars({"a": [0.5]})
    plot_similarity_matrix(np.eye(2))
    img = nib.Nifti1Image(np.ones((23, 28, 23)), affine)
    plot_predicted_map(img, text="reading")
    plot_surface_maps({"reading": img})
    assert plt.get_fignums() == before


def test_import_does_not_import_matplotlib():
    code = (
        "import sys, sklearn_neurocontext.plotting; "
        "print([m for m in ('matplotlib', 'nilearn.plotting', 'torch') "
        "if m in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"
