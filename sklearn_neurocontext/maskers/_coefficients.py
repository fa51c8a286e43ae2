"""What a masker of an atlas does with images and coefficients, whatever its peaks."""

import numpy as np

from .._validation import check_is_fitted
from ._checks import check_coefficients
from ._grid import write_voxels
from ._images import stream_images
from ._recipe import mass_of


class CoefficientsMixin:
    """Methods between images and coefficients; need ``_recipe`` and fitted facts."""

    @property
    def maps_img_(self):
        """The atlas on the grid: Nifti1Image of shape (nx, ny, nz, n_elements_)."""
        check_is_fitted(self)
        return write_voxels(self._recipe.maps().array.T.toarray(), self.mask_img_)

    def transform_imgs(self, imgs):
        """Turn images of maps, for example statistical ones, into coefficients.

        With ``strategy="lstsq"`` they equal those of nilearn's ``NiftiMapsMasker``, but
        the maps are factorised only once and images are read in batches of 256 MB.

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
        return write_voxels(self.coefficients_to_voxels(coefficients), self.mask_img_)

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
        coefficients = check_coefficients(coefficients, self.n_elements_)
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
