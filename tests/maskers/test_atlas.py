"""Atlases come to the mask as nilearn would bring them, or say why not."""

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from nilearn.image import resample_img
from scipy.sparse import csc_array
from scipy.spatial import cKDTree
from sklearn.utils import Bunch

from sklearn_neurocontext.maskers import _atlas
from sklearn_neurocontext.maskers._atlas import (
    SHIPPED_CENTRES,
    Atlas,
    check_maps,
    compute_centres,
    geometric_centres,
    hash_atlas,
    load_mask,
    resolve_atlas,
    voxel_centres,
    write_voxels,
)

# Turned, flipped and off the grid of the mask; it covers a part of the brain.
AFFINE = np.array([[-7.0, 0.5, 0, 61], [0.25, 7, 0, -83], [0, 0, 7, -51], [0, 0, 0, 1]])
SHAPE = (17, 23, 16)


@pytest.fixture(scope="module")
def mask_img():
    return load_mask(6.0)


@pytest.fixture
def maps_img(rng):
    values = rng.random((*SHAPE, 3)) * (rng.random((*SHAPE, 3)) > 0.3)
    return nib.Nifti1Image(values.astype(np.float32), AFFINE)


@pytest.fixture
def labels_img(rng):
    values = rng.choice([0, 2, 7, 11], size=SHAPE).astype(np.int16)
    return nib.Nifti1Image(values, AFFINE)


def _resample(img, mask_img, interpolation):
    resampled = resample_img(
        img,
        target_affine=mask_img.affine,
        target_shape=mask_img.shape,
        interpolation=interpolation,
        copy_header=True,
        force_resample=True,
    )
    return np.asarray(resampled.dataobj)[np.asarray(mask_img.dataobj) > 0]


def _one_hot(values):
    return (values[:, None] == [v for v in np.unique(values) if v]).astype(float)


def test_mask_is_binary_on_the_asked_grid():
    mask_img = load_mask(4.0)
    assert nib.affines.voxel_sizes(mask_img.affine) == pytest.approx([4, 4, 4])
    assert set(np.unique(mask_img.dataobj)) == {0, 1}
    volume_ml = np.sum(mask_img.dataobj) * 4**3 / 1000
    assert volume_ml == pytest.approx(np.sum(load_mask(6.0).dataobj) * 0.216, rel=0.02)


def test_mask_without_a_voxel_is_an_error():
    with pytest.raises(ValueError, match="No voxel of target_mm=500"):
        load_mask(500.0)


@pytest.mark.parametrize("n_components", [5, 128, 512])
def test_geometric_maps_part_the_mask_by_nearest_centre(mask_img, n_components):
    atlas = resolve_atlas("geometric", n_components, mask_img)
    maps = atlas.maps.toarray()
    np.testing.assert_array_equal(maps.sum(axis=1), 1)
    assert len(set(atlas.labels)) == n_components
    voxels, centres = voxel_centres(mask_img), geometric_centres(n_components)
    for row in range(0, len(voxels), 200):
        distance = np.linalg.norm(centres - voxels[row], axis=1)
        assert distance[maps[row].argmax()] == pytest.approx(distance.min())


@pytest.mark.parametrize("n_components", SHIPPED_CENTRES)
def test_shipped_centres_are_distinct_and_in_the_brain(n_components):
    centres = geometric_centres(n_components)
    assert centres.shape == (n_components, 3)
    to_voxel, _ = cKDTree(voxel_centres(load_mask(2.0))).query(centres)
    assert to_voxel.max() < 4
    to_other, _ = cKDTree(centres).query(centres, k=2)
    assert to_other[:, 1].min() > 4


def test_shipped_centres_are_as_good_a_k_means_as_computed_ones():
    voxels = voxel_centres(load_mask(4.0))
    shipped, computed = (
        np.mean(cKDTree(centres).query(voxels)[0] ** 2)
        for centres in (geometric_centres(128), compute_centres(128))
    )
    assert shipped == pytest.approx(computed, rel=0.01)


def test_computed_centres_are_the_same_twice():
    np.testing.assert_array_equal(geometric_centres(20), geometric_centres(20))


def test_more_centres_than_voxels_is_an_error():
    with pytest.raises(ValueError, match="n_components=99999 is more than the"):
        geometric_centres(99999)


