"""Tests of the commands map, decode and report."""

import os
import subprocess
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace

import click
import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from sklearn_neurocontext import NeuroContextModel
from sklearn_neurocontext.cli import main
from sklearn_neurocontext.cli._common import notes_for_warnings
from sklearn_neurocontext.inference import Report, peak_table
from sklearn_neurocontext.inference._nulls import NULLS, TAILS
from sklearn_neurocontext.inference._ontology import ONTOLOGY_KINDS
from sklearn_neurocontext.inference._vocabulary import TERM_LISTS
from tests.cli.console import run
from tests.text_model import make_corpus, make_parts


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Save a small model and return its folder."""
    model = NeuroContextModel(**make_parts())
    return model.save(tmp_path_factory.mktemp("models") / "small")


@pytest.fixture
def image(tmp_path):
    """Save the map of a text and return its file."""
    path = tmp_path / "pain.nii.gz"
    NeuroContextModel(**make_parts()).predict_img(["pain heat"]).to_filename(path)
    return path


def test_choices_of_decode_are_those_of_the_model():
    context = click.Context(main)
    command = main.get_command(context, "decode")
    choices = {
        option.name: tuple(option.type.choices)
        for option in command.params
        if isinstance(option.type, click.Choice)
    }
    assert set(choices.pop("candidates")) == {*TERM_LISTS, *ONTOLOGY_KINDS}
    assert choices.pop("null") == NULLS
    assert choices.pop("tail") == TAILS


def test_map_writes_image_and_figure(folder, tmp_path):
    output, plot = tmp_path / "new" / "map.nii.gz", tmp_path / "map.png"
    result = run("map", "pain heat", "-o", output, "--plot", plot, "--model", folder)
    assert result.exit_code == 0
    expected = NeuroContextModel(**make_parts()).predict_img(["pain heat"])
    found = nib.load(output).get_fdata()
    np.testing.assert_allclose(found, expected.get_fdata()[..., 0], atol=1e-6)
    assert plot.read_bytes().startswith(b"\x89PNG")
    assert str(output) in result.stdout
    assert str(plot) in result.stdout


def test_map_writes_svg(folder, tmp_path):
    plot = tmp_path / "map.svg"
    arguments = ["-o", tmp_path / "m.nii", "--plot", plot, "--model", folder]
    assert run("map", "pain", *arguments).exit_code == 0
    assert "<svg" in plot.read_text()


def test_map_writes_z_maps(folder, tmp_path):
    output = tmp_path / "z.nii.gz"
    result = run("map", "pain", "--z", "-o", output, "--model", folder)
    assert result.exit_code == 0
    assert "z map of “pain”" in result.stdout
    (expected,) = NeuroContextModel(**make_parts()).transform(["pain"])["z_map"]
    np.testing.assert_allclose(
        nib.load(output).get_fdata(), expected.get_fdata(), rtol=1e-3, atol=1e-3
    )


def test_map_writes_figure_and_peaks_of_both_signs(folder, tmp_path, saved_figures):
    output, peaks = tmp_path / "z.nii", tmp_path / "peaks.csv"
    arguments = ["-o", output, "--plot", tmp_path / "z.png", "--views", "glass"]
    arguments += ["--peaks", peaks, "--threshold", 0.5, "--model", folder]
    assert run("map", "pain", "--z", *arguments).exit_code == 0
    expected = peak_table(output, threshold=0.5, two_sided=True)
    found = pd.read_csv(peaks)
    np.testing.assert_allclose(found["value"], expected["value"], rtol=1e-4)
    (figure,) = saved_figures
    words = [text.get_text() for text in figure.texts]
    assert expected["network"][0] in words
    assert any("values of at least 0.5 and of at most −0.5" in word for word in words)
    bars = [ax for ax in figure.axes if ax.get_label() == "color bar"]
    assert [bar.get_ylabel() for bar in bars] == ["z value"]


@pytest.mark.parametrize("options", [[], ["--z"]])
def test_map_minus_writes_difference(options, folder, tmp_path):
    output = tmp_path / "difference.nii.gz"
    arguments = ["--minus", "finger", "-o", output, "--model", folder, *options]
    result = run("map", "pain", *arguments, "--plot", tmp_path / "d.png")
    assert result.exit_code == 0
    assert "map of “pain” minus “finger”" in result.stdout
    maps = NeuroContextModel(**make_parts()).transform(["pain"], minus="finger")
    expected = maps["z_map" if options else "brain_map"][0].get_fdata()
    np.testing.assert_allclose(
        nib.load(output).get_fdata(), expected, rtol=1e-3, atol=1e-3
    )
    assert (tmp_path / "d.png").exists()


def test_map_writes_one_map_per_line(folder, tmp_path):
    texts = tmp_path / "texts.txt"
    lines = [
        "pain heat",
        "",
        "  ../Pain: finger/é  ",
        "pain heat",
        "pain 痛み",
        "x" * 99,
    ]
    lines[-1] += " pain"
    texts.write_bytes("\ufeff".encode() + "\r\n".join(lines).encode())
    output = tmp_path / "maps"
    result = run("map", "--texts", texts, "-o", output, "--model", folder)
    assert result.exit_code == 0
    assert "5 maps" in result.stdout
    table = pd.read_csv(output / "maps.csv")
    assert table["file"].tolist() == [
        "1_pain-heat.nii.gz",
        "2_pain-finger-e.nii.gz",
        "3_pain-heat.nii.gz",
        "4_pain.nii.gz",
        f"5_{'x' * 40}.nii.gz",
    ]
    assert table["text"].tolist() == [line.strip() for line in lines if line]
    assert {path.name for path in output.iterdir()} == {*table["file"], "maps.csv"}
    maps = NeuroContextModel(**make_parts()).transform(table["text"])["brain_map"]
    for name, expected in zip(table["file"], maps, strict=True):
        found = nib.load(output / name).get_fdata()
        np.testing.assert_allclose(found, expected.get_fdata(), atol=1e-6)


def test_maps_of_texts_in_batches(folder, tmp_path, monkeypatch):
    monkeypatch.setattr("sklearn_neurocontext.cli._maps._BATCH", 4)
    texts = tmp_path / "texts.txt"
    texts.write_text("\n".join(["pain"] * 11))
    arguments = ["--texts", texts, "--minus", "heat", "--z", "--model", folder]
    assert run("map", *arguments, "-o", tmp_path / "z").exit_code == 0
    names = sorted(path.name for path in (tmp_path / "z").glob("*.nii.gz"))
    assert names[::10] == ["01_pain.nii.gz", "11_pain.nii.gz"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"pain\n...\n", "must contain at least one word; got '...'"),
        (b"\n \n", "must contain at least one text; got none"),
        ("pain \xe9".encode("latin-1"), "must be a text file in UTF-8"),
        (b"pain\nxyzzy\n", "does not know any word of 'xyzzy'"),
    ],
)
def test_invalid_files_of_texts_raise(content, words, folder, tmp_path):
    texts = tmp_path / "texts.txt"
    texts.write_bytes(content)
    arguments = ["--texts", texts, "-o", tmp_path / "maps", "--model", folder]
    result = run("map", *arguments)
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert words in line
    assert not (tmp_path / "maps").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["map", "-o", "m.nii"], "Pass either TEXT or --texts FILE"),
        (["map", "a", "--texts", __file__, "-o", "m"], "Pass either TEXT or --texts"),
        (["map", "--texts", __file__, "-o", "m", "--plot", "m.png"], "used together"),
        (["map", "--texts", __file__, "-o", "m", "--peaks", "p.csv"], "used together"),
        (["map", "--texts", __file__, "-o", __file__], "is a file"),
        (["map", "pain", "-o", "m.txt"], "must end in .nii or .nii.gz"),
        (["decode"], "Pass either an image or --peak X Y Z"),
        (["decode", __file__, "--peak", 1, 2, 3], "Pass either an image or --peak"),
        (["decode", "--peak", 1, 2], "'--peak' requires 3 arguments"),
    ],
)
def test_usage_errors(arguments, words):
    result = run(*arguments)
    assert result.exit_code == 2
    assert words in result.stderr


def test_decode_takes_peaks(folder, tmp_path):
    table = tmp_path / "table.csv"
    peaks = ["--peak", -42, -22, 54, "--peak", 4, 0, 60]
    result = run("decode", *peaks, "--model", folder, "-o", table)
    assert result.exit_code == 0
    model = NeuroContextModel(**make_parts())
    expected = model.decode([[-42, -22, 54], [4, 0, 60]])
    pd.testing.assert_frame_equal(pd.read_csv(table), expected, rtol=1e-3, atol=1e-4)
    assert "2 peaks" in run("decode", *peaks, "--model", folder).stdout


def test_map_prints_support(tmp_path):
    counts = {"pain": 30, "finger": 40}
    model = NeuroContextModel(
        **make_parts(), word_counts=counts, n_studies=150, support_threshold=5
    )
    arguments = ["--model", model.save(tmp_path / "model")]
    output, plot = tmp_path / "m.nii", tmp_path / "m.svg"
    result = run("map", "pain", "-o", output, "--plot", plot, *arguments)
    support = "Supported by about 30 of 150 training studies."
    assert f"“pain”: {support}" in result.stdout
    assert "Note" not in result.stderr
    result = run("map", "pain", "--minus", "heat", "-o", output, *arguments)
    assert support in result.stdout
    assert "“heat”: Supported by about 0.5 of 150" in result.stdout
    assert "The words of 'heat' are supported by about 0.5" in result.stderr
    texts = tmp_path / "texts.txt"
    texts.write_text("pain\nheat\nfinger\n", encoding="utf-8")
    run("map", "--texts", texts, "-o", tmp_path / "maps", *arguments)
    table = pd.read_csv(tmp_path / "maps" / "maps.csv")
    assert table["n_studies"].tolist() == [30, 0.5, 40]


def test_figure_has_low_confidence_message(tmp_path, saved_figures):
    model = NeuroContextModel(**make_parts(), z_threshold=1e6)
    folder = model.save(tmp_path / "model")
    arguments = ["-o", tmp_path / "m.nii", "--plot", "m.png", "--model", folder]
    arguments += ["--views", "glass"]
    result = run("map", "pain", *arguments)
    assert result.exit_code == 0
    words = " ".join(text.get_text() for text in saved_figures[0].texts)
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("always")
        (z_img,) = model.transform(["pain"])["z_map"]
    assert model.low_confidence_message(z_img) in " ".join(words.split())
    assert "Note: " in result.stderr


# nibabel does not close a file that it cannot write.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(
    ("command", "name", "option"),
    [
        ("map", "map.nii", "-o"),
        ("map", "map.nii.gz", "-o"),
        ("map", "map.png", "-o map.nii --plot"),
        ("map", "map.svg", "-o map.nii --plot"),
        ("decode", "table.csv", "-o"),
        ("report", "page.html", "-o"),
    ],
)
def test_full_disk_keeps_older_results(
    command, name, option, folder, image, tmp_path, monkeypatch, full_disk, request
):
    monkeypatch.chdir(tmp_path)
    if command == "report":
        page = SimpleNamespace(save=Report("x" * 10_000).save)
        monkeypatch.setattr(
            "sklearn_neurocontext.inference.make_report", lambda *_: page
        )
    if name.endswith(".svg"):
        request.getfixturevalue("quick_pictures")
    older = tmp_path / name
    older.write_text("older")
    subject = image if command == "decode" else "pain heat"
    arguments = [command, subject, *option.split(), name, "--model", folder]
    if command == "decode":
        assert run("decode", subject, "--model", folder).exit_code == 0  # fills caches
    limit = {".svg": 500, ".csv": 30, ".png": 8000}.get(older.suffix, 5000)
    if "--plot" in option:
        monkeypatch.setattr(
            nib.Nifti1Image, "to_filename", lambda self, path: path.touch()
        )
    with full_disk(limit):
        result = run(*arguments)
    assert result.exit_code == 1
    (line,) = [line for line in result.stderr.splitlines() if "Error" in line]
    assert str(older) in line
    assert "File too large" in line
    assert older.read_text() == "older"
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("encoding", ["latin-1", "ascii"])
def test_output_in_other_encodings(encoding, folder, image, tmp_path):
    program = f"""
