"""Convert coordinates between Talairach and MNI space; check units and spaces."""

import re
import unicodedata

import numpy as np
import pandas as pd

# Affine that converts MNI coordinates to Talairach coordinates, both in mm. This is the
# icbm2tal transform for images whose normalization software is unknown ("pooled").
# Source: Lancaster et al., Bias between MNI and Talairach coordinates analyzed using
# the ICBM-152 brain template, Human Brain Mapping 2007.
_MNI_TO_TALAIRACH = np.array(
    [
        [0.9357, 0.0029, -0.0072, -1.0423],
        [-0.0065, 0.9396, -0.0726, -1.3940],
        [0.0103, 0.0752, 0.8967, 3.6475],
        [0.0, 0.0, 0.0, 1.0],
    ]
)
_TALAIRACH_TO_MNI = np.linalg.inv(_MNI_TO_TALAIRACH)
# Center and radii, in mm, of an ellipsoid that contains the brain in both spaces.
_BRAIN_CENTER = np.array([0.0, -18.0, 8.0])
_BRAIN_RADII = np.array([81.0, 99.0, 86.0])
# Limits that are used to guess the unit of the coordinates of a study: mm, cm, m or
# voxels. They were chosen on the 18,000 studies of NeuroQuery and Neurosynth. With
# these limits, a warning is issued for 18 of these studies, and most of the 18 studies
# do contain voxel indices.
MIN_PEAKS = 10
_MIN_EXTENT_MM = 45  # peaks of a study span at least this distance along one axis
_MAX_CM = 12  # largest absolute coordinate in centimeters
_MAX_METERS = 0.2  # largest absolute coordinate in meters
# Typical position, in mm, of the first voxel of an MNI image. It is the mean of the
# positions in images of FSL and of SPM.
_FIRST_VOXEL = np.array([-84.0, -119.0, -71.0])
_UNITS = {
    "centimeters": "multiply them by 10",
    "meters": "multiply them by 1000",
    "voxel indices": (
        "apply the affine of their image, for example with "
        "nibabel.affines.apply_affine(img.affine, peaks)"
    ),
}
# Pattern of the names of table columns that state the hemisphere of each peak.
_SIDE_COLUMN = re.compile(
    r"(?:hem(?:i(?:sphere)?)?|side|lat|laterality|laterali[sz]ation)?(?:lr)?"
)
_SIDES = {"l": r"\b(?:l|lh|lt|left)\b", "r": r"\b(?:r|rh|rt|right)\b"}
_MIDLINE_MM = 5


# Patterns that find the names of coordinate spaces in labels. A label is the text with
# which a source states the space of peaks. The labels must be in uppercase and without
# dots. The user guide lists the names. The lookarounds reject names inside other words,
# such as TAL in "occipital" and MNI in "insomnia".
_MNI_NAME = re.compile(
    r"""(?<![AOU])MNI
    | (?<![A-Z])(?: ICBM(?![ _-]?452) | COLL?IN(?![A-Z]) | MONTR[EÉ]AL
        | NEUROLOGICAL[ ]INST )""",
    re.VERBOSE,
)
_TALAIRACH_NAME = re.compile(
    r"""(?<![A-Z])(?:
        TAL(?:AI|SPACE)?(?![A-Z])
        | T(?:A|E|HA)I?L+[AEI]*R | TAIRAL      # Talairach, and frequent misspellings
        | TLRC | TT(?=\W|_|$|N27)              # AFNI's names of the space: TT_N27
        | TT?[ _-]?(?:19)?88(?!\d)             # the atlas of 1988: T88, T-88
        | T[ ]?(?:&|\+|/|AND)[ ]?T(?![A-Z])    # T&T
    ) | TOURN""",
    re.VERBOSE,
)
_SHORT_NAMES = "MNI|TAL|ICBM|TLRC"
# AFNI adds the suffix "+tlrc" to the file names of images in any standard space,
# including MNI. Therefore, this suffix does not state a space.
_AFNI_VIEW = re.compile(r"\+TLRC")
_UNKNOWN = re.compile(
    r"""[\W_]*$ | MISSING | BLANK | EMPTY | TBD | TO[ ]BE[ ]DETERMINED
    | U(?:N?K|NCLEAR|NDEF|NSPEC|NREP|NSTATED|NSURE|NCERTAIN|NDETERMINED)
    | NO(?:NE)?[ ](?:\w+[ ])?(?:DATA|INFO|REPORTED|GIVEN|STATED)
    | NOT?[ ](?:APPLICABLE|AVAILABLE|CLEAR|DEFINED|DESCRIBED|DETERMINED|DOCUMENTED
        |FOUND|GIVEN|INDICATED|KNOWN|LISTED|MENTIONED|PROVIDED|REPORTED|SPEC|STATED
        |SURE)
    | (?:DO[ ]NOT|DON'?T)[ ]KNOW | (?:COULD[ ]NOT|CANNOT|CAN'?T)[ ]
    | \#(?:REF|VALUE|NAME)     # errors of Excel
    | [<#]?(?:NA|N/?A|N/?D|N/?K|NAN|N/?R|NONE|NULL)(?![A-Z0-9])""",
    re.VERBOSE,
)
# Labels such as "converted from Talairach", "MNI, transformed" and "not MNI" do not
# state the space of the coordinates, but "converted to Talairach" does.
_UNCLEAR = re.compile(
    r"""\bFROM\b
    | \b(?:NO|NOT|NON)[ _-]?(?:IN[ ]|A[ ])?(?:THE[ ])?(?:MNI|TAL|ICBM)
    | ^(?!.*\b(?:IN)?TO\b).*(?:CONVERT|TRANSFORMED)""",
    re.VERBOSE,
)


