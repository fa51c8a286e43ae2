"""Maps of Individual Brain Charting, from a local copy of the NeuroVault API."""

import gzip
import json
from functools import partial
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from sklearn_neurocontext import KDEDiFuMoMasker
from sklearn_neurocontext.datasets import fetch_ibc_maps
from sklearn_neurocontext.experiments import _map_comparison

SHAPE, AFFINE = (4, 5, 3), np.diag([4.0, 4.0, 4.0, 1.0])
# Contrast definitions by image id; the last image has none.
CONTRASTS = {
    3: "Move tongue",
    1: "Move tongue",
    4: "Read words",
    8: "Move tongue",
    9: "",
}


def _volume(number, shape=SHAPE):
    return np.random.default_rng(number).normal(size=shape).astype(np.float32)


@pytest.fixture
def local_neurovault(server, monkeypatch):
    """Replace the addresses of NeuroVault in nilearn by a local server."""
    for name in ("collections", "images"):
        monkeypatch.setattr(
            f"nilearn.datasets.neurovault._NEUROVAULT_{name.upper()}_URL",
            f"{server.url}api/{name}/",
        )
    return server


@pytest.fixture
def neurovault(local_neurovault):
    """Serve a collection of five images like NeuroVault."""
    server = local_neurovault
    collection = {"id": 7, "name": "IBC", "number_of_images": len(CONTRASTS)}
    images = [_publish(server, number) for number in CONTRASTS]
    listing = {"count": len(images), "results": images}
    _serve(server, "api/collections/7?limit=100&offset=0", collection)
    _serve(server, "api/collections/7/images/?limit=100&offset=0", listing)
    _serve(server, "api/collections/7", collection)
    return server


def _publish(server, number):
    img = nib.Nifti1Image(_volume(number), AFFINE)
    server.files[f"media/{number}.nii.gz"] = _compress(img)
    image = {
        "id": number,
        "name": f"sub-{number}",
        "file": f"{server.url}media/{number}.nii.gz",
        "collection": f"{server.url}api/collections/7/",
        "collection_id": 7,
        "contrast_definition": CONTRASTS[number],
        "map_type": "Z map",
        "not_mni": False,
        "is_thresholded": False,
        "image_type": "statistic_map",
    }
    _serve(server, f"api/images/{number}", image)
    return image


def _compress(img):
    return gzip.compress(img.to_bytes())


def _serve(server, path, content):
    server.files[path] = json.dumps(content).encode()


def _requested_images(server):
    return sorted(path for path in server.requests if path.startswith("media"))


