"""From text to brain map and back, called as NeuroQuery is."""

import nibabel as nib
import numpy as np
from sklearn.pipeline import Pipeline

from .._validation import check_texts
from ._arrays import check_array, smooth_voxels, voxels_to_imgs
from ._lookup import LookupMixin
from ._storage import read_folder, write_folder


class NeuroContextModel(LookupMixin):
    """Brain maps of texts, and the terms, studies or texts that match a brain map.

    It is called as ``neuroquery.NeuroQueryModel`` is: ``model(text)`` and
    ``model.transform(texts)`` give dictionaries with the same keys.

    Parameters
    ----------
    model : Pipeline
        Fitted; takes texts and ends in an estimator of this package that predicts.
    masker : KDEDiFuMoMasker
        Fitted; the one that made the model's coefficients.
    smoothing_fwhm : float, default=0.0
        Full width at half maximum of the Gaussian that smooths predicted maps, in mm.
    terms : dict of str to int or None, default=None
        Terms, in lower case, and the number of training studies of each; for
        `similar_words`, `highlighted_text` and `decode`.
    mean : array-like of shape (n_components,) or None, default=None
        Mean of the training studies' coefficients, as the model predicts them.
    z_scale : array-like of shape (n_voxels,) or None, default=None
        What z maps divide by, see `transform`.
    reference : array-like of shape (n_studies, n_components) or None, default=None
        Coefficients of studies, for the p values of `decode`.
    term_features : array-like of shape (n_terms, n_features) or None, default=None
        What the steps before the last make of the terms; None computes them when
        first needed.
    card : dict or None, default=None
        What is known of the training.

    Attributes
    ----------
    model, masker, smoothing_fwhm, terms, card
        As given.
    studies : IndexedStudies or None
        Those of the corpus that `index_corpus` was given.

    See Also
    --------
    sklearn_neurocontext.persistence.save_model : Saves any fitted model.

    References
    ----------
    Dockès et al., NeuroQuery, comprehensive meta-analysis of human brain mapping, eLife
    2020: the interface.

    Examples
    --------
    >>> from sklearn_neurocontext import NeuroContextModel
    >>> model = NeuroContextModel.from_pretrained("my_model")  # doctest: +SKIP
    >>> img = model("finger tapping")["brain_map"]  # doctest: +SKIP
    """

    def __init__(
        self,
        model,
        masker,
        *,
        smoothing_fwhm=0.0,
        terms=None,
        mean=None,
        z_scale=None,
        reference=None,
        term_features=None,
        card=None,
    ):
        if not isinstance(model, Pipeline) or not hasattr(model[-1], "predict"):
            raise TypeError(
                f"model is a {type(model).__name__}; expected a fitted Pipeline from "
                "texts to an estimator that predicts coefficients, for example "
                "make_pipeline(LLMChunkEmbedder(), CCABaseline())."
            )
        if getattr(model[-1], "y_scaling", None) == "sqrt":
            raise ValueError(
                "The model predicts square roots of coefficients (y_scaling='sqrt'), "
                "which are no map. Fit it with y_scaling='unit'."
            )
        self.model = model
        self.masker = masker
        if not (isinstance(smoothing_fwhm, int | float) and smoothing_fwhm >= 0):
            raise ValueError(
                f"smoothing_fwhm={smoothing_fwhm!r}; expected millimetres, 0 for none."
            )
        self.smoothing_fwhm = smoothing_fwhm
        self.terms = dict(terms or {})
        self.card = dict(card or {})
        self.studies = None
        n_voxels = int(np.count_nonzero(masker.mask_img_.dataobj))
        n_components = masker.n_elements_
        self._mean = check_array("mean", mean, (n_components,))
        self._z_scale = check_array("z_scale", z_scale, (n_voxels,))
        self._reference = check_array("reference", reference, (None, n_components))
        self._term_features = check_array(
            "term_features", term_features, (len(self.terms), None)
        )

    @classmethod
    def from_pretrained(cls, directory, *, device=None, allow_download=False):
        """Load a model that `save` wrote.

        Parameters
        ----------
        directory : path-like
            The folder.
        device : str or None, default=None
            Torch device; None is the one it was saved with.
        allow_download : bool, default=False
            Whether a language model or DiFuMo that is not on this machine may be
            fetched; by default, nothing connects.

        Returns
        -------
        model : NeuroContextModel
            Ready to use.

        Raises
        ------
        FileNotFoundError
            If there is no such folder.
        OSError
            If a language model or an atlas is not on this machine.
        ValueError
            If its files were altered, or language model or atlas are others than those
            it was trained with.
        """
        return cls(**read_folder(directory, device, allow_download=allow_download))

    def save(self, directory, *, half=False):
        """Save in a new folder, as safetensors and JSON.

        Parameters
        ----------
        directory : path-like
            Must not exist, or be empty.
        half : bool, default=False
            Whether matrices of floats are kept with 16 bits, see `save_model`.

        Returns
        -------
        directory : Path
            The folder.
        """
        arrays = {
            "mean": self._mean,
            "z_scale": self._z_scale,
            "reference": self._reference,
            "term_features": self._known_features() if self.terms else None,
        }
        return write_folder(
            directory,
            self.model,
            self.masker,
            half=half,
            facts={
                "smoothing_fwhm": self.smoothing_fwhm,
                "terms": self.terms,
                "card": self.card,
            },
            arrays=arrays,
        )

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
            scaled to norm one where the model has ``y_scaling="unit"``.
        """
        imgs = voxels_to_imgs(self._voxels(texts), self.masker.mask_img_)
        return nib.concat_images(imgs)

    def transform(self, texts):
        r"""Predict brain maps, and z maps that say where they differ from any text's.

        With the predicted map m, the mean map of the training studies and the residual
        variance :math:`\sigma^2` on held-out studies, both at each voxel, the z map is

        .. math:: z(v) = \frac{m(v) - \bar m(v)}{\sigma(v) \sqrt{h}},

        where h is the share of residual variance that predictions keep when texts and
        maps of the training studies are exchanged: under that null, z has variance one
        over voxels and held-out texts. It is not corrected for the number of voxels.

        Parameters
        ----------
        texts : sequence of str
            Of any length.

        Returns
        -------
        maps : dict of str to list of Nifti1Image of shape (nx, ny, nz)
            ``brain_map``, and ``z_map`` where the model has `mean` and `z_scale`; one
            image per text.
        """
        mask_img = self.masker.mask_img_
        voxels = self._voxels(texts)
        maps = {"brain_map": voxels_to_imgs(voxels, mask_img)}
        if self._z_scale is not None and self._mean is not None:
            scale = np.where(self._z_scale > 0, self._z_scale, np.inf)
            z = (voxels - self._to_voxels(self._mean[None])) / scale
            maps["z_map"] = voxels_to_imgs(z, mask_img)
        return maps

    def __call__(self, text):
        """Predict the map of one text, and say what it resembles.

        Parameters
        ----------
        text : str
            Of any length.

        Returns
        -------
        result : dict
            ``brain_map`` and ``z_map`` as in `transform`, ``similar_words`` where the
            model has terms, ``similar_documents`` (None without a corpus) and
            ``highlighted_text``.
        """
        if not isinstance(text, str):
            raise TypeError(
                f"Expected one string; got {type(text).__name__}. For several texts "
                "use transform(texts)."
            )
        result = {name: imgs[0] for name, imgs in self.transform([text]).items()}
        if self.terms:
            result["similar_words"] = self.similar_words(text)
        found = None if self.studies is None else self.similar_documents(text)
        result["similar_documents"] = found
        result["highlighted_text"] = self.highlighted_text(text)
        return result

    def _voxels(self, texts):
        return self._to_voxels(self.model.predict(check_texts(texts)))

    def _to_voxels(self, coefficients):
        voxels = self.masker.coefficients_to_voxels(coefficients)
        return smooth_voxels(voxels, self.masker.mask_img_, self.smoothing_fwhm)
