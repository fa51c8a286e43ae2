"""A fitted model ready to use: maps of texts, and decoding of maps."""

import warnings
from numbers import Integral, Real

import nibabel as nib
import numpy as np
import pandas as pd
from scipy.sparse import issparse
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import normalize

from .._utils.validation import check_is_fitted, check_texts, innermost_model
from .._utils.volumes import smooth_voxels, voxels_to_imgs
from ..models import TextBrainEnsemble
from ._decoding import IndexedStudies, cosines, rank_candidates
from ._storage import find_folder, read_folder, write_folder
from ._terms import mark_terms, term_shares


class LowConfidenceWarning(UserWarning):
    """The predicted map of a text does not differ clearly from the mean map."""


class NeuroContextModel:
    """Predict brain maps of texts, and decode brain maps into terms, studies or texts.

    It holds any fitted model of this package. The model that comes with the package,
    which `from_pretrained` loads by default, is ridge regression (for maps) and kernel
    CCA (for comparisons) on word features and MiniLM embeddings; it is not the
    contrastive network.

    The interface is that of ``neuroquery.NeuroQueryModel``: ``model(text)`` and
    ``model.transform(texts)`` return dictionaries with the same keys.

    Parameters
    ----------
    model : Pipeline or TextBrainEnsemble
        Fitted; takes texts and ends in an estimator of this package that predicts.
    masker : KDEDiFuMoMasker
        Fitted; the one that computed the model's coefficients.
    smoothing_fwhm : float, default=0.0
        Full width at half maximum of the Gaussian that smooths predicted maps, in mm;
        with a `mean_map`, it smooths only the difference from it.
    terms : dict of str to int or None, default=None
        Terms, in lower case, and the number of training studies of each; for
        `similar_words`, `highlighted_text` and `decode`.
    mean : array-like of shape (n_components,) or None, default=None
        Mean of the training studies' coefficients, scaled as the model predicts them.
    mean_map : array-like of shape (n_voxels,) or None, default=None
        Mean density of the same studies at each voxel of the mask, in the same unit.
        Needs `mean`.
    quadratic_coef : float, default=0.0
        Coefficient of the quadratic term that corrects the shrinkage of large
        differences from the mean map, see `transform`; not below zero. Needs `mean`.
    null_std : array-like of shape (n_voxels,) or None, default=None
        Null standard deviation of predicted maps, by which z maps are divided, see
        `training_statistics`.
    z_threshold : float, default=0.0
        A text whose largest z is below this threshold raises a warning; 0 never warns.
    reference : array-like of shape (n_studies, n_components) or None, default=None
        Coefficients of training studies, for the p values of `decode`.
    term_features : array-like of shape (n_terms, n_features) or None, default=None
        Features of the terms, computed by the steps before the last; None computes them
        when first needed.
    unit_maps : bool, default=False
        Whether the model was fitted with ``y_scaling=None`` to coefficients of norm
        one; if so, maps are scaled to norm one before they are compared with texts.
    card : dict or None, default=None
        Metadata of the model and its training.

    Attributes
    ----------
    model, masker, smoothing_fwhm, terms, quadratic_coef, z_threshold, unit_maps, card
        The parameters.
    mean_map : ndarray of shape (n_voxels,) or None
        The parameter; without it, the smoothed map of `mean`.
    studies : IndexedStudies or None
        Studies of the corpus that was passed to `index_corpus`.

    Raises
    ------
    TypeError
        If `model` is not such a model.
    NotFittedError
        If the model or the masker is not fitted.
    ValueError
        If the masker has another number of maps than the model predicts, an array has
        another shape or holds NaN, a number is below zero, or `mean` is missing where
        it is needed.

    See Also
    --------
    sklearn_neurocontext.inference.fit_model : Fit an estimator and its statistics.
    sklearn_neurocontext.persistence.save_model : Save any fitted model.

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
        quadratic_coef=0.0,
        null_std=None,
        z_threshold=0.0,
        reference=None,
        term_features=None,
        unit_maps=False,
        card=None,
    ):
        _check_model(model)
        check_is_fitted(masker)
        self.model = model
        self.masker = masker
        n_components, n_voxels = self._check_components()
        self.smoothing_fwhm = _check_number("smoothing_fwhm", smoothing_fwhm)
        self.quadratic_coef = _check_number("quadratic_coef", quadratic_coef)
        self.z_threshold = _check_number("z_threshold", z_threshold)
        self.terms = _check_terms(terms)
        self.unit_maps = bool(unit_maps)
        self.card = dict(card or {})
        self.studies = None
        self._mean = _check_array("mean", mean, (n_components,))
        self._mean_map = _check_array("mean_map", mean_map, (n_voxels,))
        self._null_std = _check_array("null_std", null_std, (n_voxels,))
        self._reference = _check_array("reference", reference, (None, n_components))
        shape = (len(self.terms), None)
        self._term_features = _check_array("term_features", term_features, shape)
        self._check_mean()

    @classmethod
    def from_pretrained(
        cls, name_or_directory="minilm", *, device=None, allow_download=False
    ):
        """Load the model that comes with the package, or a saved one.

        The model of the package, ``"minilm"``, is ridge regression and kernel CCA on
        word features and MiniLM embeddings, not the contrastive network. It needs the
        extra ``minilm`` of the package and no network connection. Its training data,
        scores and limits are in its card (``README.md`` in its folder) and in `card`.

        Parameters
        ----------
        name_or_directory : str or path-like, default="minilm"
            ``"minilm"``, or the folder that `save` or ``neurocontext fit`` wrote.
        device : str or None, default=None
            Torch device; None takes the saved one.
        allow_download : bool, default=False
            Whether a language model or DiFuMo that is not on this machine may be
            downloaded; by default, nothing connects to the network.

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
            If its files were altered, or the language model or atlas is not the one
            that it was trained with.
        """
        folder = find_folder(name_or_directory)
        return cls(**read_folder(folder, device, allow_download=allow_download))

    def save(self, directory, *, half=False, overwrite=False):
        """Save the model in a folder, as safetensors and JSON.

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
            If model, masker or card cannot be saved; the message names the part.
        """
        statistics = {
            "smoothing_fwhm": self.smoothing_fwhm,
            "terms": self.terms,
            "mean": self._mean,
            "mean_map": self._mean_map,
            "quadratic_coef": self.quadratic_coef,
            "null_std": self._null_std,
            "z_threshold": self.z_threshold,
            "reference": self._reference,
            "term_features": self._dense_term_features(),
            "unit_maps": self.unit_maps,
            "card": self.card,
        }
        return write_folder(
            directory,
            self.model,
            self.masker,
            half=half,
            overwrite=overwrite,
            statistics=statistics,
        )

    def __call__(self, text):
        """Predict the map of one text, with its most similar terms and studies.

        Parameters
        ----------
        text : str
            Of any length.

        Returns
        -------
        result : dict
            ``brain_map`` and ``z_map`` as in `transform`, ``similar_words`` if the
            model has terms, ``similar_documents`` (None without a corpus) and
            ``highlighted_text``.

        Raises
        ------
        TypeError, ValueError
            If `text` is not a string, or is blank.

        Warns
        -----
        LowConfidenceWarning
            As `transform`.
        """
        if not isinstance(text, str):
            raise TypeError(
                f"text must be one string; got {type(text).__name__}. For several "
                "texts use transform(texts)."
            )
        result = {name: imgs[0] for name, imgs in self.transform([text]).items()}
        if self.terms:
            result["similar_words"] = self.similar_words(text)
        found = None if self.studies is None else self.similar_documents(text)
        result["similar_documents"] = found
        result["highlighted_text"] = self.highlighted_text(text)
        return result

    def predict_img(self, texts):
        """Predict the brain map of each text.

        Parameters
        ----------
        texts : sequence of str
            Of any length.

        Returns
        -------
        maps_img : Nifti1Image of shape (nx, ny, nz, n_texts)
            The ``brain_map`` of `transform` of each text: expected density of peaks in
            a study with this text, in the unit that the model was fitted to.

        Raises
        ------
        TypeError, ValueError
            If `texts` is not a sequence of strings, or one is blank.

        Warns
        -----
        LowConfidenceWarning
            As `transform`.
        """
        return nib.concat_images(self._to_imgs(self._predict_voxels(texts)[0]))

    def transform(self, texts):
        r"""Predict brain maps, and z maps of their differences from the mean map.

        With d, the smoothed difference of the predicted map from the mean of the
        training studies, brain map m and z map are

        .. math::

            m(v) = \bar m(v) + d(v) + c\, \frac{\max(d(v), 0)^2}{\mu}, \qquad
            z(v) = \frac{d(v)}{s(v)}

        at each voxel v. The mean map :math:`\bar m`, whose mean is :math:`\mu`, is
        `mean_map`; without it, the smoothed map of the mean coefficients, so that m is
        the smoothed prediction if the coefficient c, `quadratic_coef`, is zero. A
        regression shrinks all differences alike; the quadratic term corrects the
        largest.

        s is `null_std`, the null standard deviation of d, estimated by refitting the
        model to permuted text-map pairs, see `training_statistics`. z is not corrected
        for the number of voxels. The maps of single words vary more than those of
        titles, on which s is estimated.

        Parameters
        ----------
        texts : sequence of str
            Of any length.

        Returns
        -------
        maps : dict of str to list of Nifti1Image of shape (nx, ny, nz)
            ``brain_map``, and ``z_map`` if the model has `mean` and `null_std`; one
            image per text.

        Raises
        ------
        TypeError, ValueError
            If `texts` is not a sequence of strings, or one is blank.

        Warns
        -----
        LowConfidenceWarning
            For each text whose largest z is below `z_threshold`.
        """
        brain_maps, z_maps = self._predict_voxels(texts)
        maps = {"brain_map": self._to_imgs(brain_maps)}
        if z_maps is not None:
            maps["z_map"] = self._to_imgs(z_maps)
        return maps

    def low_confidence_message(self, z_img) -> str:
        """Return a warning message if a map does not differ clearly from the mean map.

        Parameters
        ----------
        z_img : Nifti1Image of shape (nx, ny, nz)
            The ``z_map`` of a text, from `transform` or from a call.

        Returns
        -------
        message : str
            A sentence with the largest z and `z_threshold`, for figures and pages;
            empty if a voxel reaches the threshold, or if the threshold is 0.

        Examples
        --------
        >>> from sklearn_neurocontext import NeuroContextModel
        >>> model = NeuroContextModel.from_pretrained()  # doctest: +SKIP
        >>> z_img = model("finger tapping")["z_map"]  # doctest: +SKIP
        >>> model.low_confidence_message(z_img)  # doctest: +SKIP
        ''
        """
        inside = np.asarray(self.masker.mask_img_.dataobj) > 0
        largest = np.asarray(z_img.dataobj)[inside].max()
        return self._low_confidence("this map", largest)

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
            True for all texts if the model is an ensemble or uses a language model.

        Raises
        ------
        TypeError, ValueError
            If `texts` is not a sequence of strings, or one is blank.
        """
        texts = check_texts(texts)
        if not self._has_features:
            return np.ones(len(texts), dtype=bool)
        return np.asarray(abs(self._features(texts)).sum(axis=1)).ravel() > 0

    def similar_words(self, text):
        """Compare a text with the terms that the model knows.

        Parameters
        ----------
        text : str
            Of any length.

        Returns
        -------
        words : DataFrame
            Indexed by term, sorted by ``weight_in_brain_map`` in descending order: the
            cosine between the predicted maps of term and text after subtraction of the
            mean map. ``similarity`` is the cosine of the texts' features (absent if the
            model is an ensemble), ``weight_in_query`` the share of the term among the
            known terms in the text, ``n_documents`` the number of training studies with
            the term.

        Raises
        ------
        TypeError, ValueError
            If `text` is not a string or is blank, or the model knows no terms.
        """
        texts = check_texts([text], "text")
        query, known = self._features(texts), self._known_features()
        mean = 0 if self._mean is None else self._mean
        shares = term_shares(text, self.terms)
        columns = {"similarity": cosines(known, query)} if self._has_features else {}
        columns |= {
            "weight_in_brain_map": cosines(
                self._last.predict(known) - mean, self._last.predict(query) - mean
            ),
            "weight_in_query": [shares.get(term, 0.0) for term in self.terms],
            "n_documents": list(self.terms.values()),
        }
        words = pd.DataFrame(columns, index=pd.Index(list(self.terms), name="term"))
        return words.sort_values("weight_in_brain_map", ascending=False, kind="stable")

    def highlighted_text(self, text) -> str:
        """Mark the terms that the model knows in a text.

        Parameters
        ----------
        text : str
            Of any length.

        Returns
        -------
        marked : str
            HTML with ``<mark>`` elements; everything else is escaped.

        Raises
        ------
        TypeError, ValueError
            If `text` is not a string, or is blank.
        """
        return mark_terms(*check_texts([text], "text"), self.terms)

    def index_corpus(self, corpus):
        """Index the studies of a corpus, for `similar_documents` and `decode`.

        The coefficients of the studies, and the features of their titles once
        ``decode(img, "studies")`` needs them, are kept in the package's cache folder
        (named by the environment variable ``NEUROCONTEXT_CACHE`` if it is set), under
        hashes of corpus and model. Altered files are detected and computed again.

        Parameters
        ----------
        corpus : Bunch
            As returned by a loader of `sklearn_neurocontext.datasets`.

        Returns
        -------
        self : NeuroContextModel
            Studies without a title or a peak inside the mask are left out.

        Raises
        ------
        ValueError
            If no study is left.
        OSError
            If the cache folder cannot be written to.

        Warns
        -----
        UserWarning
            If a file in the cache was altered and is computed again.

        Examples
        --------
        >>> from sklearn_neurocontext import NeuroContextModel
        >>> from sklearn_neurocontext.datasets import fetch_neuroquery
        >>> model = NeuroContextModel.from_pretrained("my_model")  # doctest: +SKIP
        >>> model.index_corpus(fetch_neuroquery())  # doctest: +SKIP
        >>> model.similar_documents("finger tapping", k=5)  # doctest: +SKIP
        """
        self.studies = IndexedStudies(corpus, self.masker)
        return self

    def similar_documents(self, text, *, k=100):
        """Find the studies whose maps match a text best.

        Parameters
        ----------
        text : str
            Of any length.
        k : int, default=100
            Number of studies.

        Returns
        -------
        documents : DataFrame
            Columns ``study_id``, ``pmid``, ``title``, ``year``, ``journal``,
            ``similarity``; the best first.

        Raises
        ------
        TypeError, ValueError
            If `text` is not a string or is blank, `k` is not a positive integer, or
            `index_corpus` was not called.
        """
        texts = check_texts([text], "text")
        studies = self._indexed()
        similarity = self._similarity(self._features(texts), studies.coefficients)
        return studies.best(similarity[0], _check_count("k", k))

    def decode(self, img, candidates="terms", *, k=20):
        """Rank terms, studies or texts by their similarity with a brain map.

        Parameters
        ----------
        img : Nifti image or path-like
            One map in MNI space, on any grid.
        candidates : {"terms", "studies"} or sequence of str, default="terms"
            The terms that the model knows, the titles of the corpus that was passed to
            `index_corpus`, or any texts.
        k : int, default=20
            Number of candidates to return.

        Returns
        -------
        ranking : DataFrame
            Columns ``candidate``, ``similarity``, ``p_value`` and ``q_value``, the best
            first. q values are corrected for all candidates, not only the k best. The
            null distribution of the p value is the similarity of candidates with maps
            of training studies: a small p value means that this map matches better than
            the map of a study usually does.

        Raises
        ------
        ValueError
            If `img` holds several maps or only zeros, or the model has no reference
            studies, terms or corpus where they are needed.
        """
        if self._reference is None:
            raise ValueError(
                "This model has no reference maps, which p values need. Pass reference "
                "to NeuroContextModel, or load a model that has them."
            )
        k = _check_count("k", k)
        coefficients = self.masker.transform_imgs(img)
        if len(coefficients) != 1:
            raise ValueError(
                f"img must hold one map; got {len(coefficients)}. Decode several one "
                "by one: nilearn.image.index_img(img, i)."
            )
        if not coefficients.any():
            raise ValueError(
                "img holds only zeros or NaN inside the brain. Check that its affine "
                "is in mm and in MNI space."
            )
        names, features = self._candidates(candidates)
        ranking = rank_candidates(
            names,
            self._similarity(features, coefficients)[:, 0],
            lambda rows: self._similarity(features[rows], self._reference),
        )
        return ranking.head(k)

    @property
    def mean_map(self):
        """Mean density at each voxel of the mask; None for a model without `mean`."""
        if self._mean_map is None and self._mean is not None:
            return self._smooth(self._mean[None])[0]
        return self._mean_map

    @property
    def _last(self):
        """The estimator that predicts from features, or from the texts themselves."""
        return self.model[-1] if isinstance(self.model, Pipeline) else self.model

    @property
    def _has_features(self) -> bool:
        """Whether texts have features; each estimator of an ensemble has its own."""
        return isinstance(self.model, Pipeline) and len(self.model) > 1

    def _features(self, texts):
        """Return the features of texts, or the texts, as (n_texts, ...)."""
        if not self._has_features:
            return np.array(texts, dtype=object)
        features = self.model[:-1].transform(texts)
        return features.tocsr() if issparse(features) else features

    def _similarity(self, features, coefficients):
        """Return the similarity of texts with maps, as (n_texts, n_maps)."""
        if self.unit_maps:
            coefficients = normalize(coefficients)
        return self._last.similarity(features, coefficients)

    def _predict_voxels(self, texts):
        """Return brain maps, and z maps or None, each as (n_texts, n_voxels)."""
        texts = check_texts(texts)
        coefficients = self._last.predict(self._features(texts))
        if self._mean is None:
            return self._smooth(coefficients), None
        differences, z = self._smooth(coefficients - self._mean), None
        if self._null_std is not None:
            std = np.where(self._null_std > 0, self._null_std, np.inf)
            z = differences / std
            self._warn_low_confidence(texts, z)
        if self._mean_map is None and self.quadratic_coef == 0:
            return self._smooth(coefficients), z
        return expected_density(self.mean_map, differences, self.quadratic_coef), z

    def _smooth(self, coefficients):
        """Return the smoothed maps of coefficients, as (n_maps, n_voxels)."""
        voxels = self.masker.coefficients_to_voxels(coefficients)
        return smooth_voxels(voxels, self.masker.mask_img_, self.smoothing_fwhm)

    def _to_imgs(self, voxels):
        return voxels_to_imgs(voxels, self.masker.mask_img_)

    def _warn_low_confidence(self, texts, z):
        for text, largest in zip(texts, z.max(axis=1), strict=True):
            message = self._low_confidence(f"the map of {text[:60]!r}", largest)
            if message:
                warnings.warn(message, LowConfidenceWarning, stacklevel=4)

    def _low_confidence(self, name, largest) -> str:
        """Return a message if the largest z of a map is below the threshold."""
        if largest >= self.z_threshold or self.z_threshold == 0:
            return ""
        return (
            f"No voxel of {name} exceeds the null (largest z {largest:.1f}, threshold "
            f"{self.z_threshold:.1f}). The model may not know these words."
        )

    def _candidates(self, candidates):
        """Return the names and the features of candidates."""
        if isinstance(candidates, str) and candidates == "terms":
            return list(self.terms), self._known_features()
        if isinstance(candidates, str) and candidates == "studies":
            studies = self._indexed()
            steps = self.model[:-1] if self._has_features else None
            return studies.titles, studies.features(self._features, steps)
        if isinstance(candidates, str):
            raise TypeError(
                "candidates must be 'terms', 'studies' or a list of texts; got "
                f"{candidates!r}. For one text pass a list: [{candidates!r}]."
            )
        texts = check_texts(candidates, "candidates")
        return texts, self._features(texts)

    def _known_features(self):
        """Return the features of the terms, computed once."""
        if not self.terms:
            raise ValueError(
                "This model knows no terms. Pass terms to NeuroContextModel, or load a "
                "model that has them."
            )
        if self._term_features is None:
            features = self._features(list(self.terms))
            if features.dtype.kind == "f":
                features = features.astype(np.float32)  # as after saving and loading
            self._term_features = features
        return self._term_features

    def _dense_term_features(self):
        """Return the features of the terms if they are dense; None if not."""
        if not self.terms or not self._has_features:
            return None
        features = self._known_features()
        return None if issparse(features) else features

    def _indexed(self):
        if self.studies is None:
            raise ValueError(
                "This model has no studies yet. Load or fetch a corpus and pass it to "
                "index_corpus(corpus)."
            )
        return self.studies

    def _check_components(self) -> tuple[int, int]:
        """Return the numbers of components and voxels; check that the masker fits."""
        n_components = _innermost(self._last).n_components_
        if n_components != self.masker.n_elements_:
            raise ValueError(
                f"The model predicts {n_components} coefficients and the masker has "
                f"{self.masker.n_elements_} maps. Pass the masker whose coefficients "
                "the model was fitted to."
            )
        return n_components, int(np.count_nonzero(self.masker.mask_img_.dataobj))

    def _check_mean(self):
        """Check that the mean is there if it is needed, and its map positive."""
        needs_mean = self._mean_map is not None or self.quadratic_coef > 0
        if needs_mean and self._mean is None:
            raise ValueError(
                "mean_map and quadratic_coef need mean, the mean of the training "
                "studies' coefficients. Pass mean as well."
            )
        if self.quadratic_coef > 0 and not self.mean_map.mean() > 0:
            raise ValueError(
                f"quadratic_coef={self.quadratic_coef:g} needs a mean map with a "
                "positive mean. Check mean and mean_map."
            )


