"""Peaks of all accepted forms are equivalent; other forms raise errors."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array

from sklearn_neurocontext import KDEDiFuMoMasker
from sklearn_neurocontext.datasets import CoordinateSpaceWarning, DoubtfulPeaksWarning
from sklearn_neurocontext.maskers._peaks import STUDY_COLUMNS, gather_peaks

AFFINE = np.array([[-2.0, 0, 0, 90], [0, 2, 0, -126], [0, 0, 2, -72], [0, 0, 0, 1]])
SHAPE = (9, 8, 7)
TABLE = pd.DataFrame(
    {
        "id": ["b", "a", "b"],
        "x": [1.0, 2, 3],
        "y": [4, 5, 6],
        "z": [7, 8, 9],
    }
)


@pytest.fixture(scope="module")
def masker():
    return KDEDiFuMoMasker("geometric", 8, mask_img=None, target_affine=8.0).fit()


@pytest.mark.parametrize("name", STUDY_COLUMNS)
def test_studies_of_a_table_are_in_order_of_appearance(name):
    peaks, ids = gather_peaks(TABLE.rename(columns={"id": name}))
    assert ids.tolist() == ["b", "a"]
    np.testing.assert_array_equal(peaks[0], [[1, 4, 7], [3, 6, 9]])
    np.testing.assert_array_equal(peaks[1], [[2, 5, 8]])


def test_the_id_of_the_study_has_priority():
    """NiMARE's tables have both: an id for each analysis, and its study's."""
    _, ids = gather_peaks(TABLE.assign(study_id=["s", "s", "t"]))
    assert ids.tolist() == ["s", "t"]


def test_rows_of_counts_are_peaks_at_voxel_centers(rng):
    counts = rng.poisson(0.02, (5, np.prod(SHAPE)))
    counts[2] = 0
    peaks, _ = gather_peaks(csr_array(counts), counts_grid=(SHAPE, AFFINE))
    assert [len(rows) for rows in peaks] == counts.sum(axis=1).tolist()
    back = np.zeros_like(counts)
    for row, xyz in enumerate(peaks):
        voxels = nib.affines.apply_affine(np.linalg.inv(AFFINE), xyz)
        flat = np.ravel_multi_index(np.rint(voxels).astype(int).T, SHAPE)
        np.add.at(back[row], flat, 1)
    np.testing.assert_array_equal(back, counts)


@pytest.mark.parametrize(
    ("peaks", "match"),
    [
        (TABLE.drop(columns="id"), "must have the columns .*; got x, y, z"),
        (TABLE.drop(columns="z"), "must have the columns .*; got id, x, y"),
        (TABLE.assign(id=["b", None, "b"]), "1 rows of the table of peaks have no id"),
        (TABLE.assign(x=["a", "b", "c"]), "must contain numbers; got"),
        (
            TABLE.assign(x=[1, np.nan, 2]),
            "must contain numbers; got .*nan.* in row 2 of",
        ),
        *(
            (
                TABLE.assign(**{name: ["MNI", word, None]}),
                f"'{name}' of the table must contain only",
            )
            for name in ("space", "coordinate_space")
            for word in ("TAL", "Talairach", "tal", "T88", " talairach 1988 ")
        ),
        ([TABLE.assign(space="TAL")], "'space' of the table must contain only"),
        (TABLE.assign(Space="TAL"), "'space' of the table must contain only"),
        (
            [TABLE.rename(columns={"x": "X"})],
            "table of a study must have .* got id, X, y",
        ),
        (TABLE.iloc[:0], "peaks is empty"),
        (csr_array((2, 7)), r"must have 504 columns.*\(9, 8, 7\) of the mask; got 7"),
        (csr_array(np.full((1, 504), 0.5)), "must contain counts"),
        (csr_array(-np.eye(1, 504)), "must contain counts"),
    ],
)
def test_other_forms_raise(peaks, match):
    with pytest.raises(ValueError, match=match):
        gather_peaks(peaks, counts_grid=(SHAPE, AFFINE))


def test_matching_space_is_accepted():
    table = TABLE.assign(space=["TAL", "TAL", "UNKNOWN"])
    with pytest.warns(UserWarning, match="1 of 3 peaks are in an unknown"):
        peaks, _ = gather_peaks(table, space="TAL")
    assert np.abs(peaks[1] - [[2, 5, 8]]).max() > 1


@pytest.mark.slow
def test_rows_of_nimares_bunch_are_accepted():
    """Peaks of each analysis, rounded to NiMARE's 2 mm voxels."""
    Studyset = pytest.importorskip("nimare.studyset").Studyset
    points = [[[-40, -24, 56], [44, -50, -20]], [[0, -10, 4]]]
    studies = [
        {
            "id": f"s{row}",
            "name": "",
            "authors": "",
            "publication": "",
            "metadata": {},
            "analyses": [
                {
                    "id": "1",
                    "name": "",
                    "conditions": [],
                    "weights": [],
                    "images": [],
                    "points": [
                        {"space": "MNI", "coordinates": xyz, "values": []}
                        for xyz in of_study
                    ],
                }
            ],
        }
        for row, of_study in enumerate(points)
    ]
    bunch = Studyset({"id": "x", "name": "", "studies": studies}).to_bunch()
    masker = KDEDiFuMoMasker("geometric", 16, mask_img=bunch.masker.mask_img).fit()
    np.testing.assert_allclose(
        masker.transform(bunch.data), masker.transform(points), rtol=1e-6
    )
    np.testing.assert_array_equal(
        masker.transform(bunch.data[[1]]), masker.transform(bunch.data)[[1]]
    )