from sklearn_neurocontext.cli import main
model = ["--model", {str(folder)!r}]
output = ["-o", {str(tmp_path / "m.nii")!r}]
main(["map", "pain τ", *output, *model], standalone_mode=False)
main(["decode", {str(image)!r}, "--text", "pain τ", *model])
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"},
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr
    assert b"pain ?" in done.stdout


def test_text_in_the_locale_c(folder, tmp_path):
    # Python represents each of the two bytes of é as a surrogate.
    text = "pain é".encode().decode("ascii", "surrogateescape")
    result = run("map", text, "-o", tmp_path / "map.nii", "--model", folder)
    assert "map of “pain é”" in result.stdout


def test_deprecations_are_not_printed(capsys):
    with notes_for_warnings():
        warnings.warn("set_bad goes", PendingDeprecationWarning, stacklevel=1)
        warnings.warn("old name", DeprecationWarning, stacklevel=1)
        warnings.warn("look here", UserWarning, stacklevel=1)
    assert capsys.readouterr().err.splitlines() == ["Note: look here"]


def test_decode_prints_or_writes_table(folder, image, tmp_path):
    result = run("decode", image, "-k", 2, "--model", folder)
    assert result.exit_code == 0
    assert "Maps of the 150 training studies match better" in result.stderr
    assert "pain.nii.gz" in result.stdout
    assert "heat" in result.stdout
    assert "faces" not in result.stdout
    table = tmp_path / "table.csv"
    texts = ["--text", "faces", "--text", "pain [b]heat[/b]"]
    result = run("decode", image, *texts, "--model", folder, "-o", table)
    assert result.exit_code == 0
    found = pd.read_csv(table)
    assert found["candidate"].tolist() == ["pain [b]heat[/b]", "faces"]
    assert {"similarity", "percentile", "p_value", "q_value"} <= set(found)