class DoubtfulPeaksWarning(UserWarning):
    """Warning that peaks are probably not in mm, or that x lacks its minus signs."""


class CoordinateSpaceWarning(UserWarning):
    """Warning that the coordinate space of some peaks is unclear."""


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


def describe_units(xyz, rows, names) -> str:
    """Return a message about studies whose peaks are probably not in mm.

    `xyz` contains the peaks of all studies, and `names` contains the names of the
    studies. For each peak, `rows` contains the index of its study in `names`. Studies
    with fewer than ten peaks are examined together, as if they were a single study. If
    the peaks of all studies are probably in mm, the message is "".
    """
    sizes = np.bincount(rows, minlength=len(names))
    groups = np.where(sizes[rows] < MIN_PEAKS, len(names), rows)
    # A large coordinate is not in centimeters or meters, and a negative coordinate is
    # not a voxel index. Therefore, a peak with a large coordinate and a negative
    # coordinate is in mm. Studies with such a peak are not examined. This saves time,
    # because nearly every study has such a peak.
    x, y, z = np.asarray(xyz).T
    is_large = np.maximum(np.maximum(np.abs(x), np.abs(y)), np.abs(z)) >= _MAX_CM
    is_in_mm = is_large & (np.minimum(np.minimum(x, y), z) < 0)
    examined = np.bincount(groups[is_in_mm], minlength=len(names) + 1) == 0
    chosen = np.flatnonzero(examined[groups])
    chosen = chosen[np.argsort(groups[chosen], kind="stable")]
    indices, starts = np.unique(groups[chosen], return_index=True)
    found = np.full(len(names) + 1, "", dtype=object)
    for index, part in zip(indices, np.split(xyz[chosen], starts)[1:], strict=True):
        found[index] = _guess_unit(part)
    found = np.where(sizes < MIN_PEAKS, found[-1], found[:-1])
    messages = [
        f"The peaks of {_describe_studies((found == unit) & (sizes > 0), names)} look "
        f"like {unit}. They must be in mm. If necessary, {advice}."
        for unit, advice in _UNITS.items()
        if (found == unit).any()
    ]
    return " ".join(messages)


def _guess_unit(xyz) -> str:
    """Return the probable unit of the peaks of a study; "" stands for mm."""
    if len(xyz) < MIN_PEAKS:
        return ""
    largest = np.abs(xyz).max()
    if 0 < largest < _MAX_METERS:
        return "meters"
    # Small integers are rarely coordinates in centimeters. Most of them are not
    # coordinates, but other numbers in tables that were read incorrectly.
    if largest < _MAX_CM and np.mean(xyz % 1 != 0) > 0.5:
        return "centimeters" if _fits_brain(10 * xyz, max_outside=0.3) else ""
    # Only voxels of 1 and 2 mm are considered. The indices of larger voxels cannot be
    # detected: they are smaller numbers, which look like coordinates in the brain.
    if (xyz >= 0).all() and _share_outside(xyz) > 0.1:
        grids = [size * xyz + _FIRST_VOXEL for size in (1, 2)]
        # In FreeSurfer's images, each axis has 256 voxels, and the voxel indices
        # increase from right to left, from top to bottom and from back to front.
        grids.append(xyz[:, [0, 2, 1]] * [-1, 1, -1] + [128, -128, 128])
        fits = any(_fits_brain(grid, max_outside=0.1) for grid in grids)
        return "voxel indices" if fits else ""
    return ""


def _share_outside(xyz) -> float:
    """Return the fraction of peaks that are outside the brain."""
    return np.mean((((xyz - _BRAIN_CENTER) / _BRAIN_RADII) ** 2).sum(axis=1) > 1)


def _fits_brain(xyz, max_outside) -> bool:
    """Return whether most peaks are in the brain and extend over a large part of it."""
    is_wide = np.ptp(xyz, axis=0).max() >= _MIN_EXTENT_MM
    return is_wide and _share_outside(xyz) <= max_outside