def test_own_maps_are_interpolated_as_nilearn_does(maps_img, mask_img):
    atlas = resolve_atlas(maps_img, 1, mask_img)
    assert atlas.labels == ["component 0", "component 1", "component 2"]
    assert atlas.maps.dtype == np.float32
    expected = _resample(maps_img, mask_img, "linear")
    np.testing.assert_allclose(atlas.maps.toarray(), expected, atol=1e-6)


def test_own_labels_are_those_of_the_nearest_voxel(labels_img, mask_img):
    atlas = resolve_atlas(labels_img, 1, mask_img)
    assert atlas.labels == ["label 2", "label 7", "label 11"]
    expected = _one_hot(_resample(labels_img, mask_img, "nearest"))
    np.testing.assert_array_equal(atlas.maps.toarray(), expected)


@pytest.mark.parametrize("kind", [str, lambda path: path])
@pytest.mark.parametrize("name", ["maps.nii", "maps.nii.gz"])
def test_a_path_gives_what_its_image_gives(maps_img, mask_img, tmp_path, kind, name):
    nib.save(maps_img, tmp_path / name)
    np.testing.assert_array_equal(
        resolve_atlas(kind(tmp_path / name), 1, mask_img).maps.toarray(),
        resolve_atlas(maps_img, 1, mask_img).maps.toarray(),
    )


def test_home_folder_is_expanded(maps_img, mask_img, tmp_path, monkeypatch):
    nib.save(maps_img, tmp_path / "maps.nii")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert resolve_atlas("~/maps.nii", 1, mask_img).maps.shape[1] == 3


def test_nan_in_an_image_counts_as_zero(maps_img, labels_img, mask_img):
    for img in (maps_img, labels_img):
        values = np.array(img.dataobj, dtype=np.float32)
        marked = nib.Nifti1Image(np.where(values == 0, np.nan, values), AFFINE)
        np.testing.assert_array_equal(
            resolve_atlas(marked, 1, mask_img).maps.toarray(),
            resolve_atlas(img, 1, mask_img).maps.toarray(),
        )


def test_infinity_in_a_map_is_an_error(maps_img, mask_img):
    maps_img.get_fdata()[4, 4, 4, 1] = -np.inf
    broken = nib.Nifti1Image(maps_img.get_fdata(), AFFINE)
    with pytest.raises(ValueError, match="Map 1 of the atlas holds infinity"):
        resolve_atlas(broken, 1, mask_img)


def test_a_3d_image_of_fractions_is_an_error(maps_img, mask_img):
    single = nib.Nifti1Image(np.asarray(maps_img.dataobj)[..., 0], AFFINE)
    with pytest.raises(ValueError, match="values are not whole numbers"):
        resolve_atlas(single, 1, mask_img)


def test_labels_away_from_the_brain_are_an_error(labels_img, mask_img):
    away = nib.Nifti1Image(
        np.asarray(labels_img.dataobj), AFFINE + np.eye(4, k=3) * 999
    )
    with pytest.raises(ValueError, match="no label but 0 in the MNI mask"):
        resolve_atlas(away, 1, mask_img)


@pytest.mark.parametrize("shape", [(4, 4), (4, 4, 4, 1, 3)])
def test_neither_3d_nor_4d_is_an_error(mask_img, shape):
    img = nib.Nifti1Image(np.ones(shape, dtype=np.float32), AFFINE)
    with pytest.raises(ValueError, match="expected a 4D image of maps or a 3D"):
        resolve_atlas(img, 1, mask_img)


@pytest.mark.parametrize("atlas", ["no-such-file.nii", "DiFuMo", "."])
def test_a_missing_file_names_what_can_be_given(mask_img, atlas):
    with pytest.raises(
        FileNotFoundError, match=r"is no file here. Expected 'geometric'"
    ):
        resolve_atlas(atlas, 1, mask_img)


@pytest.mark.parametrize("atlas", [None, 512, np.zeros((4, 4, 4))])
def test_another_type_is_an_error(mask_img, atlas):
    with pytest.raises(TypeError, match="expected 'geometric', 'difumo', the path"):
        resolve_atlas(atlas, 1, mask_img)


