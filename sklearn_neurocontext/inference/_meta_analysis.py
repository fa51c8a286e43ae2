"""Coordinate-based meta-analysis of the studies of a corpus, computed by NiMARE."""

import tempfile
import warnings
from pathlib import Path

from .._utils.packages import import_optional

_ESTIMATORS = {"ale": "ALE", "mkda": "MKDADensity"}


def run_meta_analysis(corpus, meta_analysis="ale", *, default_n_subjects=20) -> dict:
    """Run a coordinate-based meta-analysis of the peaks of a corpus with NiMARE.

    Parameters
    ----------
    corpus : Bunch
        A corpus returned by a loader of this package. Each row is a study. Rows without
        a peak are omitted.
    meta_analysis : {"ale", "mkda"}, default="ale"
        Method. ``"ale"`` is activation likelihood estimation. Its kernel is narrower
        for studies with more subjects. ``"mkda"`` is multilevel kernel density
        analysis. Its kernel is a sphere with a radius of 10 mm.
    default_n_subjects : int, default=20
        Number of subjects that is assumed for studies whose number of subjects is
        unknown. Only ``"ale"`` depends on numbers of subjects.

    Returns
    -------
    maps : dict of str to Nifti1Image of shape (91, 109, 91)
        The map with the key ``stat`` is the statistic. For ``"ale"``, it is the ALE
        value. For ``"mkda"``, it is the number of studies that report a peak within 10
        mm of the voxel. The map with the key ``z`` contains z values of this statistic.
        They are computed from the distribution of the statistic for peaks at random
        locations, and are not corrected for multiple comparisons over voxels.

    Raises
    ------
    ImportError
        If NiMARE is not installed, or if it does not work with the installed version
        of nilearn.
    ValueError
        If `meta_analysis` is invalid, or if no row has a peak.

    See Also
    --------
    sklearn_neurocontext.datasets.select_studies : Select studies of a corpus.

    References
    ----------
    Salo et al., NiMARE: Neuroimaging meta-analysis research environment, 2022.

    Eickhoff et al., Activation likelihood estimation meta-analysis revisited,
    NeuroImage 2012. Wager et al., Meta-analysis of functional neuroimaging data, Social
    Cognitive and Affective Neuroscience 2007 (MKDA).

    Examples
    --------
    >>> from sklearn_neurocontext.datasets import make_studies
    >>> from sklearn_neurocontext.inference import run_meta_analysis
    >>> corpus = make_studies(30, random_state=0)
    >>> run_meta_analysis(corpus)["z"].shape  # doctest: +SKIP
    (91, 109, 91)
    """
    if meta_analysis not in _ESTIMATORS:
        raise ValueError(
            f"meta_analysis must be 'ale' or 'mkda'; got {meta_analysis!r}."
        )
    with warnings.catch_warnings():
        # Deprecation warnings of NiMARE and its dependencies do not concern users.
        warnings.simplefilter("ignore")
        import_optional("nimare", extra="demo")
        from nimare.meta import cbma
        from nimare.studyset import Studyset

        # The subpackage datasets is imported here, because the other functions of
        # inference do not need it.
        from ..datasets import write_nimare_studyset

        with tempfile.TemporaryDirectory() as folder:
            path = write_nimare_studyset(
                corpus,
                Path(folder) / "studies.json",
                default_n_subjects=default_n_subjects,
            )
            studies = Studyset(str(path))
        estimator = getattr(cbma, _ESTIMATORS[meta_analysis])()
        result = estimator.fit(studies)
        return {name: result.get_map(name) for name in ("stat", "z")}