def find_sides(table):
    """Return the hemisphere of each peak of a table as "l", "r" or "" (not stated).

    If no column states hemispheres, None is returned.
    """
    for column in table:
        name = re.sub(r"[\W_]+", "", str(column)).lower()  # for example "sidelr"
        if name and _SIDE_COLUMN.fullmatch(name):
            words = table[column].astype("string").fillna("").str.lower()
            words = words.str.replace("_", " ")
            left, right = (words.str.contains(one) for one in _SIDES.values())
            return np.select([left & ~right, right & ~left], ["l", "r"], "")
    return None


def describe_sides(x, sides, rows, names) -> str:
    """Return a message about studies in which the sign of x contradicts the hemisphere.

    `x` and `sides` contain the x coordinate and the hemisphere ("l", "r" or "") of each
    peak. `names` contains the names of the studies. For each peak, `rows` contains the
    index of its study in `names`. If the sign of x contradicts the hemisphere in no
    study, the message is "".
    """
    messages = []
    for letter, side, sign, sign_name, advice in (
        ("l", "left", -1, "negative", "-abs(x)"),
        ("r", "right", 1, "positive", "abs(x)"),
    ):
        chosen = sides == letter
        x_outwards, studies = sign * x[chosen], rows[chosen]
        # Peaks near the midline are ignored, because their hemisphere is often
        # uncertain.
        agreeing, contradicting = (
            np.bincount(studies[is_chosen], minlength=len(names))
            for is_chosen in (x_outwards > _MIDLINE_MM, x_outwards < -_MIDLINE_MM)
        )
        doubtful = contradicting > agreeing
        if doubtful.any():
            messages.append(
                f"In {_describe_studies(doubtful, names)}, x is not {sign_name} "
                f"for peaks of the {side} hemisphere. If x is unsigned, replace it "
                f"with {advice} in these rows."
            )
    return " ".join(messages)


def _describe_studies(chosen, names) -> str:
    """Return a phrase with the number and the first three names of chosen studies."""
    shown = [str(name) for name in np.asarray(names)[chosen]]
    verb = "study" if len(names) == 1 else "studies"
    words = ", ".join(shown[:3]) + (", …" if len(shown) > 3 else "")
    return f"{len(shown):,} of {len(names):,} {verb} ({words})"


def normalize_spaces(labels) -> np.ndarray:
    """Return the coordinate space for each label: MNI, TAL, UNKNOWN, OTHER or MIXED."""
    series = pd.Series(np.asarray(labels, dtype=object))
    spaces = {label: _read_label(label)[0] for label in series.unique()}
    return series.map(spaces).to_numpy(dtype=object)


def check_space(space, accepted) -> None:
    """Raise ValueError if `space` is not one of the names of spaces in `accepted`."""
    if space not in accepted:
        names = ", ".join(map(repr, accepted))
        named = _read_label(space)[0] if isinstance(space, str) else ""
        advice = f" Pass {named!r}." if named in ("MNI", "TAL") else ""
        raise ValueError(f"space must be one of {names}; got {space!r}.{advice}")


def find_unclear_labels(labels) -> list[str]:
    """Return the distinct labels that do not clearly state a coordinate space."""
    unique = pd.Series(np.asarray(labels, dtype=object)).unique()
    return [str(label) for label in unique if _read_label(label)[1]]


def describe_unclear_labels(labels) -> str:
    """Return a sentence that quotes unclear labels; "" if there is none."""
    if not labels:
        return ""
    shown = ", ".join(map(repr, labels[:3])) + (" …" if len(labels) > 3 else "")
    return (
        f"The coordinate space is unclear from {shown}. Peaks with such a label are "
        "left as reported. If you know their space, replace the label by MNI or TAL."
    )


def _read_label(label) -> tuple[str, bool]:
    """Return the space of a label, and whether the label leaves the space unclear."""
    word = "" if pd.isna(label) else unicodedata.normalize("NFKC", str(label)).upper()
    word = " ".join(word.replace(".", "").split())
    # Separate the names of spaces in words such as "MNItoTAL" and "TALMNI".
    word = re.sub(rf"({_SHORT_NAMES})(TO)?(?={_SHORT_NAMES})", r"\1 \2 ", word)
    name = _AFNI_VIEW.sub("", word)
    has_view = name != word
    is_mni, is_talairach = _MNI_NAME.search(name), _TALAIRACH_NAME.search(name)
    if is_mni and is_talairach:
        return "UNKNOWN", True
    if _UNKNOWN.match(name):
        return "UNKNOWN", has_view
    if is_mni or is_talairach:
        if _UNCLEAR.search(name):
            return "UNKNOWN", True
        return "MNI" if is_mni else "TAL", False
    if has_view:
        return "UNKNOWN", True
    return "MIXED" if name.startswith("MIXED") else "OTHER", False
