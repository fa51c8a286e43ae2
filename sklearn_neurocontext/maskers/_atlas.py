"""An atlas from a name, a file, an image, or the MNI mask alone."""

import hashlib
import os
import warnings
from collections import Counter
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import nibabel as nib
import numpy as np
from nilearn.datasets import fetch_atlas_difumo, load_mni152_brain_mask
from nilearn.image import resample_img
from scipy.ndimage import map_coordinates
from scipy.sparse import csc_array, hstack
from scipy.spatial import cKDTree

SHIPPED_CENTRES = (128, 256, 512, 1024)
DIFUMO_DIMENSIONS = (64, 128, 256, 512, 1024)


@dataclass(frozen=True)
class Atlas:
    """Maps at the voxels of a mask, and their names.

    Attributes
    ----------
    maps : csc_array of shape (n_voxels, n_components), float32
        Zeros are not stored.
    labels : list of str
        One distinct name for each map.
    """

    maps: csc_array
    labels: list


def load_mask(target_mm: float) -> nib.Nifti1Image:
    """Load nilearn's MNI mask, resampled to voxels of `target_mm` mm."""
    mask_img = resample_img(
        load_mni152_brain_mask(resolution=2),
        target_affine=np.eye(3) * target_mm,
        interpolation="nearest",
        copy_header=True,
        force_resample=True,
    )
    if not np.any(mask_img.dataobj):
        raise ValueError(
            f"No voxel of target_mm={target_mm} mm lies inside the MNI mask. Lower it; "
            "4 is usual."
        )
    return mask_img


def voxel_centres(mask_img) -> np.ndarray:
    """Positions of a mask's true voxels in mm, of shape (n_voxels, 3)."""
    return nib.affines.apply_affine(mask_img.affine, np.argwhere(mask_img.dataobj))


def write_voxels(voxels, mask_img) -> nib.Nifti1Image:
    """Write values of shape (n_maps, n_voxels) as a 4D image, zero outside the mask."""
    inside = np.asarray(mask_img.dataobj) > 0
    volume = np.zeros((*inside.shape, len(voxels)), dtype=np.float32)
    volume[inside] = voxels.T
    return nib.Nifti1Image(volume, mask_img.affine)


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

    voxels = voxel_centres(load_mask(4))
    if n_components > len(voxels):
        raise ValueError(
            f"n_components={n_components} is more than the {len(voxels)} voxels of the "
            "4 mm mask. Lower it."
        )
    means = KMeans(n_components, n_init=1, max_iter=100, random_state=0).fit(voxels)
    return means.cluster_centers_


def resolve_atlas(atlas, n_components, mask_img, data_dir=None) -> Atlas:
    """Bring an atlas to the voxels of a mask.

    Parameters
    ----------
    atlas : str, path-like or Nifti image
        ``"geometric"``, ``"difumo"``, or maps (4D) or labels (3D) of the user's.
    n_components : int
        Number of maps; ignored for the user's own.
    mask_img : Nifti image
        Its true voxels are the target.
    data_dir : path-like or None, default=None
        Where nilearn keeps DiFuMo.

    Returns
    -------
    atlas : Atlas
        Maps are interpolated linearly, labels taken from the nearest voxel.
    """
    voxels = voxel_centres(mask_img)
    if isinstance(atlas, str) and atlas == "geometric":
        return _geometric(n_components, voxels)
    if isinstance(atlas, str) and atlas == "difumo":
        path, names = _fetch_difumo(n_components, data_dir)
        return Atlas(_sample_maps(_load(path), voxels), _distinct(names))
    img = _load(atlas)
    if img.ndim == 4:
        names = [f"component {index}" for index in range(img.shape[3])]
        return Atlas(_sample_maps(img, voxels), names)
    if img.ndim == 3:
        return _sample_labels(img, voxels)
    raise ValueError(
        f"The atlas has shape {img.shape}; expected a 4D image of maps or a 3D image "
        "of labels."
    )


def _geometric(n_components, voxels):
    centres = geometric_centres(n_components)
    _, nearest = cKDTree(centres).query(voxels)
    names = [f"x={x:.0f} y={y:.0f} z={z:.0f}" for x, y, z in centres]
    return Atlas(_parcels(nearest, n_components), _distinct(names))


def _parcels(parcel_of, n_parcels):
    """Write a partition of voxels as maps of zeros and ones."""
    voxels = np.arange(len(parcel_of))
    ones = np.ones(len(parcel_of), dtype=np.float32)
    return csc_array((ones, (voxels, parcel_of)), shape=(len(voxels), n_parcels))


