"""Read uploaded NIfTI files from memory."""

import gzip
import io
import math
import zlib

import nibabel as nib
import numpy as np

from .._utils.volumes import open_img

MAX_UPLOAD_MB = 64
# Limits of the memory that an image takes. A brain at a resolution of 0.7 mm has 22
# million voxels.
_MAX_VOXELS = 30_000_000
_MAX_BYTES = 8 * _MAX_VOXELS + 1_000_000
_GZIP_MAGIC = b"\x1f\x8b"
_HEADERS = {348: nib.Nifti1Image, 540: nib.Nifti2Image}
_ADVICE = "Upload one map in MNI space, as a .nii or .nii.gz file."


def read_nifti(content: bytes) -> nib.Nifti1Image:
    """Return the image in the bytes of a NIfTI file; its values are float32.

    ValueError is raised if the bytes are not a complete NIfTI file, if the image has
    several volumes, or if it has infinite values or only zeros and NaN.
    """
    if not content:
        raise ValueError(f"The file is empty. {_ADVICE}")
    content = _decompress(content)
    size = {int.from_bytes(content[:4], order) for order in ("little", "big")}
    kinds = [kind for n_bytes, kind in _HEADERS.items() if n_bytes in size]
    if not kinds:
        raise ValueError(f"The file is not a NIfTI file. {_ADVICE}")
    try:
        img = kinds[0].from_bytes(content)
        shape = img.shape
    except Exception as error:
        # nibabel raises errors of many types for a damaged header.
        raise ValueError(f"The header of the file cannot be read. {_ADVICE}") from error
    _check_shape(shape)
    img = open_img(img, "The uploaded image")
    try:
        values = np.asarray(img.dataobj, dtype=np.float32).reshape(shape[:3])
    except Exception as error:
        raise ValueError(
            f"The voxels of the file cannot be read. It may be truncated. {_ADVICE}"
        ) from error
    if np.isinf(values).any():
        raise ValueError("The map contains infinite values. Set these voxels to 0.")
    if not np.nan_to_num(values).any():
        raise ValueError("The map contains only zeros or NaN. Upload another map.")
    return nib.Nifti1Image(values, img.affine)


def _decompress(content: bytes) -> bytes:
    """Return the decompressed content of a gzip file, or other content unchanged."""
    if not content.startswith(_GZIP_MAGIC):
        return content
    try:
        with gzip.open(io.BytesIO(content)) as stream:
            # A small file can be very large after decompression. Therefore, only a
            # limited number of bytes is read.
            content = stream.read(_MAX_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(
            f"The file cannot be decompressed. It may be truncated. {_ADVICE}"
        ) from error
    if len(content) > _MAX_BYTES:
        raise ValueError(
            f"The file has more than {_MAX_BYTES // 10**6} MB after decompression. "
            "Resample the map to voxels of 1 mm or larger."
        )
    return content


def _check_shape(shape) -> None:
    """Check that an image has one volume and not too many voxels."""
    n_volumes = math.prod(shape[3:])
    if len(shape) < 3 or n_volumes != 1:
        found = f"{n_volumes} volumes" if len(shape) > 3 else f"{len(shape)} dimensions"
        raise ValueError(
            f"The file must contain one map of three dimensions; got {found}. Select "
            "one map, for example with nilearn.image.index_img(img, 0)."
        )
    if math.prod(shape) > _MAX_VOXELS:
        raise ValueError(
            f"The map must have at most {_MAX_VOXELS:,} voxels; got "
            f"{math.prod(shape):,}. Resample it to voxels of 1 mm or larger."
        )
