"""Atlases come to the mask as nilearn would bring them, or say why not."""

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from nibabel.openers import ImageOpener
from nilearn.image import resample_img
from scipy.spatial import cKDTree
from sklearn.utils import Bunch
from threadpoolctl import threadpool_limits

from sklearn_neurocontext.maskers import _atlas
from sklearn_neurocontext.maskers._atlas import find_atlas
from sklearn_neurocontext.maskers._geometric import (
    SHIPPED_CENTRES,
    compute_centres,
    geometric_centres,
    soft_width,
)
from sklearn_neurocontext.maskers._grid import open_mask, resample_mask, voxel_centres
from sklearn_neurocontext.maskers._maps import sample_atlas

# Turned, flipped and off the grid of the mask; it covers a part of the brain.
AFFINE = np.array([[-7.0, 0.5, 0, 61], [0.25, 7, 0, -83], [0, 0, 7, -51], [0, 0, 0, 1]])
SHAPE = (17, 23, 16)


def _load_mask(voxel_mm):
    return resample_mask(open_mask("mni"), voxel_mm)


def _bring(atlas, n_components, mask_img, **source):
    """Give the names of an atlas's maps and the maps at the voxels of a mask."""
    labels, columns = sample_atlas(find_atlas(atlas, n_components, **source), mask_img)
    maps = np.zeros((np.count_nonzero(mask_img.dataobj), len(labels)), dtype=np.float32)
    for component, (held, values) in enumerate(columns):
        maps[held, component] = values
    return labels, maps


@pytest.fixture(scope="module")
def mask_img():
    return _load_mask(6.0)


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


@pytest.mark.parametrize("n_components", [5, 128, 512])
def test_geometric_maps_part_the_mask_by_nearest_centre(mask_img, n_components):
    labels, maps = _bring("geometric", n_components, mask_img)
    np.testing.assert_array_equal(maps.sum(axis=1), 1)
    assert len(set(labels)) == n_components
    voxels, centres = voxel_centres(mask_img), geometric_centres(n_components)
    for row in range(0, len(voxels), 200):
        distance = np.linalg.norm(centres - voxels[row], axis=1)
        assert distance[maps[row].argmax()] == pytest.approx(distance.min())


@pytest.mark.parametrize("n_components", [5, 128])
def test_soft_parcels_are_responsibilities_of_a_mixture(mask_img, n_components):
    labels, maps = _bring("geometric-soft", n_components, mask_img)
    centres, voxels = geometric_centres(n_components), voxel_centres(mask_img)
    assert len(labels) == n_components
    squares = ((voxels[:, None] - centres) ** 2).sum(axis=2)
    density = np.exp(-squares / (2 * soft_width(centres) ** 2))
    expected = density / density.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(maps, expected, atol=1e-4)
    np.testing.assert_allclose(maps.sum(axis=1), 1, rtol=1e-5)
    _, hard = _bring("geometric", n_components, mask_img)
    np.testing.assert_array_equal(maps.argmax(axis=1), hard.argmax(axis=1))


def test_soft_parcels_are_as_wide_as_the_hard_ones(mask_img):
    """The mean share of a voxel in its own parcel is that of Gaussians so wide."""
    centres = geometric_centres(128)
    offsets = (
        voxel_centres(mask_img)
        - centres[cKDTree(centres).query(voxel_centres(mask_img))[1]]
    )
    assert soft_width(centres) == pytest.approx(offsets.std(axis=0).mean(), rel=0.05)


@pytest.mark.parametrize("n_components", SHIPPED_CENTRES)
def test_shipped_centres_are_distinct_and_in_the_brain(n_components):
    centres = geometric_centres(n_components)
    assert centres.shape == (n_components, 3)
    to_voxel, _ = cKDTree(voxel_centres(_load_mask(2.0))).query(centres)
    assert to_voxel.max() < 4
    to_other, _ = cKDTree(centres).query(centres, k=2)
    assert to_other[:, 1].min() > 4


def test_shipped_centres_are_as_good_a_k_means_as_computed_ones():
    voxels = voxel_centres(_load_mask(4.0))
    shipped, computed = (
        np.mean(cKDTree(centres).query(voxels)[0] ** 2)
        for centres in (geometric_centres(128), compute_centres(128))
    )
    assert shipped == pytest.approx(computed, rel=0.01)