def test_decode_takes_null_tail_and_lists_of_terms(folder, image, tmp_path):
    table = tmp_path / "table.csv"
    options = ["--null", "surrogates", "--tail", "both", "--candidates", "all_terms"]
    result = run("decode", image, *options, "--model", folder, "-o", table)
    assert result.exit_code == 0
    assert "spatial autocorrelation of the map (null: surrogates)" in result.stderr
    model = NeuroContextModel(**make_parts())
    expected = model.decode(image, "all_terms", null="surrogates", tail="both")
    pd.testing.assert_frame_equal(pd.read_csv(table), expected, rtol=1e-3, atol=1e-4)
    assert "a" in set(expected["candidate"])


def _fine_map(value=1.0):
    """Return values on a grid of 2 mm; one of them may be infinite."""
    volume = np.zeros((91, 109, 91), dtype=np.float32)
    volume[20:40, 50:70, 50:60] = 1
    volume[30, 60, 55] = value
    return volume


_AFFINE = nib.affines.from_matvec(np.diag([2, 2, 2]), [-90, -126, -72])
_AWAY = nib.affines.from_matvec(np.eye(3), [500, 0, 0])
_COLOR = np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])


@pytest.mark.parametrize(
    ("img", "words"),
    [
        (nib.Nifti1Image(_fine_map(np.inf), _AFFINE), "must be finite; got infinite"),
        (nib.Nifti1Image(_fine_map(), None), "qform_code and sform_code are 0"),
        (nib.AnalyzeImage(_fine_map(), _AFFINE), "a header without position"),
        (nib.Nifti1Image(np.zeros((9, 9, 9), _COLOR), _AFFINE), "got colors (RGB)"),
        (nib.Nifti1Image(np.ones((9, 9, 9, 60)), _AFFINE), "one map; got 60. Select"),
        (nib.Nifti1Image(np.ones((9, 9, 9, 1, 3)), _AFFINE), "one map; got 3. Select"),
        (nib.Nifti1Image(np.ones((9, 9, 9, 2, 3)), _AFFINE), "a 3D or 4D image; got"),
        (nib.Nifti1Image(np.ones((9, 9)), _AFFINE), "a 3D or 4D image; got shape"),
        (nib.Nifti1Image(np.zeros((9, 9, 9)), _AFFINE), "only zeros or NaN"),
        (nib.Nifti1Image(np.ones((9, 9, 9)), _AWAY), "nonzero values in the mask"),
    ],
)
def test_decode_refuses_faulty_images_in_one_line(img, words, folder, tmp_path):
    path = tmp_path / f"map.{'img' if type(img) is nib.AnalyzeImage else 'nii.gz'}"
    nib.save(img, path)
    result = run("decode", path, "--model", folder)
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert words in line