def _fetch_difumo(n_components, data_dir):
    if n_components not in DIFUMO_DIMENSIONS:
        raise ValueError(
            f"DiFuMo has no version with n_components={n_components}; choose one of "
            f"{', '.join(map(str, DIFUMO_DIMENSIONS))}, or atlas='geometric', which "
            "takes any number."
        )
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
    return fetched.maps, list(fetched.labels["difumo_names"])


def _load(atlas):
    if isinstance(atlas, nib.spatialimages.SpatialImage):
        return atlas
    if not isinstance(atlas, str | os.PathLike):
        raise TypeError(
            f"atlas is a {type(atlas).__name__}; expected 'geometric', 'difumo', the "
            "path of an image, or an image that nibabel has loaded."
        )
    path = Path(atlas).expanduser()
    if not path.is_file():
        raise FileNotFoundError(
            f"atlas={str(atlas)!r} is no file here. Expected 'geometric', 'difumo', or "
            "the path of a 4D image of maps or a 3D image of labels."
        )
    # One open file, so that reading map after map unpacks the file only once.
    return nib.load(path, keep_file_open=True)


def _sample_maps(img, voxels):
    """Interpolate maps at positions in mm, one map in memory at a time."""
    positions = _positions(img, voxels)
    columns = []
    for index in range(img.shape[3]):
        # Atlases often mark the outside of a map with NaN.
        volume = np.nan_to_num(img.dataobj[..., index], posinf=np.inf, neginf=-np.inf)
        if not np.isfinite(volume).all():
            raise ValueError(
                f"Map {index} of the atlas holds infinity. Repair it first."
            )
        values = map_coordinates(volume, positions, order=1, output=np.float32)
        columns.append(csc_array(values[:, None]))
    return csc_array(hstack(columns, format="csc"))


def _sample_labels(img, voxels):
    """Take the label of the nearest voxel at positions in mm; zero is no label."""
    volume = np.nan_to_num(np.asanyarray(img.dataobj))
    if np.any(np.abs(volume - np.rint(volume)) > 1e-3):
        raise ValueError(
            "The atlas is a 3D image whose values are not whole numbers; expected "
            "labels. Maps go along a fourth axis, also if there is only one."
        )
    values = map_coordinates(volume, _positions(img, voxels), order=0)
    labels, parcel_of = np.unique(np.rint(values), return_inverse=True)
    present = np.flatnonzero(labels)
    if len(present) == 0:
        raise ValueError(
            "The atlas has no label but 0 in the MNI mask. Check that its affine is in "
            "mm and in MNI space."
        )
    maps = _parcels(parcel_of, len(labels))[:, present]
    return Atlas(csc_array(maps), [f"label {labels[index]:.0f}" for index in present])


def _positions(img, voxels):
    """Positions in mm as those on the grid of an image, of shape (3, n_voxels)."""
    return nib.affines.apply_affine(np.linalg.inv(img.affine), voxels).T


def _distinct(names):
    """Add a number to later ones of equal names: columns of a table must differ."""
    seen = Counter()
    distinct = []
    for name in names:
        seen[name] += 1
        distinct.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return distinct


def check_maps(atlas: Atlas, strategy: str) -> None:
    """Refuse negative maps under ``strategy="mean"``; warn about empty ones."""
    lowest = atlas.maps.data.min(initial=0)
    if strategy == "mean" and lowest < 0:
        raise ValueError(
            "strategy='mean' needs maps without negative values; the atlas has values "
            f"down to {lowest:.3g}. Use strategy='lstsq'."
        )
    bare = np.flatnonzero(np.diff(atlas.maps.indptr) == 0)
    if len(bare):
        warnings.warn(
            f"{len(bare)} of {len(atlas.labels)} maps of the atlas are empty in the "
            f"mask, the first {atlas.labels[bare[0]]!r}; their coefficients are always "
            "zero. Use a smaller target_mm, or check that the atlas is in MNI space.",
            UserWarning,
            # The user's line: above this, fit, and scikit-learn's wrapper of fit.
            stacklevel=4,
        )


def hash_atlas(atlas: Atlas, mask_img) -> str:
    """SHA-256 of the contents, shapes and types of maps, mask and affine."""
    maps = (atlas.maps.data, atlas.maps.indices, atlas.maps.indptr)
    digest = hashlib.sha256()
    for array in (*maps, mask_img.dataobj, mask_img.affine):
        array = np.ascontiguousarray(array)
        digest.update(f"{array.dtype}{array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
