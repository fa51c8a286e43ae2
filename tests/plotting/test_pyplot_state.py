"""Plots do not change pyplot state; importing the subpackage is cheap."""

import subprocess
import sys
from functools import partial

import matplotlib.pyplot as plt
import nibabel as nib
import numpy as np
import pytest

from sklearn_neurocontext import plotting

IMG = nib.Nifti1Image(
    np.ones((23, 28, 23)), nib.affines.from_matvec(8 * np.eye(3), (-88, -124, -72))
)
# Each plot with small arguments.
CALLS = [
    partial(plotting.plot_dice_bars, {"a": [0.5]}),
    partial(plotting.plot_paired_differences, {"a": [1.0]}),
    partial(plotting.plot_maps, IMG),
    partial(plotting.plot_predicted_and_observed, [IMG], [IMG], titles=["reading"]),
    partial(plotting.plot_recall_curves, {"a": [0.5, 1.0]}),
    partial(plotting.plot_scores, {"recall@10": {"a": 0.5}}),
    partial(plotting.plot_similarity_matrix, np.eye(2)),
    partial(plotting.plot_training_curve, [{"epoch": 1, "train_loss": 1.0}]),
]
NAMES = [call.func.__name__ for call in CALLS]


def test_every_plot_is_called():
    public = [name for name in plotting.__all__ if name.startswith("plot_")]
    assert sorted(NAMES) == sorted(public)


@pytest.mark.parametrize("call", CALLS, ids=NAMES)
def test_no_figure_stays_open(call):
    before = plt.get_fignums()
    call()
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