def test_maps_are_averages_by_contrast(neurovault, tmp_path):
    ibc = fetch_ibc_maps(tmp_path, collection=7)
    assert ibc.contrasts["contrast_definition"].tolist() == [
        "Move tongue",
        "Read words",
    ]
    assert ibc.contrasts["image_ids"].tolist() == [[1, 3, 8], [4]]
    assert ibc.contrasts["n_images"].tolist() == [3, 1]
    assert "2 contrasts of Individual Brain Charting" in ibc.description
    expected = [np.mean([_volume(n) for n in (1, 3, 8)], axis=0), _volume(4)]
    for path, mean in zip(ibc.maps, expected, strict=True):
        img = nib.load(path)
        np.testing.assert_allclose(img.get_fdata(), mean, rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(img.affine, AFFINE)


def test_second_call_downloads_only_missing_images(neurovault, tmp_path):
    first = fetch_ibc_maps(tmp_path, collection=7, n_per_contrast=2)
    assert first.contrasts["image_ids"].tolist() == [[1, 3], [4]]
    assert _requested_images(neurovault) == [f"media/{n}.nii.gz" for n in (1, 3, 4)]
    neurovault.requests.clear()
    again = fetch_ibc_maps(tmp_path, collection=7, n_per_contrast=2)
    assert again.maps == first.maps
    assert neurovault.requests == []
    all_of_one = fetch_ibc_maps(tmp_path, collection=7, contrasts=["Move tongue"])
    assert all_of_one.contrasts["image_ids"].tolist() == [[1, 3, 8]]
    assert _requested_images(neurovault) == ["media/8.nii.gz"]


def test_images_on_other_grids_or_with_nan_are_averaged(neurovault, tmp_path):
    finer = np.diag([2.0, 2.0, 2.0, 1.0])
    flat = nib.Nifti1Image(np.full((8, 10, 6), 2.0, np.float32), finer)
    with_nan = _volume(1)
    with_nan[0, 0, 0] = np.nan
    neurovault.files["media/3.nii.gz"] = _compress(flat)
    neurovault.files["media/1.nii.gz"] = _compress(nib.Nifti1Image(with_nan, AFFINE))
    ibc = fetch_ibc_maps(
        tmp_path, collection=7, contrasts=["Move tongue"], n_per_contrast=2
    )
    mean = nib.load(ibc.maps[0]).get_fdata()
    np.testing.assert_allclose(mean[1, 2, 1], (_volume(1)[1, 2, 1] + 2) / 2, rtol=1e-3)
    assert np.isfinite(mean).all()


def test_truncated_image_is_downloaded_again(neurovault, tmp_path):
    whole = neurovault.files["media/3.nii.gz"]
    neurovault.files["media/3.nii.gz"] = whole[: len(whole) // 2]
    with pytest.raises(
        OSError, match=r"1 of 4 images could not be downloaded .* first is 3\)"
    ):
        fetch_ibc_maps(tmp_path, collection=7)
    neurovault.files["media/3.nii.gz"] = whole
    neurovault.requests.clear()
    assert len(fetch_ibc_maps(tmp_path, collection=7).maps) == 2
    assert _requested_images(neurovault) == ["media/3.nii.gz"]


def test_changed_files_are_detected(neurovault, tmp_path):
    ibc = fetch_ibc_maps(tmp_path, collection=7)
    before = nib.load(ibc.maps[0]).get_fdata()
    with Path(ibc.maps[0]).open("r+b") as stream:  # Averages are computed again.
        stream.truncate(20)
    assert fetch_ibc_maps(tmp_path, collection=7).maps == ibc.maps
    np.testing.assert_array_equal(nib.load(ibc.maps[0]).get_fdata(), before)
    (image,) = tmp_path.rglob("image_4.nii.gz")
    image.write_bytes(_compress(nib.Nifti1Image(_volume(5), AFFINE)))
    with pytest.raises(
        OSError, match=r"image_4.*expected \w{64}, the SHA-256 computed"
    ):
        fetch_ibc_maps(tmp_path, collection=7)
    assert image.is_file()
    listing = tmp_path / "ibc" / "7" / "images.json"
    listing.write_text(listing.read_text()[:100])
    with pytest.raises(OSError, match=r"images.json' was changed or truncated. Remove"):
        fetch_ibc_maps(tmp_path, collection=7)


def test_unreachable_neurovault_raises(local_neurovault, tmp_path, capfd):
    local_neurovault.close()
    with pytest.raises(OSError, match=r"collection 7 could not be listed: neurovault"):
        fetch_ibc_maps(tmp_path, collection=7)
    assert capfd.readouterr() == ("", "")


def test_wrong_arguments_raise(neurovault, tmp_path):
    with pytest.raises(
        ValueError,
        match=r"must be in the collection; got 'Move'. The collection has 2 contra",
    ):
        fetch_ibc_maps(tmp_path, collection=7, contrasts=["Move"])
    with pytest.raises(ValueError, match=r"n_per_contrast must be positive, .* got 0"):
        fetch_ibc_maps(tmp_path, n_per_contrast=0)


def test_maps_are_read_for_figure3(neurovault, tmp_path, monkeypatch):
    fetch = partial(fetch_ibc_maps, tmp_path, collection=7)
    monkeypatch.setattr(_map_comparison, "fetch_ibc_maps", fetch)
    mask_img = KDEDiFuMoMasker("geometric", 128).fit().mask_img_
    table = _map_comparison._fetch_ibc()
    assert table["description"].tolist() == ["Move tongue", "Read words"]
    inside = mask_img.get_fdata() > 0
    observed = _map_comparison._read_map(table["path"][1], mask_img)
    assert observed.shape == (inside.sum(),)
    # The affine places the small images next to the origin.
    found = np.abs(observed) > 0
    places = nib.affines.apply_affine(mask_img.affine, np.argwhere(inside))
    assert found.any()
    assert (places[found] >= -4).all()
    assert (places[found] <= 4 * np.array(SHAPE)).all()
