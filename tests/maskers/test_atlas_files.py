"""Atlases from files: found, hashed, opened once, or told what is wrong."""

import nibabel as nib
import numpy as np
import pytest
from nibabel.openers import ImageOpener

from sklearn_neurocontext.maskers._atlas import find_atlas, sample_atlas
from tests.maskers.helpers import AFFINE, bring, load_mask


@pytest.mark.parametrize("kind", [str, lambda path: path])
@pytest.mark.parametrize("name", ["maps.nii", "maps.nii.gz"])
def test_a_path_gives_what_its_image_gives(maps_img, mask_img, tmp_path, kind, name):
    nib.save(maps_img, tmp_path / name)
    np.testing.assert_array_equal(
        bring(kind(tmp_path / name), 1, mask_img)[1],
        bring(maps_img, 1, mask_img)[1],
    )


def test_home_folder_is_expanded(maps_img, mask_img, tmp_path, monkeypatch):
    nib.save(maps_img, tmp_path / "maps.nii")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert bring("~/maps.nii", 1, mask_img)[1].shape[1] == 3


@pytest.mark.parametrize("atlas", ["no-such-file.nii", "DiFuMo", "."])
def test_a_missing_file_names_what_can_be_given(mask_img, atlas):
    with pytest.raises(
        FileNotFoundError, match=r"must be 'geometric', .* does not exist"
    ):
        bring(atlas, 1, mask_img)


@pytest.mark.parametrize("atlas", [None, 512, np.zeros((4, 4, 4))])
def test_another_type_is_an_error(mask_img, atlas):
    with pytest.raises(TypeError, match="'geometric-soft', 'difumo', the path"):
        bring(atlas, 1, mask_img)


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
    _, columns = sample_atlas(atlas, load_mask(12.0))
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
    with pytest.raises(ValueError, match="got a GiftiImage"):
        find_atlas(tmp_path / "surface.gii", 1)