def test_computed_centres_are_the_same_twice():
    again = compute_centres.__wrapped__(20)
    np.testing.assert_array_equal(geometric_centres(20), again)


def test_more_centres_than_voxels_is_an_error():
    with pytest.raises(ValueError, match="n_components=99999 is more than the"):
        geometric_centres(99999)


def test_own_maps_are_interpolated_as_nilearn_does(maps_img, mask_img):
    labels, maps = _bring(maps_img, 1, mask_img)
    assert labels == ["component 0", "component 1", "component 2"]
    expected = _resample(maps_img, mask_img, "linear")
    np.testing.assert_allclose(maps, expected, atol=1e-6)


def test_own_maps_on_the_grid_are_taken_as_they_are(mask_img, rng):
    values = rng.standard_normal((*mask_img.shape, 2)).astype(np.float32)
    _, maps = _bring(nib.Nifti1Image(values, mask_img.affine), 1, mask_img)
    np.testing.assert_array_equal(maps, values[np.asarray(mask_img.dataobj) > 0])


def test_own_labels_are_those_of_the_nearest_voxel(labels_img, mask_img):
    labels, maps = _bring(labels_img, 1, mask_img)
    assert labels == ["label 2", "label 7", "label 11"]
    expected = _one_hot(_resample(labels_img, mask_img, "nearest"))
    np.testing.assert_array_equal(maps, expected)


@pytest.mark.parametrize("kind", [str, lambda path: path])
@pytest.mark.parametrize("name", ["maps.nii", "maps.nii.gz"])
def test_a_path_gives_what_its_image_gives(maps_img, mask_img, tmp_path, kind, name):
    nib.save(maps_img, tmp_path / name)
    np.testing.assert_array_equal(
        _bring(kind(tmp_path / name), 1, mask_img)[1],
        _bring(maps_img, 1, mask_img)[1],
    )


def test_home_folder_is_expanded(maps_img, mask_img, tmp_path, monkeypatch):
    nib.save(maps_img, tmp_path / "maps.nii")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert _bring("~/maps.nii", 1, mask_img)[1].shape[1] == 3


def test_nan_in_an_image_counts_as_zero(maps_img, labels_img, mask_img):
    for img in (maps_img, labels_img):
        values = np.array(img.dataobj, dtype=np.float32)
        marked = nib.Nifti1Image(np.where(values == 0, np.nan, values), AFFINE)
        np.testing.assert_array_equal(
            _bring(marked, 1, mask_img)[1], _bring(img, 1, mask_img)[1]
        )


def test_infinity_in_a_map_is_an_error(maps_img, mask_img):
    maps_img.get_fdata()[4, 4, 4, 1] = -np.inf
    broken = nib.Nifti1Image(maps_img.get_fdata(), AFFINE)
    with pytest.raises(ValueError, match="Map 1 of the atlas holds infinity"):
        _bring(broken, 1, mask_img)


def test_a_3d_image_of_fractions_is_an_error(maps_img, mask_img):
    single = nib.Nifti1Image(np.asarray(maps_img.dataobj)[..., 0], AFFINE)
    with pytest.raises(ValueError, match="values are not whole numbers"):
        _bring(single, 1, mask_img)


def test_labels_away_from_the_brain_are_an_error(labels_img, mask_img):
    away = nib.Nifti1Image(
        np.asarray(labels_img.dataobj), AFFINE + np.eye(4, k=3) * 999
    )
    with pytest.raises(ValueError, match="no label but 0 in the mask"):
        _bring(away, 1, mask_img)


@pytest.mark.parametrize("shape", [(4, 4), (4, 4, 4, 1, 3)])
def test_neither_3d_nor_4d_is_an_error(mask_img, shape):
    img = nib.Nifti1Image(np.ones(shape, dtype=np.float32), AFFINE)
    with pytest.raises(ValueError, match="expected a 4D image of maps or a 3D"):
        _bring(img, 1, mask_img)


