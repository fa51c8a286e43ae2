"""Select the voxels of a map that a figure shows, and interpolate the map."""

import warnings
from dataclasses import dataclass
from numbers import Real

import nibabel as nib
import numpy as np
from scipy.ndimage import distance_transform_edt, maximum_filter, minimum_filter

from .._utils.volumes import is_path, keep_strongest, open_img, resample_brain_mask

# Voxel size of the maps in figures, in mm. Their grid is that of nilearn's MNI mask.
DISPLAY_MM = 2


@dataclass(frozen=True, eq=False)
class DisplayMap:
    """Map on the grid of a figure, its threshold, and the values that are shown.

    `img` is zero outside the brain. Outside the brain, `extended_img` has the values of
    the nearest voxels of the brain; elsewhere, it equals `img`. `lowest` and `highest`
    are the extreme values that are shown. Both are zero if no voxel is shown.
    """

    img: nib.Nifti1Image
    extended_img: nib.Nifti1Image
    threshold: float
    lowest: float
    highest: float

    @property
    def is_empty(self) -> bool:
        """Whether no voxel is shown."""
        return self.lowest == self.highest == 0

    @property
    def limits(self) -> tuple[float, float]:
        """Range of the color bar. It is symmetric if both signs are shown."""
        largest = max(-self.lowest, self.highest, self.threshold)
        return (
            -largest if self.lowest < 0 else 0.0,
            largest if self.highest > 0 or self.is_empty else 0.0,
        )

    def select(self, values) -> np.ndarray:
        """Set values to zero that are beyond the range or below the threshold."""
        shown = np.abs(values) >= self.threshold
        shown &= (values > 0) | (self.lowest < 0)
        return np.where(shown, values, 0.0)


def make_display_map(img, name, *, threshold=None, top=0.1, two_sided=False):
    """Select the voxels of a map to show, and interpolate the map.

    If `threshold` is None, it is the smallest magnitude of the fraction `top` of the
    voxels. It is computed before interpolation.
    """
    img = read_map(img, name)
    inside = resample_brain_mask(img, name)
    if threshold is None:
        kept = np.abs(keep_strongest(img, top, name, two_sided).get_fdata())
        threshold = kept[kept > 0].min()
    shown = img.get_fdata()[inside]
    shown = shown[np.abs(shown) >= threshold]
    if not two_sided:
        shown = shown[shown > 0]
    masked_img, extended_img = _interpolate(img, inside)
    return DisplayMap(
        img=masked_img,
        extended_img=extended_img,
        threshold=float(threshold),
        lowest=min(0.0, float(shown.min(initial=0))),
        highest=max(0.0, float(shown.max(initial=0))),
    )


def read_map(img, name):
    """Check that an image contains a single map and return it as a 3D image."""
    if not hasattr(img, "get_fdata") and not is_path(img):
        raise TypeError(
            f"{name} must be a NIfTI image; got {type(img).__name__}. Convert "
            "coefficients to an image with KDEDiFuMoMasker.inverse_transform."
        )
    img = open_img(img, name)
    if len(img.shape) == 4 and img.shape[3] == 1:
        img = img.slicer[..., 0]
    if len(img.shape) != 3:
        raise ValueError(
            f"{name} must contain one 3D map; got shape {img.shape}. If it contains "
            "several maps, select map i with img.slicer[..., i]."
        )
    if not np.isfinite(img.get_fdata()).all():
        raise ValueError(f"{name} contains NaN or infinity. Set these voxels to 0.")
    return img


def check_threshold(threshold) -> None:
    """Check that a threshold is None or a positive number."""
    if threshold is None:
        return
    is_number = isinstance(threshold, Real) and not isinstance(threshold, bool)
    if not is_number or not 0 < threshold < np.inf:
        raise ValueError(
            f"threshold must be a positive number; got {threshold!r}. Try 3 for a z "
            "map."
        )


def _interpolate(img, inside):
    """Interpolate a map on the grid of figures; return it with and without a mask."""
    from nilearn.datasets import load_mni152_brain_mask
    from nilearn.image import resample_to_img

    mask_img = load_mni152_brain_mask(resolution=DISPLAY_MM)

    def resample(values, interpolation):
        """Return values on the grid of figures."""
        with warnings.catch_warnings():
            # nilearn warns if the map is a mask, for example of a region.
            warnings.filterwarnings("ignore", "Resampling binary images")
            resampled_img = resample_to_img(
                nib.Nifti1Image(values, img.affine),
                mask_img,
                interpolation=interpolation,
                copy_header=True,
                force_resample=True,
            )
        return resampled_img.get_fdata()

    # If values outside the brain were zero, the interpolated map would decrease toward
    # the border of the brain, and oscillate there.
    nearest = distance_transform_edt(
        ~inside, return_distances=False, return_indices=True
    )
    volume = img.get_fdata()[tuple(nearest)]
    # Cubic splines can exceed the values between which they interpolate. The extremes
    # of the map would then be at other places.
    low, high = (
        resample(find(volume, size=3), "nearest")
        for find in (minimum_filter, maximum_filter)
    )
    extended = np.clip(resample(volume, "continuous"), low, high)
    masked = np.where(mask_img.get_fdata() > 0, extended, 0.0)
    return tuple(nib.Nifti1Image(one, mask_img.affine) for one in (masked, extended))
