"""Peaks of a map are found; regions are looked up in an atlas."""

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from nilearn.datasets import (
    fetch_coords_dosenbach_2010,
    load_sample_motor_activation_image,
)

from sklearn_neurocontext.inference import peak_table, region_names
from sklearn_neurocontext.maskers import load_mask


@pytest.fixture
def atlas():
    """An atlas of 2 mm voxels with two regions at x = 0 and x = 10 mm."""
    values = np.zeros((8, 4, 4), dtype=np.int16)
    values[0, 0, 0], values[5, 0, 0] = 1, 2
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    img = nib.Nifti1Image(values, affine)
    return {"maps": img, "labels": ["7Networks_LH_Vis_1", "Insula"]}


@pytest.fixture
def img():
    """A map with positive peaks of 9, 7 and 3, and a negative peak of -8."""
    mask_img = load_mask()
    volume = np.zeros(mask_img.shape)
    for xyz, value in {(-42, -22, 56): 9, (42, -22, 56): 7, (2, 50, 10): 3}.items():
        volume[_voxel(mask_img, xyz)] = value
    volume[_voxel(mask_img, (-38, 18, 2))] = -8
    return nib.Nifti1Image(volume, mask_img.affine)


def _voxel(img, xyz):
    inverse = np.linalg.inv(img.affine)
    return tuple(np.rint(nib.affines.apply_affine(inverse, xyz)).astype(int))


def test_centers_of_dosenbach_are_their_own_regions():
    regions = fetch_coords_dosenbach_2010()
    table = region_names(regions["rois"].to_numpy())
    assert (table["distance_mm"] == 0).all()
    assert table["network"].tolist() == [str(one) for one in regions["networks"]]
    for name, label in zip(table["region"], regions["labels"], strict=True):
        assert label.startswith(f"{name} ")


def test_nearest_region_of_dosenbach():
    xyz = np.array([[-42, -22, 54], [60.5, -30, 10]])
    centers = fetch_coords_dosenbach_2010()["rois"].to_numpy(dtype=float)
    expected = np.linalg.norm(xyz[:, None] - centers, axis=2).min(axis=1)
    np.testing.assert_allclose(region_names(xyz)["distance_mm"], expected, atol=0.006)


def test_regions_of_an_atlas(atlas):
    table = region_names([[0.9, 0, 0], [6, 0, 0], [10, 0, 4]], atlas)
    assert table["region"].tolist() == ["7Networks_LH_Vis_1", "Insula", "Insula"]
    assert table["network"].tolist() == ["Vis", "", ""]
    # The first coordinate is inside the region.
    assert table["distance_mm"].tolist() == [0, 4, 4]


def test_labels_of_an_atlas(atlas):
    expected = region_names([[0, 0, 0], [10, 0, 0]], atlas)
    with_background = {**atlas, "labels": ["Background", *atlas["labels"]]}
    assert region_names([[0, 0, 0], [10, 0, 0]], with_background).equals(expected)
    encoded = {**atlas, "labels": [one.encode() for one in atlas["labels"]]}
    assert region_names([[0, 0, 0], [10, 0, 0]], encoded).equals(expected)
    lut = pd.DataFrame({"index": [0, 2, 1], "name": ["Background", "Two", "One"]})
    found = region_names([[0, 0, 0], [10, 0, 0]], {**atlas, "lut": lut})
    assert found["region"].tolist() == ["One", "Two"]


def test_wrong_atlases(atlas):
    with pytest.raises(TypeError, match=r"atlas must be a dict .*; got str"):
        region_names([[0, 0, 0]], "schaefer")
    with pytest.raises(ValueError, match=r"label for each value .* got none for 2\."):
        region_names([[0, 0, 0]], {**atlas, "labels": ["One"]})
    empty = nib.Nifti1Image(np.zeros((2, 2, 2)), np.eye(4))
    with pytest.raises(ValueError, match="must contain positive values; got none"):
        region_names([[0, 0, 0]], {**atlas, "maps": empty})


def test_peaks_above_a_threshold(img):
    table = peak_table(img, threshold=5)
    assert table[["x", "y", "z"]].to_numpy().tolist() == [[-42, -22, 56], [42, -22, 56]]
    assert table["value"].tolist() == [9, 7]
    assert table["cluster_mm3"].tolist() == [64, 64]
    regions = region_names(table[["x", "y", "z"]].to_numpy())
    pd.testing.assert_frame_equal(table[regions.columns.tolist()], regions)


def test_peaks_of_both_signs(img):
    table = peak_table(img, threshold=5, two_sided=True)
    assert table["value"].tolist() == [9, -8, 7]


def test_peaks_of_the_highest_voxels(img):
    assert peak_table(img)["value"].tolist() == [9, 7, 3]
    assert peak_table(img, top=2 / 29398)["value"].tolist() == [9, 7]


def test_peaks_of_the_voxels_with_the_largest_magnitudes(img):
    table = peak_table(img, top=2 / 29398, two_sided=True)
    assert table["value"].tolist() == [9, -8]


def test_no_voxel_above_the_threshold(img):
    table = peak_table(img, threshold=100)
    assert len(table) == 0
    assert {"x", "value", "region", "network"} <= set(table)


def test_peaks_of_a_real_map(atlas):
    table = peak_table(load_sample_motor_activation_image(), threshold=5)
    # Left minus right button press: right motor cortex and left cerebellum.
    assert table["x"][0] > 30
    assert table["network"][0] == "sensorimotor"
    assert "cerebellum" in table["network"].tolist()


def test_wrong_arguments_of_peak_table(img):
    with pytest.raises(ValueError, match="threshold must be positive; got -1"):
        peak_table(img, threshold=-1)
    with pytest.raises(ValueError, match=r"top must be .*; got 2"):
        peak_table(img, top=2)
    with pytest.raises(ValueError, match="img must contain one map; got 2"):
        peak_table(nib.concat_images([img, img]), threshold=5)


def test_schaefer_atlas(shared_data):
    folder = shared_data / "atlases"
    (labels,) = folder.glob("*Schaefer*_dseg.tsv")
    (maps,) = folder.glob("Schaefer*.nii.gz")
    atlas = {"maps": maps, "labels": pd.read_csv(labels, sep="\t")["name"].tolist()}
    table = region_names([[-42, -22, 54]], atlas)
    assert table["network"].tolist() == ["SomMot"]
