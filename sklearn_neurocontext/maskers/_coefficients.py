"""What a masker of an atlas does with images and coefficients, whatever its peaks."""

import nibabel as nib
import numpy as np
from nibabel.fileslice import canonical_slicers

from .._utils.validation import check_is_fitted
from ._grid import write_array
from ._images import stream_images
from ._recipe import mass_of


class LazyMaps:
    """Maps in place of an array, as nibabel takes them: written out when asked for.

    Parameters
    ----------
    recipe : Recipe
        Where the maps are.
    n_maps : int
        Their number.
    """

    is_proxy = True
    ndim = 4
    dtype = np.dtype(np.float32)

    def __init__(self, recipe, n_maps: int):
        self._recipe = recipe
        self.shape = (*recipe.mask_img.shape, n_maps)

    def __array__(self, dtype=None, copy=None):
        return self[:].astype(dtype or self.dtype, copy=False)

    def __getitem__(self, key):
        """Write out no maps but those that the last axis asks for."""
        *place, number = canonical_slicers(key, self.shape)
        numbers = np.arange(self.shape[3])[number]
        columns = self._recipe.maps().array[:, np.atleast_1d(numbers)]
        volume = write_array(columns.T.toarray(), self._recipe.mask_img)
        return volume[(*place, slice(None) if np.ndim(numbers) else 0)]


class CoefficientsMixin:
    """Methods between images and coefficients; need ``_recipe`` and fitted facts."""

    @property
    def maps_img_(self):
        """The atlas on the grid: Nifti1Image of shape (nx, ny, nz, n_elements_)."""
        check_is_fitted(self)
        maps = LazyMaps(self._recipe, self.n_elements_)
        # With its dtype, which nibabel would read a value for.
        return nib.Nifti1Image(maps, self.mask_img_.affine, dtype=maps.dtype)

    def transform_imgs(self, imgs):
        """Turn images of maps, for example statistical ones, into coefficients.

        With ``strategy="lstsq"`` they equal those of nilearn's
        ``NiftiMapsMasker(masker.maps_img_, mask_img=masker.mask_img_,
        resampling_target="maps")``, but the maps are factorised only once and images
        are read in batches of 256 MB. Where maps have negative values they equal it
        without its `mask_img`: with one, nilearn 0.13 leaves out the voxels where no
        map is above zero.

        Parameters
        ----------
        imgs : Nifti image, path-like, or iterable of these
            3D or 4D, in MNI space, for example statistical maps. Those on another grid
            are resampled to this one. Not-a-number counts as zero.

        Returns
        -------
        coefficients : ndarray of shape (n_images, n_elements_), float32
            One row for each volume.

        Raises
        ------
        TypeError, ValueError
            If there is no image, or one is not 3D or 4D, or not finite.
        """
        check_is_fitted(self)
        maps = self._recipe.maps()
        mean = self._recipe.strategy == "mean"
        rows = [np.zeros((0, self.n_elements_))]
        for voxels in stream_images(imgs, self.mask_img_):
            products = maps.project(voxels)
            rows.append(products / mass_of(maps) if mean else products @ maps.inverse)
        coefficients = np.concatenate(rows).astype(np.float32)
        if not len(coefficients):
            raise ValueError("imgs is empty; expected at least one image.")
        return coefficients

    def inverse_transform(self, coefficients):
        """Turn coefficients into maps: coefficients times the maps of the atlas.

        Parameters
        ----------
        coefficients : array-like of shape (n_maps, n_elements_)
            For example what a model predicts.

        Returns
        -------
        maps_img : Nifti1Image of shape (nx, ny, nz, n_maps)
            Zero outside the mask.
        """
        voxels = self.coefficients_to_voxels(coefficients)
        volume = write_array(voxels, self.mask_img_)
        return nib.Nifti1Image(volume, self.mask_img_.affine)

    def coefficients_to_voxels(self, coefficients):
        """Turn coefficients into values at the voxels of the mask.

        Parameters
        ----------
        coefficients : array-like of shape (n_maps, n_elements_)
            For example what a model predicts.

        Returns
        -------
        voxels : ndarray of shape (n_maps, n_voxels), float32
            In the order of ``mask_img_``'s true voxels.

        Raises
        ------
        ValueError
            If the coefficients are not finite, or not `n_elements_` for each map.
        """
        check_is_fitted(self)
        coefficients = _check_coefficients(coefficients, self.n_elements_)
        return self._recipe.maps().expand(coefficients)

    def get_feature_names_out(self, input_features=None):
        """Name the columns that `transform` gives.

        Parameters
        ----------
        input_features : None, default=None
            Ignored.

        Returns
        -------
        names : ndarray of shape (n_elements_,), object
            The atlas's labels.
        """
        check_is_fitted(self)
        return np.asarray(self.labels_, dtype=object)


def _check_coefficients(coefficients, n_elements: int) -> np.ndarray:
    """Check coefficients, `n_elements` for each map: (n_maps, n_elements), float32."""
    coefficients = np.asarray(coefficients, dtype=np.float32)
    if coefficients.ndim != 2 or coefficients.shape[1] != n_elements:
        raise ValueError(
            f"coefficients have shape {coefficients.shape}; expected (n_maps, "
            f"{n_elements}). A single map is written [coefficients]."
        )
    if not np.isfinite(coefficients).all():
        raise ValueError(
            "coefficients hold NaN or infinity. Check what predicted them."
        )
    return coefficients
