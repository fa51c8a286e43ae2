"""Where an atlas comes from, and the hash of its content."""

import hashlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from nilearn.datasets import fetch_atlas_difumo

from .._utils.disk_cache import hash_file
from ._geometric import geometric_centres, soft_width
from ._grid import is_path, open_img

DIFUMO_DIMENSIONS = (64, 128, 256, 512, 1024)
_NAMES = "'geometric', 'geometric-soft', 'difumo'"


@dataclass(frozen=True)
class Atlas:
    """An atlas as it was given, before it comes to a grid.

    Attributes
    ----------
    kind : {"hard", "soft", "maps", "labels"}
        Parcels around centres, shared or not; maps (4D) or labels (3D).
    content : ndarray of shape (n_components, 3), or Nifti image
        Centres in mm, or the image.
    names : list of str or None
        One distinct name for each map; None where only the labels on a grid tell.
    hash : str
        SHA-256 of the content.
    width : float or None
        Width of soft parcels, in mm.
    """

    kind: str
    content: Any
    names: list | None
    hash: str
    width: float | None = None

    @property
    def img(self):
        """The image, or None."""
        return None if self.kind in ("hard", "soft") else self.content


def find_atlas(atlas, n_components, *, resolution_mm=2, data_dir=None) -> Atlas:
    """Find an atlas by its name, path or image; no map is read yet.

    Parameters
    ----------
    atlas : str, path-like or Nifti image
        ``"geometric"``, ``"geometric-soft"``, ``"difumo"``, or maps (4D) or labels
        (3D) of the user's.
    n_components : int
        Number of maps; ignored for the user's own.
    resolution_mm : {2, 3}, default=2
        Resolution of the DiFuMo to fetch.
    data_dir : path-like or None, default=None
        Where nilearn keeps DiFuMo.

    Returns
    -------
    atlas : Atlas
        A path has the hash of its file, an image that of its values and affine. An
        image of shape (nx, ny, nz, 1) with several whole numbers holds labels.

    Raises
    ------
    TypeError, ValueError, OSError
        If it is of another type or shape, or not to be found.
    """
    if isinstance(atlas, str) and atlas in ("geometric", "geometric-soft"):
        kind = "soft" if atlas == "geometric-soft" else "hard"
        centres = geometric_centres(n_components)
        names = [f"x={x:.0f} y={y:.0f} z={z:.0f}" for x, y, z in centres]
        width = soft_width(centres) if kind == "soft" else None
        hashed = _hash(kind.encode(), centres, str(width).encode())
        return Atlas(kind, centres, _distinct(names), hashed, width)
    names = None
    if isinstance(atlas, str) and atlas == "difumo":
        atlas, names = _fetch_difumo(n_components, resolution_mm, data_dir)
    img = open_img(atlas, "atlas", _NAMES)
    hashed = _hash_files(img) if is_path(atlas) else _hash_img(img)
    if img.ndim == 4 and img.shape[3] == 1 and _is_labels(img.dataobj[..., 0]):
        img = img.slicer[..., 0]
    if img.ndim == 4:
        names = names or [f"component {index}" for index in range(img.shape[3])]
        return Atlas("maps", img, _distinct(names), hashed)
    if img.ndim == 3:
        return Atlas("labels", img, None, hashed)
    raise ValueError(
        f"The atlas has shape {img.shape}; expected a 4D image of maps or a 3D image "
        "of labels."
    )


def _fetch_difumo(n_components, resolution_mm, data_dir):
    if n_components not in DIFUMO_DIMENSIONS:
        raise ValueError(
            f"DiFuMo has no version with n_components={n_components}; choose one of "
            f"{', '.join(map(str, DIFUMO_DIMENSIONS))}, or atlas='geometric', which "
            "takes any number."
        )
    try:
        fetched = fetch_atlas_difumo(
            dimension=n_components,
            resolution_mm=resolution_mm,
            data_dir=data_dir,
            verbose=0,
        )
    except (OSError, ValueError) as error:
        raise OSError(
            f"The DiFuMo atlas with {n_components} maps is not on this machine and "
            f"could not be fetched ({error}). Fetch it once where there is network and "
            "name its folder in data_dir; or use atlas='geometric', which needs no "
            "download, or the path of an atlas that you have."
        ) from error
    return fetched.maps, list(fetched.labels["difumo_names"])


def _is_labels(volume) -> bool:
    """Tell whether a volume holds several values other than zero, all whole."""
    values = np.unique(np.nan_to_num(volume))
    return np.count_nonzero(values) > 1 and np.array_equal(values, np.rint(values))


def _hash_files(img) -> str:
    """Hash the file of an image, or its two files."""
    paths = sorted({Path(held.filename) for held in img.file_map.values()})
    hashes = [hash_file(path) for path in paths]
    return hashes[0] if len(hashes) == 1 else _hash("".join(hashes).encode())


def _hash_img(img) -> str:
    """Hash values and affine of an image, one map in memory at a time."""
    maps = (
        (img.dataobj[..., index] for index in range(img.shape[3]))
        if img.ndim == 4
        else (img.dataobj,)
    )
    return _hash(str(img.shape).encode(), img.affine, *maps)


def _hash(*parts) -> str:
    digest = hashlib.sha256()
    for part in parts:
        if not isinstance(part, bytes):
            part = np.ascontiguousarray(part)
            digest.update(f"{part.dtype}{part.shape}".encode())
        digest.update(part)
    return digest.hexdigest()


def _distinct(names):
    """Add a number to later ones of equal names: columns of a table must differ."""
    seen = Counter()
    distinct = []
    for name in names:
        seen[name] += 1
        distinct.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return distinct


def hash_grid(mask_img: nib.Nifti1Image) -> str:
    """SHA-256 of a mask's voxels, shape and affine."""
    inside = np.asarray(mask_img.dataobj) > 0
    return _hash(np.packbits(inside), str(inside.shape).encode(), mask_img.affine)
