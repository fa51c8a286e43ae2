"""Convert coordinates between Talairach and MNI space; normalize names of spaces."""

import re
import unicodedata

import numpy as np
import pandas as pd

# Affine that converts MNI coordinates to Talairach coordinates, both in mm. This is the
# icbm2tal transform for images whose normalization software is unknown ("pooled").
# Lancaster et al., Bias between MNI and Talairach coordinates analyzed using the
# ICBM-152 brain template, Human Brain Mapping 2007.
_MNI_TO_TALAIRACH = np.array(
    [
        [0.9357, 0.0029, -0.0072, -1.0423],
        [-0.0065, 0.9396, -0.0726, -1.3940],
        [0.0103, 0.0752, 0.8967, 3.6475],
        [0.0, 0.0, 0.0, 1.0],
    ]
)
_TALAIRACH_TO_MNI = np.linalg.inv(_MNI_TO_TALAIRACH)

# Spellings of the spaces in uppercase labels without dots; the user guide lists them. A
# name must not be part of another word, as in "occipital" or "insomnia".
_MNI_NAME = re.compile(
    r"""(?<![AOU])MNI
    | (?<![A-Z])(?: ICBM(?![ _-]?452) | COLIN | MONTR[EÉ]AL | NEUROLOGICAL[ ]INST )""",
    re.VERBOSE,
)
_TALAIRACH_NAME = re.compile(
    r"""(?<![A-Z])(?:
        TAL(?:AI|SPACE)?(?![A-Z])
        | T(?:A|E|HA)I?L+[AEI]+R | TAIRAL      # Talairach, and frequent misspellings
        | TLRC | TT(?=\W|_|$|N27)              # AFNI's names of the space: TT_N27
        | TT?[ _-]?(?:19)?88(?!\d)             # the atlas of 1988: T88, T-88
        | T[ ]?(?:&|\+|/|AND)[ ]?T(?![A-Z])    # T&T
    ) | TOURN""",
    re.VERBOSE,
)
# AFNI adds the view +tlrc to the names of images in any standard space, MNI included.
_AFNI_VIEW = re.compile(r"\+TLRC")
_UNKNOWN = re.compile(
    r"""[\W_]*$ | MISSING
    | UN(?:K|CLEAR|DEF|SPEC|REP|STATED|CERTAIN|DETERMINED)
    | NOT?[ ](?:APPLICABLE|AVAILABLE|CLEAR|DEFINED|DESCRIBED|GIVEN|INDICATED|INFORMATION
        |KNOWN|MENTIONED|PROVIDED|REPORTED|SPECIFIED|STATED|SURE)
    | (?:NA|N/A|NAN|NR|N/R|NONE|NULL)(?![A-Z0-9])""",
    re.VERBOSE,
)
# "Converted from Talairach", "MNI, transformed" and "not MNI" do not state the space of
# the coordinates. "Converted to Talairach" does.
_UNCLEAR = re.compile(
    r"""\bFROM\b
    | \b(?:NOT|NON)[ _-]?(?:IN[ ]|A[ ])?(?:THE[ ])?(?:MNI|TAL|ICBM)
    | ^(?!.*\b(?:IN)?TO\b).*(?:CONVERT|TRANSFORMED)""",
    re.VERBOSE,
)


class CoordinateSpaceWarning(UserWarning):
    """Warning that the source does not report all peaks in MNI space."""


def talairach_to_mni(xyz) -> np.ndarray:
    """Transform coordinates from Talairach to MNI space (Lancaster et al. 2007)."""
    return _apply(_TALAIRACH_TO_MNI, xyz)


def mni_to_talairach(xyz) -> np.ndarray:
    """Transform coordinates from MNI to Talairach space (Lancaster et al. 2007)."""
    return _apply(_MNI_TO_TALAIRACH, xyz)


def _apply(affine, xyz) -> np.ndarray:
    """Apply an affine to coordinates of shape (n_peaks, 3)."""
    xyz = np.asarray(xyz, dtype=np.float64)
    if xyz.size == 0:
        return xyz.reshape(0, 3)
    if xyz.ndim != 2 or xyz.shape[1] != 3:
        raise ValueError(
            f"Coordinates have shape {xyz.shape}; expected (n_peaks, 3) with x, y, z "
            "in mm. Write a single peak as [[x, y, z]]."
        )
    return xyz @ affine[:3, :3].T + affine[:3, 3]


def normalize_spaces(labels) -> np.ndarray:
    """Return the space of each label: MNI, TAL, UNKNOWN, OTHER or MIXED."""
    series = pd.Series(np.asarray(labels, dtype=object))
    spaces = {label: _read_label(label)[0] for label in series.unique()}
    return series.map(spaces).to_numpy(dtype=object)


def find_unclear_labels(labels) -> list[str]:
    """Return the distinct labels that can be read as more than one space."""
    unique = pd.Series(np.asarray(labels, dtype=object)).unique()
    return [str(label) for label in unique if _read_label(label)[1]]


def describe_unclear_labels(labels) -> str:
    """Return a sentence that quotes unclear labels; "" if there is none."""
    if not labels:
        return ""
    shown = ", ".join(map(repr, labels[:3])) + (" …" if len(labels) > 3 else "")
    return (
        f"The coordinate space is unclear from {shown}. Such peaks are left as "
        "reported. If you know their space, replace the label by MNI or TAL."
    )


def _read_label(label) -> tuple[str, bool]:
    """Return the space of a label, and whether the label leaves the space unclear."""
    word = "" if pd.isna(label) else unicodedata.normalize("NFKC", str(label)).upper()
    word = " ".join(word.replace(".", "").split())
    # Separate the names in "MNItoTAL" and "TALMNI".
    word = re.sub(r"(MNI|TAL)(TO)?(?=MNI|TAL)", r"\1 \2 ", word)
    name = _AFNI_VIEW.sub("", word)
    is_mni, is_talairach = (
        bool(_MNI_NAME.search(name)),
        bool(_TALAIRACH_NAME.search(name)),
    )
    if is_mni and is_talairach:
        return "UNKNOWN", True
    if _UNKNOWN.match(name):
        return "UNKNOWN", name != word
    if is_mni or is_talairach:
        unclear = bool(_UNCLEAR.search(name))
        return "UNKNOWN" if unclear else "MNI" if is_mni else "TAL", unclear
    if name != word:
        return "UNKNOWN", True
    return "MIXED" if name.startswith("MIXED") else "OTHER", False