@pytest.mark.parametrize("factor", [1e-8, 1e18])
def test_decode_does_not_depend_on_the_unit(factor, folder, tmp_path):
    for name, values in (("one", _fine_map()), ("scaled", factor * _fine_map())):
        nib.save(nib.Nifti1Image(values, _AFFINE), tmp_path / f"{name}.nii")
        output = tmp_path / f"{name}.csv"
        arguments = [tmp_path / f"{name}.nii", "--model", folder, "-o", output]
        assert run("decode", *arguments).exit_code == 0
    one, scaled = (pd.read_csv(tmp_path / f"{name}.csv") for name in ("one", "scaled"))
    pd.testing.assert_frame_equal(one, scaled, rtol=1e-3, atol=1e-5)


def test_decode_ranks_titles_of_corpus(folder, image, any_corpus, tmp_path):
    any_corpus(make_corpus())
    table = tmp_path / "new" / "table.csv"
    arguments = ["--corpus", "nimare", "-k", 3, "--model", folder, "-o", table]
    assert run("decode", image, *arguments).exit_code == 0
    found = pd.read_csv(table)["candidate"]
    assert len(found) == 3
    assert set(found) <= set(make_corpus().studies["title"])


def test_report_writes_page(folder, any_corpus, tmp_path, monkeypatch):
    any_corpus(make_corpus())
    # Figures are slow, and tested in tests/inference.
    monkeypatch.setattr(
        "sklearn_neurocontext.inference._report._draw_map", lambda *_, **__: None
    )
    output = tmp_path / "report.html"
    arguments = ["-o", output, "--corpus", "nimare", "--model", folder]
    result = run("report", "pain <b>", *arguments)
    assert result.exit_code == 0
    page = output.read_text()
    assert "Studies with matching maps" in page
    assert "<b>" not in page
    assert str(output) in result.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["map", "pain", "-o", "m.nii.gz", "--model", "nowhere"],
            "or by neurocontext fit CORPUS --output FOLDER",
        ),
        (["decode", __file__], f"'{__file__}' cannot be read as"),
    ],
)
def test_errors_are_printed_in_one_line(arguments, words, folder):
    if "--model" not in arguments:
        arguments = [*arguments, "--model", folder]
    result = run(*arguments)
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert words in line


