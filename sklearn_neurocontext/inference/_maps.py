"""What a pretrained model predicts: brain maps and z maps."""

import warnings

import nibabel as nib
import numpy as np

from .._utils.validation import check_texts
from .._utils.volumes import smooth_voxels
from ._arrays import expected_density, voxels_to_imgs


class MapsMixin:
    """Methods of `NeuroContextModel` that make maps of texts."""

    def predict_img(self, texts):
        """Predict the brain map of each text.

        Parameters
        ----------
        texts : sequence of str
            Of any length.

        Returns
        -------
        maps_img : Nifti1Image of shape (nx, ny, nz, n_texts)
            Expected density of peaks in a study with this text; density of studies
            scaled to norm one where the model was fitted to such. It is the
            ``brain_map`` of `transform`.

        Raises
        ------
        TypeError
            If `texts` is one string, or holds something else than strings.
        ValueError
            If there is no text, or a blank one.

        Warns
        -----
        UserWarning
            As `transform` does.
        """
        imgs = voxels_to_imgs(self._voxels(texts)[0], self.masker.mask_img_)
        return nib.concat_images(imgs)

    def transform(self, texts):
        r"""Predict brain maps, and z maps that say where they differ from any text's.

        With d, the smoothed deviation of the predicted map from the mean of the
        training studies, brain map m and z map are

        .. math::

            m(v) = \bar m(v) + d(v) + c\, \frac{\max(d(v), 0)^2}{\mu}, \qquad
            z(v) = \frac{d(v)}{s(v)}

        at each voxel v. The mean map :math:`\bar m`, whose mean is :math:`\mu`, is
        `mean_map`; without it, the smoothed map of the mean coefficients, so that m is
        the smoothed prediction where c, the curvature, is zero. A regression shrinks
        all deviations alike; c gives the largest their height back, see
        `expected_density`.

        s is the deviation of d for held-out texts when the model was trained on
        exchanged studies, and all that it learned is chance. z is not corrected for
        the number of voxels; single words move it more than the titles that s is
        measured with.

        Parameters
        ----------
        texts : sequence of str
            Of any length.

        Returns
        -------
        maps : dict of str to list of Nifti1Image of shape (nx, ny, nz)
            ``brain_map``, and ``z_map`` where the model has `mean` and `z_scale`; one
            image per text.

        Raises
        ------
        TypeError
            If `texts` is one string, or holds something else than strings.
        ValueError
            If there is no text, or a blank one.

        Warns
        -----
        UserWarning
            If no voxel of a z map reaches `z_threshold`: the map is that of any text.
        """
        voxels, z = self._voxels(texts)
        maps = {"brain_map": voxels, "z_map": z}
        mask_img = self.masker.mask_img_
        return {
            name: voxels_to_imgs(one, mask_img)
            for name, one in maps.items()
            if one is not None
        }

    def caveat(self, z_img) -> str:
        """Say why a map is no result, where the model knows too little of its text.

        Parameters
        ----------
        z_img : Nifti1Image of shape (nx, ny, nz)
            The text's ``z_map``, of `transform` or of a call.

        Returns
        -------
        words : str
            A sentence with the largest z and `z_threshold`, for pictures and pages; it
            is empty where a voxel reaches the threshold, and where there is none.

        Examples
        --------
        >>> from sklearn_neurocontext import NeuroContextModel
        >>> model = NeuroContextModel.from_pretrained()  # doctest: +SKIP
        >>> model.caveat(model("finger tapping")["z_map"])  # doctest: +SKIP
        ''
        """
        inside = np.asarray(self.masker.mask_img_.dataobj) > 0
        largest = np.asarray(z_img.dataobj)[inside].max()
        return self._words_of_nothing("this map", largest)

    def _voxels(self, texts):
        """Give brain maps, and z maps or None, each of shape (n_texts, n_voxels)."""
        texts = check_texts(texts)
        coefficients, deviations, z = self._deviations(texts)
        if z is not None:
            self._warn_of_nothing(texts, z)
        if deviations is None or (self._mean_map is None and self.curvature == 0):
            return self._smooth(coefficients), z
        mean_map = self._to_mean_map()
        return expected_density(mean_map, deviations, self.curvature), z

    def _deviations(self, texts):
        """Give coefficients, deviations of voxels and z; None where unknown."""
        coefficients = self._predictor.coefficients(self._predictor.features(texts))
        if self._mean is None:
            return coefficients, None, None
        deviations = self._smooth(coefficients - self._mean)
        if self._z_scale is None:
            return coefficients, deviations, None
        scale = np.where(self._z_scale > 0, self._z_scale, np.inf)
        return coefficients, deviations, deviations / scale

    def _to_mean_map(self):
        """Give the map of a text that says nothing, of shape (n_voxels,)."""
        if self._mean_map is not None:
            return self._mean_map
        return self._smooth(self._mean[None])[0]

    def _smooth(self, coefficients):
        voxels = self.masker.coefficients_to_voxels(coefficients)
        return smooth_voxels(voxels, self.masker.mask_img_, self.smoothing_fwhm)

    def _warn_of_nothing(self, texts, z):
        """Warn of texts of which the model knows too little."""
        for text, largest in zip(texts, z.max(axis=1), strict=True):
            if words := self._words_of_nothing(f"the map of {text[:60]!r}", largest):
                warnings.warn(words, UserWarning, stacklevel=4)

    def _words_of_nothing(self, what, largest) -> str:
        """Give a warning where the largest z is below the threshold, else nothing."""
        if largest >= self.z_threshold or self.z_threshold == 0:
            return ""
        return (
            f"Nothing in {what} stands out from the map of any text (its largest z is "
            f"{largest:.1f}, below {self.z_threshold:.1f}); use more, or other words."
        )