def _check_model(model) -> None:
    """Check that a model is fitted, takes texts and predicts coefficients."""
    last = model[-1] if isinstance(model, Pipeline) else model
    if not (
        isinstance(model, Pipeline | TextBrainEnsemble) and hasattr(last, "predict")
    ):
        raise TypeError(
            "model must be a fitted Pipeline from texts to an estimator that predicts "
            "coefficients, for example make_pipeline(LLMChunkEmbedder(), "
            "CCABaseline()), or a TextBrainEnsemble of such pipelines; got a "
            f"{type(model).__name__}."
        )
    check_is_fitted(last)


def _innermost(estimator):
    """Return the model inside an estimator, or inside the first one of an ensemble."""
    model = innermost_model(estimator)
    if isinstance(model, TextBrainEnsemble):
        return _innermost(model.estimators_[0])
    return model


def _check_array(name: str, array, shape: tuple):
    """Return an array as float32, or None; None in its shape stands for any number."""
    if array is None:
        return None
    array = np.asarray(array, dtype=np.float32)
    fits = array.ndim == len(shape) and all(
        wanted in (None, n) for wanted, n in zip(shape, array.shape, strict=True)
    )
    if not fits:
        words = ", ".join("any" if n is None else str(n) for n in shape)
        raise ValueError(f"{name} must have shape ({words}); got {array.shape}.")
    if not np.isfinite(array).all():
        raise ValueError(
            f"{name} holds NaN or infinity. Check the data that it was computed from."
        )
    return array


