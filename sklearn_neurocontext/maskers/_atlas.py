"""An atlas from a name, a file, an image, or the MNI mask alone."""

import hashlib
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import nibabel as nib
import numpy as np
from nilearn.datasets import fetch_atlas_difumo, load_mni152_brain_mask
from nilearn.image import load_img, new_img_like, resample_img
from scipy.spatial import cKDTree

SHIPPED_CENTRES = (128, 256, 512, 1024)


@dataclass(frozen=True)
class Atlas:
    """Maps on a grid, and their names."""

    maps_img: nib.Nifti1Image
    labels: list


def load_mask(target_mm: float) -> nib.Nifti1Image:
    """Load nilearn's MNI mask, resampled to voxels of `target_mm` mm."""
    return resample_img(
        load_mni152_brain_mask(resolution=2),
        target_affine=np.eye(3) * target_mm,
        interpolation="nearest",
        copy_header=True,
        force_resample=True,
    )


def geometric_centres(n_components: int) -> np.ndarray:
    """Centres of a k-means on the voxels of the MNI mask, in mm.

    Parameters
    ----------
    n_components : int
        128, 256, 512 and 1024 come with the package, so that coefficients never drift
        between versions; other numbers are computed on a 4 mm grid with a fixed seed.

    Returns
    -------
    centres : ndarray of shape (n_components, 3), float64
        In mm, MNI.
    """
    if n_components in SHIPPED_CENTRES:
        source = files("sklearn_neurocontext.maskers") / "data/geometric_centres.npz"
        with source.open("rb") as stream, np.load(stream) as centres:
            return centres[str(n_components)].astype(np.float64)
    return compute_centres(n_components)


def compute_centres(n_components: int) -> np.ndarray:
    """Run the k-means of `geometric_centres` on the voxels of the 4 mm mask."""
    from sklearn.cluster import KMeans

    mask_img = load_mask(4)
    voxels = nib.affines.apply_affine(mask_img.affine, np.argwhere(mask_img.dataobj))
    if n_components > len(voxels):
        raise ValueError(
            f"n_components={n_components} is more than the {len(voxels)} voxels of the "
            "4 mm mask. Lower it."
        )
    means = KMeans(n_components, n_init=1, max_iter=100, random_state=0).fit(voxels)
    return means.cluster_centers_


def resolve_atlas(atlas, n_components, mask_img, data_dir=None) -> Atlas:
    """Bring an atlas onto the grid of a mask.

    Parameters
    ----------
    atlas : str, path-like or Nifti image
        ``"geometric"``, ``"difumo"``, or maps (4D) or labels (3D) of the user's.
    n_components : int
        Number of maps; ignored for the user's own.
    mask_img : Nifti image
        Its grid is the target.
    data_dir : path-like or None, default=None
        Where nilearn keeps DiFuMo.

    Returns
    -------
    atlas : Atlas
        Maps on the grid of the mask.
    """
    if isinstance(atlas, str) and atlas == "geometric":
        return _geometric(n_components, mask_img)
    if isinstance(atlas, str) and atlas == "difumo":
        maps, labels = _fetch_difumo(n_components, data_dir)
        return Atlas(_resample(maps, mask_img, "linear"), labels)
    return _own_atlas(atlas, mask_img)


def _geometric(n_components, mask_img):
    inside = np.asarray(mask_img.dataobj) > 0
    voxels = nib.affines.apply_affine(mask_img.affine, np.argwhere(inside))
    centres = geometric_centres(n_components)
    _, nearest = cKDTree(centres).query(voxels)
    maps = np.zeros((*inside.shape, n_components), dtype=np.float32)
    maps[(*np.nonzero(inside), nearest)] = 1
    names = [f"x={x:.0f} y={y:.0f} z={z:.0f}" for x, y, z in centres]
    return Atlas(new_img_like(mask_img, maps), names)


def _fetch_difumo(n_components, data_dir):
    try:
        fetched = fetch_atlas_difumo(
            dimension=n_components, resolution_mm=2, data_dir=data_dir, verbose=0
        )
    except (OSError, ValueError) as error:
        raise OSError(
            f"The DiFuMo atlas with {n_components} maps is not on this machine and "
            f"could not be fetched ({error}). Fetch it once where there is network and "
            "name its folder in data_dir; or use atlas='geometric', which needs no "
            "download, or the path of an atlas that you have."
        ) from error
    labels = fetched.labels
    return load_img(fetched.maps), list(labels["difumo_names"])


def _own_atlas(atlas, mask_img):
    if isinstance(atlas, str | Path) and not Path(atlas).exists():
        raise FileNotFoundError(
            f"atlas={str(atlas)!r} is no file here. Expected 'geometric', 'difumo', or "
            "the path of a 4D image of maps or a 3D image of labels."
        )
    img = load_img(atlas)
    if img.ndim == 4:
        labels = [f"component {index}" for index in range(img.shape[3])]
        return Atlas(_resample(img, mask_img, "linear"), labels)
    if img.ndim != 3:
        raise ValueError(
            f"The atlas has shape {img.shape}; expected a 4D image of maps or a 3D "
            "image of labels."
        )
    labels_img = _resample(img, mask_img, "nearest")
    values = np.rint(np.asarray(labels_img.dataobj)).astype(int)
    present = [value for value in np.unique(values) if value != 0]
    if not present:
        raise ValueError("The atlas has no label but 0 on the grid of the mask.")
    maps = np.stack([values == value for value in present], axis=-1)
    names = [f"label {value}" for value in present]
    return Atlas(new_img_like(mask_img, maps.astype(np.float32)), names)


def _resample(img, mask_img, interpolation):
    return resample_img(
        img,
        target_affine=mask_img.affine,
        target_shape=mask_img.shape,
        interpolation=interpolation,
        copy_header=True,
        force_resample=True,
    )


def content_hash(*arrays) -> str:
    """SHA-256 of the contents, shapes and types of arrays."""
    digest = hashlib.sha256()
    for array in arrays:
        array = np.ascontiguousarray(array)
        digest.update(f"{array.dtype}{array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