@pytest.mark.parametrize("command", ["map", "report", "decode"])
def test_texts_without_known_words_raise(command, folder, image, tmp_path):
    output = tmp_path / ("it.html" if command == "report" else "it.nii.gz")
    arguments = ["xyzzy"]
    if command == "decode":
        arguments = [image, "--text", "pain", "--text", "xyzzy"]
    result = run(command, *arguments, "-o", output, "--model", folder)
    assert result.exit_code == 1
    assert "The model does not know any word of 'xyzzy'" in result.stderr
    assert not output.exists()


@pytest.mark.parametrize("is_terminal", [True, False])
def test_terminal_shows_that_the_model_is_loading(
    is_terminal, folder, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: is_terminal, raising=False)
    arguments = ["map", "pain heat", "-o", str(tmp_path / "m.nii"), "--model"]
    main([*arguments, str(folder)], standalone_mode=False)
    printed = capsys.readouterr()
    assert ("Loading the model" in printed.err) is is_terminal
    assert "Loading" not in printed.out


def test_decode_without_terms_names_the_options(image, tmp_path):
    model = NeuroContextModel(**{**make_parts(), "terms": None})
    saved = model.save(tmp_path / "model")
    result = run("decode", image, "--model", saved)
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert line.endswith("has no terms to rank. Pass --text or --corpus.")
    result = run("decode", image, "--model", saved, "--text", "pain", "--text", "heat")
    assert result.exit_code == 0
    assert "pain" in result.stdout


