"""From text to brain map and back, called as NeuroQuery is."""

import numpy as np
from scipy.sparse import issparse

from .._utils.validation import check_is_fitted, check_texts
from ._arrays import check_array, check_number, check_terms
from ._lookup import LookupMixin
from ._maps import MapsMixin
from ._predictor import Predictor
from ._storage import find_folder, read_folder, write_folder


class NeuroContextModel(MapsMixin, LookupMixin):
    """Brain maps of texts, and the terms, studies or texts that match a brain map.

    It is called as ``neuroquery.NeuroQueryModel`` is: ``model(text)`` and
    ``model.transform(texts)`` give dictionaries with the same keys.

    Parameters
    ----------
    model : Pipeline or TextBrainEnsemble
        Fitted; takes texts and ends in an estimator of this package that predicts.
    masker : KDEDiFuMoMasker
        Fitted; the one that made the model's coefficients.
    smoothing_fwhm : float, default=0.0
        Full width at half maximum of the Gaussian that smooths predicted maps, in mm;
        where there is a `mean_map`, it smooths the deviation from it alone.
    terms : dict of str to int or None, default=None
        Terms, in lower case, and the number of training studies of each; for
        `similar_words`, `highlighted_text` and `decode`.
    mean : array-like of shape (n_components,) or None, default=None
        Mean of the training studies' coefficients, as the model predicts them.
    mean_map : array-like of shape (n_voxels,) or None, default=None
        Mean of the same studies' densities, as fine as voxels, in the unit of what
        the masker makes of coefficients. Needs `mean`.
    curvature : float, default=0.0
        How much large deviations from the mean map are stretched, see `transform`; not
        below zero. Needs `mean`.
    z_scale : array-like of shape (n_voxels,) or None, default=None
        What z maps divide by, see `transform`.
    z_threshold : float, default=0.0
        A text is warned about where its largest z is below; 0 never warns.
    reference : array-like of shape (n_studies, n_components) or None, default=None
        Coefficients of studies, for the p values of `decode`.
    term_features : array-like of shape (n_terms, n_features) or None, default=None
        What the steps before the last make of the terms; None computes them when
        first needed.
    unit_maps : bool, default=False
        Whether the model was fitted with ``y_scaling=None`` to coefficients of norm
        one: then maps are scaled so before they are compared with texts.
    card : dict or None, default=None
        What is known of the training.

    Attributes
    ----------
    model, masker, smoothing_fwhm, terms, curvature, z_threshold, unit_maps, card
        As given.
    studies : IndexedStudies or None
        Those of the corpus that `index_corpus` was given.

    Raises
    ------
    TypeError
        If `model` is no such model.
    NotFittedError
        If model or masker are not fitted.
    ValueError
        If the masker has other maps than the model predicts, an array has another shape
        or holds NaN, a number is below zero, or `mean` is missing where it is needed.

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
    >>> model = NeuroContextModel.from_pretrained()  # doctest: +SKIP
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
        mean_map=None,
        curvature=0.0,
        z_scale=None,
        z_threshold=0.0,
        reference=None,
        term_features=None,
        unit_maps=False,
        card=None,
    ):
        self._predictor = Predictor(model, unit_maps)
        check_is_fitted(masker)
        if self._predictor.n_components != masker.n_elements_:
            raise ValueError(
                f"The model predicts {self._predictor.n_components} coefficients and "
                f"the masker has {masker.n_elements_} maps. Pass the masker whose "
                "coefficients the model was fitted to."
            )
        self.model = model
        self.masker = masker
        self.smoothing_fwhm = check_number(
            "smoothing_fwhm", smoothing_fwhm, "millimetres"
        )
        self.curvature = check_number("curvature", curvature, "a number")
        self.z_threshold = check_number("z_threshold", z_threshold, "a number of z")
        self.terms = check_terms(terms)
        self.unit_maps = bool(unit_maps)
        self.card = dict(card or {})
        self.studies = None
        n_voxels = int(np.count_nonzero(masker.mask_img_.dataobj))
        n_components = masker.n_elements_
        self._mean = check_array("mean", mean, (n_components,))
        self._mean_map = check_array("mean_map", mean_map, (n_voxels,))
        self._check_mean()
        self._z_scale = check_array("z_scale", z_scale, (n_voxels,))
        self._reference = check_array("reference", reference, (None, n_components))
        self._term_features = check_array(
            "term_features", term_features, (len(self.terms), None)
        )

    @classmethod
    def from_pretrained(
        cls, name_or_directory="minilm", *, device=None, allow_download=False
    ):
        """Load the model that comes with the package, or one that was saved.

        Parameters
        ----------
        name_or_directory : str or path-like, default="minilm"
            ``"minilm"`` comes with the package, needs its extra ``minilm`` and no
            network, and has its card in `card`. Else the folder that `save` or
            ``neurocontext fit`` wrote.
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
        folder = find_folder(name_or_directory)
        return cls(**read_folder(folder, device, allow_download=allow_download))

    def has_known_words(self, texts) -> np.ndarray:
        """Check whether the model knows any word of each text.

        Texts without a known word all have the mean map.

        Parameters
        ----------
        texts : sequence of str
            Of any length.

        Returns
        -------
        known : ndarray of shape (n_texts,), bool
            True for all texts where an ensemble or a language model reads them.

        Raises
        ------
        TypeError
            If `texts` is one string, or holds something else than strings.
        ValueError
            If there is no text, or a blank one.
        """
        texts = check_texts(texts)
        if not self._predictor.has_features:
            return np.ones(len(texts), dtype=bool)
        features = self._predictor.features(texts)
        return np.asarray(abs(features).sum(axis=1)).ravel() > 0

    def save(self, directory, *, half=False, overwrite=False):
        """Save in a folder, as safetensors and JSON.

        Parameters
        ----------
        directory : path-like
            Must not exist, or be empty; with `overwrite`, it may hold a saved model.
        half : bool, default=False
            Whether matrices of floats are kept with 16 bits, see `save_model`.
        overwrite : bool, default=False
            Whether to replace a model saved there earlier, which stays until the new
            one is complete. A folder that holds anything else is refused.

        Returns
        -------
        directory : Path
            The folder.

        Raises
        ------
        FileExistsError
            If `directory` holds anything that must not be replaced.
        TypeError, ValueError
            If model, masker or card cannot be saved; the message names what.
        """
        arrays = {
            "mean": self._mean,
            "mean_map": self._mean_map,
            "z_scale": self._z_scale,
            "reference": self._reference,
            "term_features": self._dense_term_features(),
        }
        return write_folder(
            directory,
            self.model,
            self.masker,
            half=half,
            overwrite=overwrite,
            facts={
                "smoothing_fwhm": self.smoothing_fwhm,
                "terms": self.terms,
                "curvature": self.curvature,
                "z_threshold": self.z_threshold,
                "unit_maps": self.unit_maps,
                "card": self.card,
            },
            arrays=arrays,
        )

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

        Raises
        ------
        TypeError
            If `text` is no string.
        ValueError
            If it is blank.

        Warns
        -----
        UserWarning
            As `transform` does.
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

    def _check_mean(self):
        """Refuse what the mean of coefficients is missing for."""
        needs_mean = self._mean_map is not None or self.curvature > 0
        if needs_mean and self._mean is None:
            raise ValueError(
                "mean_map and curvature say what to make of deviations from the mean. "
                "Pass mean, the mean of the training studies' coefficients, as well."
            )
        if self.curvature > 0 and not self._to_mean_map().mean() > 0:
            raise ValueError(
                f"curvature={self.curvature:g} divides by the mean of the mean map, "
                "which is not above zero. Check mean and mean_map."
            )

    def _dense_term_features(self):
        """Give the features of terms where they are an array, which saves computing."""
        if not self.terms or not self._predictor.has_features:
            return None
        features = self._known_features()
        return None if issparse(features) else features