def test_space_of_converted_peaks_raises():
    """A corpus has the reported space beside its peaks, which are in MNI space."""
    table = TABLE.assign(coordinate_space=["TAL", "MNI", "UNKNOWN"])
    with pytest.raises(ValueError, match=r"already converted, .* drop the column"):
        gather_peaks(table)


def test_unclear_labels_of_spaces_are_quoted():
    table = TABLE.assign(space=["MNI", "mni2tal", "Talairach converted to MNI"])
    message = "2 of 3 peaks are in an unknown.* 'mni2tal', 'Talairach converted to MNI'"
    with pytest.warns(CoordinateSpaceWarning, match=message):
        peaks, _ = gather_peaks(table)
    plain, _ = gather_peaks(TABLE)
    np.testing.assert_array_equal(np.concatenate(peaks), np.concatenate(plain))


@pytest.mark.parametrize("as_list", [False, True])
def test_unknown_spaces_warn(masker, as_list):
    table = TABLE.assign(space=["MNI152", "scanner", None])
    with pytest.warns(UserWarning, match="2 of 3 peaks are in an unknown") as record:
        masker.transform([table] if as_list else table)
    assert record[0].filename == __file__


def test_tables_of_studies_are_read_by_name():
    first = pd.DataFrame({"z": [7.0, 9], "value": [1, 2], "x": [1, 3], "y": [4, 6]})
    peaks, _ = gather_peaks([first, [[2, 5, 8]]])
    np.testing.assert_array_equal(peaks[0], [[1, 4, 7], [3, 6, 9]])
    np.testing.assert_array_equal(peaks[1], [[2, 5, 8]])


@pytest.mark.parametrize(
    "imgs",
    [
        nib.Nifti1Image(np.zeros(SHAPE), AFFINE),
        [nib.Nifti1Image(np.zeros(SHAPE), AFFINE)],
        "map.nii.gz",
        ["map.nii.gz"],
        (Path("map.nii.gz"),),
    ],
)
def test_images_raise_and_mention_transform_imgs(imgs):
    with pytest.raises(TypeError, match="or paths of images, call transform_imgs"):
        gather_peaks(imgs)


def test_mapping_raises():
    with pytest.raises(TypeError, match=r"got a dict\. Pass list\(peaks\.values\(\)\)"):
        gather_peaks({"a": [[1, 2, 3]]})


@pytest.mark.parametrize(
    ("unit", "convert"),
    [
        ("centimeters", lambda xyz: 0.1 * xyz),
        ("meters", lambda xyz: 0.001 * xyz),
        ("voxel indices", lambda xyz: (xyz - AFFINE[:3, 3]) / np.diag(AFFINE)[:3]),
    ],
)
@pytest.mark.parametrize("space", ["MNI", "TAL"])
def test_units_other_than_mm_are_reported(unit, convert, space, rng):
    peaks = [rng.uniform([-50, -80, -30], [50, 40, 50], (20, 3)) for _ in range(3)]
    expected, _ = gather_peaks(peaks, space=space)
    peaks[1] = convert(peaks[1])
    with pytest.warns(DoubtfulPeaksWarning, match=rf"1 of 3 studies \(1\) .* {unit}"):
        found, _ = gather_peaks(peaks, space=space)
    np.testing.assert_array_equal(found[0], expected[0])
    if space == "MNI":
        np.testing.assert_array_equal(found[1], peaks[1])


def test_unsigned_x_is_reported(masker):
    table = TABLE.assign(x=[10, 20, 30], hemisphere=["L", "R", "L"])
    with pytest.warns(DoubtfulPeaksWarning, match=r"1 of 2 studies \(b\), x") as record:
        coefficients = masker.transform(table)
    assert record[0].filename == __file__
    frames = [table.iloc[[0, 2]], TABLE[["x", "y", "z"]].iloc[[1]] * [10, 1, 1]]
    with pytest.warns(DoubtfulPeaksWarning, match=r"1 of 2 studies \(0\), x") as record:
        np.testing.assert_allclose(masker.transform(frames), coefficients)
    assert record[0].filename == __file__


def test_numbers_of_tables_may_be_stored_as_text():
    expected, _ = gather_peaks(TABLE.assign(x=[-1.5, 2, 3]))
    table = TABLE.assign(x=["−1,5", " 2", "'3"], y=["4", "5.0", "+6"])
    for peaks in (table, [table[table["id"] == name] for name in "ba"]):
        found = gather_peaks(peaks)[0]
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_array_equal(one, other)
    with pytest.raises(
        ValueError, match=r"must contain numbers; got 12,345; 5; 8 in row 2 of .*, id a"
    ):
        gather_peaks(TABLE.assign(x=["1", "12,345", "3"]))