@pytest.mark.parametrize("atlas", ["no-such-file.nii", "DiFuMo", "."])
def test_a_missing_file_names_what_can_be_given(mask_img, atlas):
    with pytest.raises(
        FileNotFoundError, match=r"is no file here. Expected 'geometric'"
    ):
        _bring(atlas, 1, mask_img)


@pytest.mark.parametrize("atlas", [None, 512, np.zeros((4, 4, 4))])
def test_another_type_is_an_error(mask_img, atlas):
    with pytest.raises(TypeError, match="'geometric-soft', 'difumo', the path"):
        _bring(atlas, 1, mask_img)


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
    labels, maps = _bring("difumo", 64, mask_img, resolution_mm=3, data_dir=tmp_path)
    assert asked == {
        "dimension": 64,
        "resolution_mm": 3,
        "data_dir": tmp_path,
        "verbose": 0,
    }
    assert labels == ["Insula", "Cuneus", "Insula (2)"]
    expected = _resample(maps_img, mask_img, "linear")
    np.testing.assert_allclose(maps, expected, atol=1e-6)


@pytest.mark.parametrize("error", [ConnectionError("no route"), ValueError("no route")])
def test_difumo_without_network_names_the_others(mask_img, monkeypatch, error):
    def fetch(**settings):
        raise error

    monkeypatch.setattr(_atlas, "fetch_atlas_difumo", fetch)
    with pytest.raises(
        OSError, match=r"no route.*data_dir.*atlas='geometric'.*path of"
    ):
        _bring("difumo", 512, mask_img)


def test_difumo_of_another_size_is_an_error(mask_img):
    with pytest.raises(ValueError, match="n_components=100; choose one of 64, 128"):
        _bring("difumo", 100, mask_img)


def test_hash_is_of_the_content(maps_img, labels_img, tmp_path):
    def find(atlas, n_components=1):
        return find_atlas(atlas, n_components).hash

    values = np.array(maps_img.dataobj)
    moved = nib.Nifti1Image(values, AFFINE + np.eye(4, k=3))
    other = values.copy()
    other[5, 5, 5, 1] += 1e-3
    hashes = [find(img) for img in (maps_img, moved, labels_img)]
    hashes += [find(nib.Nifti1Image(other, AFFINE))]
    hashes += [find("geometric", 128), find("geometric", 256)]
    hashes += [find("geometric-soft", 128)]
    assert len(set(hashes)) == len(hashes)
    assert find(nib.Nifti1Image(values.copy(), AFFINE)) == find(maps_img)
    for name in ("one.nii", "two.nii"):
        nib.save(maps_img, tmp_path / name)
    assert find(tmp_path / "one.nii") == find(str(tmp_path / "two.nii"))
    pair = nib.Nifti1Pair(values, AFFINE)
    nib.save(pair, tmp_path / "pair.img")
    before = find(tmp_path / "pair.img")
    nib.save(nib.Nifti1Pair(values, moved.affine), tmp_path / "pair.img")
    assert find(tmp_path / "pair.img") != before


def test_real_labels_equal_nilearns(shared_data):
    path = shared_data / "atlases/Schaefer400_space-MNI152NLin6_res-2x2x2.nii.gz"
    mask_img = _load_mask(4.0)
    _, maps = _bring(path, 1, mask_img)
    assert maps.shape[1] == 400
    expected = _one_hot(_resample(nib.load(path), mask_img, "nearest"))
    np.testing.assert_array_equal(maps, expected)


def test_real_maps_equal_nilearns(shared_data):
    (path,) = (shared_data / "atlases").glob("*DiFuMo*probseg.nii.gz")
    mask_img = _load_mask(4.0)
    _, maps = _bring(path, 1, mask_img)
    assert maps.shape[1] == 100
    assert np.count_nonzero(maps) < 0.05 * maps.size
    some = nib.load(path).slicer[..., 40:43]
    expected = _resample(some, mask_img, "linear")
    np.testing.assert_allclose(maps[:, 40:43], expected, atol=1e-6 * expected.max())


@pytest.mark.parametrize("name", ["geometric", "geometric-soft"])
def test_computed_centres_are_the_same_whatever_the_threads(name):
    hashes = []
    for n_threads in (1, 2, 3):
        compute_centres.cache_clear()
        with threadpool_limits(n_threads):
            hashes.append(find_atlas(name, 200).hash)
    assert len(set(hashes)) == 1