def _check_number(name: str, value) -> float:
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    if not is_number or not 0 <= value < np.inf:
        raise ValueError(f"{name} must be a number of at least 0; got {value!r}.")
    return float(value)


def _check_count(name: str, value) -> int:
    if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
        raise ValueError(f"{name} must be a positive integer; got {value!r}.")
    return int(value)


def _check_terms(terms) -> dict:
    """Return terms and their numbers of studies, checked; None stands for no terms."""
    terms = dict(terms or {})
    for term, n_studies in terms.items():
        words = " ".join(str(term).lower().split())
        is_count = isinstance(n_studies, Integral) and not isinstance(n_studies, bool)
        if term != words or not words or not is_count or n_studies < 0:
            raise ValueError(
                "terms must map terms in lower case, their words separated by one "
                f"space, to numbers of studies; got {term!r}: {n_studies!r}."
            )
    return {term: int(n_studies) for term, n_studies in terms.items()}


def expected_density(mean_map, differences, quadratic_coef: float) -> np.ndarray:
    r"""Compute expected densities from predicted differences from a mean map.

    .. math:: m(v) = \bar m(v) + d(v) + c\, \frac{\max(d(v), 0)^2}{\mu}

    with the mean map :math:`\bar m`, its mean :math:`\mu` over voxels, the difference d
    and the quadratic coefficient c. A regression shrinks all differences alike, so that
    large ones are too small; with a log link, as in coordinate-based meta-regression,
    :math:`\mu \exp(d / \mu) \approx \mu + d + d^2 / 2 \mu`, where c is one half.

    Parameters
    ----------
    mean_map : ndarray of shape (n_voxels,)
        Mean density of studies; its mean is positive if c is not zero.
    differences : ndarray of shape (n_maps, n_voxels)
        Predicted differences, in the unit of the mean map.
    quadratic_coef : float
        Coefficient c, not below zero.

    Returns
    -------
    densities : ndarray of shape (n_maps, n_voxels)
        In the same unit.

    References
    ----------
    Yu et al., Neuroimaging meta regression for coordinate based meta analysis data with
    a spatial model, Biostatistics 2024: the log link.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_neurocontext.inference._neurocontext_model import expected_density
    >>> expected_density(np.array([1.0, 3.0]), np.array([[2.0, -1.0]]), 0.5)
    array([[4., 2.]])
    """
    densities = mean_map + differences
    if quadratic_coef > 0:
        scale = quadratic_coef / mean_map.mean()
        densities = densities + scale * np.maximum(differences, 0) ** 2
    return densities