@pytest.mark.parametrize("options", [[], ["--allow-download"]])
def test_downloads_need_option(options, monkeypatch):
    given = {}

    def load(directory, **named):
        given.update(named)
        raise ValueError("enough")

    monkeypatch.setattr(NeuroContextModel, "from_pretrained", load)
    result = run("map", "pain", "-o", "m.nii", "--model", "a", *options)
    assert result.exit_code == 1
    assert given == {"allow_download": bool(options)}


COUNT_FILES = """
import pathlib, sys, threading

import sklearn_neurocontext
from sklearn_neurocontext.cli import main

root = pathlib.Path(sklearn_neurocontext.__file__).parent
entered = set()


def profile(frame, event, argument):
    # Class and module bodies lack the flag of functions.
    if event == "call" and frame.f_code.co_flags & 2:
        path = pathlib.Path(frame.f_code.co_filename)
        if root in path.parents:
            entered.add(path)


threading.setprofile(profile)
sys.setprofile(profile)
try:
    main(["map", "finger tapping", "-o", sys.argv[1]])
finally:
    sys.setprofile(None)
    print(len(entered), *sorted(path.name for path in entered))
"""


@pytest.fixture
def small_atlas(monkeypatch):
    """Read the small ontology that was written for tests."""
    monkeypatch.setenv("NEUROCONTEXT_DATA", str(Path(__file__).parents[1] / "data"))


@pytest.mark.usefixtures("small_atlas")
def test_decode_ranks_tasks(folder, image, tmp_path):
    output = tmp_path / "tasks.csv"
    arguments = ["--candidates", "tasks", "-o", output, "--model", folder]
    result = run("decode", image, *arguments)
    assert result.exit_code == 0
    expected = NeuroContextModel(**make_parts()).decode(image, "tasks")
    found = pd.read_csv(output)
    assert found["candidate"].tolist() == expected["candidate"].tolist()
    np.testing.assert_allclose(found["probability"], expected["probability"], rtol=1e-4)
    assert "Probabilities are not calibrated" in result.stderr
    assert "CC BY-SA 3.0" in result.stderr


@pytest.mark.parametrize("other", [("--text", "pain"), ("--corpus", "nimare")])
def test_candidates_exclude_texts_and_corpora(folder, image, other):
    arguments = ["--candidates", "domains", *other, "--model", folder]
    result = run("decode", image, *arguments)
    assert result.exit_code == 2
    assert "--corpus, --text and --candidates cannot be used together" in result.stderr


@pytest.mark.slow
def test_map_enters_functions_of_at_most_25_files(tmp_path):
    result = subprocess.run(
        [sys.executable, "-c", COUNT_FILES, tmp_path / "map.nii.gz"],
        capture_output=True,
        text=True,
        check=True,
    )
    n_files = int(result.stdout.splitlines()[-1].split()[0])
    assert 10 < n_files <= 25, result.stdout