def test_hash_of_soft_parcels_covers_their_width(monkeypatch):
    before = find_atlas("geometric-soft", 128)
    assert before.width == pytest.approx(soft_width(before.content), abs=1e-3)
    monkeypatch.setattr(_atlas, "soft_width", lambda centres: before.width + 0.01)
    assert find_atlas("geometric-soft", 128).hash != before.hash


def test_labels_that_the_grid_misses_keep_their_columns(labels_img, mask_img):
    values = np.array(labels_img.dataobj)
    values[0, 0, 0] = 5
    labels, maps = _bring(nib.Nifti1Image(values, AFFINE), 1, mask_img)
    assert labels == ["label 2", "label 5", "label 7", "label 11"]
    assert not maps[:, 1].any()
    np.testing.assert_array_equal(
        maps[:, [0, 2, 3]], _bring(labels_img, 1, mask_img)[1]
    )


def test_labels_along_a_fourth_axis_are_labels(labels_img, mask_img, tmp_path):
    wrapped = nib.Nifti1Image(np.asarray(labels_img.dataobj)[..., None], AFFINE)
    nib.save(wrapped, tmp_path / "labels.nii.gz")
    expected = _bring(labels_img, 1, mask_img)
    for given in (wrapped, tmp_path / "labels.nii.gz"):
        labels, maps = _bring(given, 1, mask_img)
        assert labels == expected[0]
        np.testing.assert_array_equal(maps, expected[1])


def test_one_map_along_a_fourth_axis_stays_a_map(maps_img, mask_img):
    labels, maps = _bring(maps_img.slicer[..., :1], 1, mask_img)
    assert labels == ["component 0"]
    np.testing.assert_array_equal(maps, _bring(maps_img, 1, mask_img)[1][:, :1])


@pytest.mark.parametrize("kind", [nib.load, str])
def test_a_packed_file_is_opened_once(maps_img, tmp_path, kind, monkeypatch):
    """Opened for each map, a .nii.gz would be unpacked from its start each time."""
    many = nib.Nifti1Image(np.tile(maps_img.dataobj, 5), AFFINE)
    nib.save(many, tmp_path / "maps.nii.gz")
    given, opened = kind(tmp_path / "maps.nii.gz"), []

    class Counting(ImageOpener):
        def __init__(self, *args, **kwargs):
            opened.append(1)
            super().__init__(*args, **kwargs)

    atlas = find_atlas(given, 1)
    monkeypatch.setattr("nibabel.arrayproxy.openers.ImageOpener", Counting)
    _, columns = sample_atlas(atlas, _load_mask(12.0))
    assert len(list(columns)) == 15
    assert len(opened) <= 1


def test_an_image_that_was_changed_in_memory_counts_as_it_is(maps_img, tmp_path):
    nib.save(maps_img, tmp_path / "maps.nii.gz")
    img = nib.load(tmp_path / "maps.nii.gz")
    moved = nib.Nifti1Image(img.dataobj, AFFINE + np.eye(4, k=3))
    np.testing.assert_array_equal(find_atlas(moved, 1).img.affine, moved.affine)
    assert find_atlas(moved, 1).hash != find_atlas(img, 1).hash


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("junk.nii", b"junk" * 200),
        ("junk.nii.gz", b"junk" * 200),
        ("empty.nii", b""),
        ("junk.gii", b"junk"),
        ("junk.mgz", b"junk"),
        ("table.csv", b"x,y,z"),
    ],
)
def test_a_file_that_is_no_image_is_told(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=f"{name}' cannot be read as an image"):
        find_atlas(tmp_path / name, 1)


def test_a_surface_is_told(tmp_path):
    array = nib.gifti.GiftiDataArray(np.zeros(5, dtype=np.float32))
    nib.save(nib.GiftiImage(darrays=[array]), tmp_path / "surface.gii")
    with pytest.raises(ValueError, match="holds a GiftiImage, no voxels"):
        find_atlas(tmp_path / "surface.gii", 1)