def test_difumo_comes_through_nilearn(maps_img, mask_img, tmp_path, monkeypatch):
    nib.save(maps_img, tmp_path / "maps.nii.gz")
    asked = {}

    def fetch(**settings):
        asked.update(settings)
        names = ["Insula", "Cuneus", "Insula"]
        return Bunch(
            maps=str(tmp_path / "maps.nii.gz"),
            labels=pd.DataFrame({"component": [1, 2, 3], "difumo_names": names}),
        )

    monkeypatch.setattr(_atlas, "fetch_atlas_difumo", fetch)
    atlas = resolve_atlas("difumo", 64, mask_img, data_dir=tmp_path)
    assert (asked["dimension"], asked["data_dir"]) == (64, tmp_path)
    assert atlas.labels == ["Insula", "Cuneus", "Insula (2)"]
    expected = _resample(maps_img, mask_img, "linear")
    np.testing.assert_allclose(atlas.maps.toarray(), expected, atol=1e-6)


@pytest.mark.parametrize("error", [ConnectionError("no route"), ValueError("no route")])
def test_difumo_without_network_names_the_others(mask_img, monkeypatch, error):
    def fetch(**settings):
        raise error

    monkeypatch.setattr(_atlas, "fetch_atlas_difumo", fetch)
    with pytest.raises(
        OSError, match=r"no route.*data_dir.*atlas='geometric'.*path of"
    ):
        resolve_atlas("difumo", 512, mask_img)


def test_difumo_of_another_size_is_an_error(mask_img):
    with pytest.raises(ValueError, match="n_components=100; choose one of 64, 128"):
        resolve_atlas("difumo", 100, mask_img)


def test_negative_maps_have_no_mean():
    atlas = Atlas(
        csc_array(np.array([[1, -0.5], [0, 1]], dtype=np.float32)), ["a", "b"]
    )
    check_maps(atlas, "lstsq")
    with pytest.raises(ValueError, match=r"values down to -0.5. Use strategy='lstsq'"):
        check_maps(atlas, "mean")


def test_empty_maps_are_counted_and_the_first_named():
    atlas = Atlas(csc_array(np.array([[1, 0, 0]], dtype=np.float32)), ["a", "b", "c"])
    with pytest.warns(UserWarning, match="2 of 3 maps of the atlas are empty .*'b'"):
        check_maps(atlas, "lstsq")


def test_hash_follows_the_contents(maps_img, mask_img):
    atlas = resolve_atlas(maps_img, 1, mask_img)
    again = resolve_atlas(maps_img, 1, mask_img)
    assert hash_atlas(atlas, mask_img) == hash_atlas(again, mask_img)
    again.maps.data[5] += 1e-3
    moved = nib.Nifti1Image(mask_img.dataobj, mask_img.affine + np.eye(4, k=3))
    hashes = {
        hash_atlas(atlas, mask_img),
        hash_atlas(again, mask_img),
        hash_atlas(atlas, moved),
    }
    assert len(hashes) == 3


def test_written_voxels_are_read_back_in_the_mask(mask_img, rng):
    inside = np.asarray(mask_img.dataobj) > 0
    voxels = rng.random((2, inside.sum())).astype(np.float32)
    volume = np.asarray(write_voxels(voxels, mask_img).dataobj)
    np.testing.assert_array_equal(volume[inside].T, voxels)
    assert not volume[~inside].any()


def test_real_labels_equal_nilearns(shared_data):
    path = shared_data / "atlases/Schaefer400_space-MNI152NLin6_res-2x2x2.nii.gz"
    mask_img = load_mask(4.0)
    atlas = resolve_atlas(path, 1, mask_img)
    assert atlas.maps.shape[1] == 400
    expected = _one_hot(_resample(nib.load(path), mask_img, "nearest"))
    np.testing.assert_array_equal(atlas.maps.toarray(), expected)


def test_real_maps_equal_nilearns(shared_data):
    (path,) = (shared_data / "atlases").glob("*DiFuMo*probseg.nii.gz")
    mask_img = load_mask(4.0)
    atlas = resolve_atlas(path, 1, mask_img)
    assert atlas.maps.shape[1] == 100
    assert atlas.maps.nnz < 0.05 * np.prod(atlas.maps.shape)
    some = nib.load(path).slicer[..., 40:43]
    expected = _resample(some, mask_img, "linear")
    np.testing.assert_allclose(
        atlas.maps[:, np.arange(40, 43)].toarray(), expected, atol=1e-6 * expected.max()
    )
