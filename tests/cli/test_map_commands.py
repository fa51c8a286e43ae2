"""map, decode and report: files, tables, helpful errors, exit codes."""

import warnings

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from sklearn_neurocontext import NeuroContextModel
from sklearn_neurocontext.cli import main
from sklearn_neurocontext.cli._console import notes_for_warnings
from tests.text_model import make_corpus, make_parts


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The small model, saved."""
    model = NeuroContextModel(**make_parts())
    return str(model.save(tmp_path_factory.mktemp("models") / "small"))


@pytest.fixture
def small_corpus(monkeypatch):
    """Stand in for any named corpus: synthetic studies."""
    monkeypatch.setattr(
        "sklearn_neurocontext.cli._maps.load_corpus", lambda name: make_corpus()
    )


def test_map_writes_image_and_picture(folder, tmp_path, capsys):
    output, plot = tmp_path / "new" / "map.nii.gz", tmp_path / "map.png"
    arguments = ["map", "pain heat", "-o", str(output), "--plot", str(plot)]
    assert main([*arguments, "--model", folder]) == 0
    expected = NeuroContextModel(**make_parts()).predict_img(["pain heat"])
    found = nib.load(output).get_fdata()
    np.testing.assert_allclose(found, expected.get_fdata()[..., 0], atol=1e-6)
    assert plot.read_bytes().startswith(b"\x89PNG")
    printed = capsys.readouterr().out
    assert str(output) in printed
    assert str(plot) in printed


def test_a_text_that_says_nothing_is_told_in_its_picture(tmp_path, monkeypatch):
    model = NeuroContextModel(**make_parts(), z_threshold=1e6)
    folder = str(model.save(tmp_path / "model"))
    figures = []

    def save(figure, path):
        figures.append(figure)
        return path

    monkeypatch.setattr("sklearn_neurocontext.cli._maps.save_figure", save)
    arguments = ["map", "pain", "-o", str(tmp_path / "m.nii"), "--plot", "m.png"]
    assert main([*arguments, "--model", folder]) == 0
    words = " ".join(text.get_text() for text in figures[0].texts)
    with pytest.warns(UserWarning, match="stands out"):
        (z_img,) = model.transform(["pain"])["z_map"]
    assert model.caveat(z_img) in " ".join(words.split())


def test_deprecations_are_no_notes(capsys):
    with notes_for_warnings():
        warnings.warn("set_bad goes", PendingDeprecationWarning, stacklevel=1)
        warnings.warn("old name", DeprecationWarning, stacklevel=1)
        warnings.warn("look here", UserWarning, stacklevel=1)
    assert capsys.readouterr().err.splitlines() == ["Note: look here"]


def test_map_draws_svg(folder, tmp_path):
    plot = tmp_path / "map.svg"
    arguments = ["map", "pain", "-o", str(tmp_path / "m.nii"), "--plot", str(plot)]
    assert main([*arguments, "--model", folder]) == 0
    assert "<svg" in plot.read_text()


def test_map_writes_z_maps(folder, tmp_path):
    output = tmp_path / "z.nii.gz"
    assert main(["map", "pain", "--z", "-o", str(output), "--model", folder]) == 0
    (expected,) = NeuroContextModel(**make_parts()).transform(["pain"])["z_map"]
    np.testing.assert_allclose(
        nib.load(output).get_fdata(), expected.get_fdata(), rtol=1e-3, atol=1e-3
    )


@pytest.fixture
def image(tmp_path):
    """The map of pain, in a file."""
    path = tmp_path / "pain.nii.gz"
    NeuroContextModel(**make_parts()).predict_img(["pain heat"]).to_filename(path)
    return str(path)


def test_decode_prints_or_writes_a_table(folder, image, tmp_path, capsys):
    assert main(["decode", image, "-k", "2", "--model", folder]) == 0
    printed, noted = capsys.readouterr()
    assert "Maps of the 150 studies that the model was trained on match too" in noted
    assert "pain.nii.gz" in printed
    assert "heat" in printed
    assert "faces" not in printed
    table = tmp_path / "table.csv"
    arguments = ["decode", image, "--text", "faces", "--text", "pain [b]heat[/b]"]
    assert main([*arguments, "--model", folder, "-o", str(table)]) == 0
    found = pd.read_csv(table)
    assert found["candidate"].tolist() == ["pain [b]heat[/b]", "faces"]
    assert {"similarity", "p_value", "q_value"} <= set(found)


def test_decode_ranks_a_corpus(folder, image, small_corpus, tmp_path):
    table = tmp_path / "new" / "table.csv"
    arguments = ["decode", image, "--corpus", "nimare", "-k", "3", "--model", folder]
    assert main([*arguments, "-o", str(table)]) == 0
    found = pd.read_csv(table)["candidate"]
    assert len(found) == 3
    assert set(found) <= set(make_corpus().studies["title"])


def test_report_writes_a_page(folder, small_corpus, tmp_path, capsys, monkeypatch):
    # Pictures take most of the time; tests/reporting looks at them.
    monkeypatch.setattr(
        "sklearn_neurocontext.inference._report_text.map_sections", lambda *_, **__: []
    )
    output = tmp_path / "report.html"
    arguments = ["report", "pain <b>", "-o", str(output), "--corpus", "nimare"]
    assert main([*arguments, "--model", folder]) == 0
    page = output.read_text()
    assert "Studies with matching maps" in page
    assert "<b>" not in page
    assert str(output) in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["map", "pain", "-o", "m.nii.gz", "--model", "nowhere"],
            "or neurocontext fit CORPUS --output FOLDER wrote",
        ),
        (["decode", "nowhere.nii.gz", "--model", "a"], "'nowhere.nii.gz' is no file"),
        (["decode", __file__, "--model", "a"], f"image='{__file__}' cannot be read as"),
    ],
)
def test_errors_are_one_line(arguments, words, capsys):
    assert main(arguments) == 1
    error = capsys.readouterr().err.strip()
    assert error.startswith("neurocontext: ")
    assert words in error
    assert "\n" not in error


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["map", "pain", "-o", "map.png"], "must end in .nii or .nii.gz"),
        (["map", "pain", "-o", "m.nii", "--plot", "m.txt"], "must end in .png or"),
        (["report", "pain", "-o", "x.txt"], "'x.txt' must end in .html or .htm"),
        (["map", " ", "-o", "m.nii"], "needs at least one word"),
        (["map", "pain"], "required: -o/--output"),
        (["decode", "m.nii", "-k", "0"], "is no positive integer"),
        (["decode", "m.nii", "-k", "²"], "'²' is no positive integer"),
        (
            ["decode", "a", "--text", "b", "--corpus", "c", "--model", "d"],
            "--corpus: not allowed with argument --text",
        ),
    ],
)
def test_wrong_arguments_leave_with_code_2(arguments, words, capsys):
    with pytest.raises(SystemExit) as left:
        main(arguments)
    assert left.value.code == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize("command", ["map", "report", "decode"])
def test_unknown_words_have_no_map(command, folder, image, tmp_path, capsys):
    output = tmp_path / ("it.html" if command == "report" else "it.nii.gz")
    arguments = [command, "xyzzy", "-o", str(output), "--model", folder]
    if command == "decode":
        arguments[1:2] = [image, "--text", "pain", "--text", "xyzzy"]
    assert main(arguments) == 1
    assert "The model knows no word of 'xyzzy'" in capsys.readouterr().err
    assert not output.exists()


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (MemoryError(), "neurocontext: MemoryError (neurocontext --traceback"),
        (OverflowError("too\nlarge"), "neurocontext: OverflowError too large ("),
        (RuntimeError("CUDA out of memory"), "RuntimeError CUDA out of memory ("),
        (EOFError("cut off"), "neurocontext: EOFError cut off ("),
    ],
)
def test_errors_of_others_are_one_line_too(error, words, monkeypatch, capsys):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(NeuroContextModel, "from_pretrained", fail)
    arguments = ["map", "pain", "-o", "m.nii", "--model", "a"]
    assert main(arguments) == 1
    assert words in capsys.readouterr().err
    with pytest.raises(type(error)):
        main(["--traceback", *arguments])


@pytest.mark.parametrize("options", [[], ["--allow-download"]])
def test_models_are_local_unless_asked(options, monkeypatch, capsys):
    given = {}

    def load(directory, **named):
        given.update(named)
        raise ValueError("enough")

    monkeypatch.setattr(NeuroContextModel, "from_pretrained", load)
    assert main(["map", "pain", "-o", "m.nii", "--model", "a", *options]) == 1
    assert given == {"allow_download": bool(options)}


@pytest.mark.parametrize("command", ["map", "decode", "report"])
def test_help_has_examples(command, capsys):
    with pytest.raises(SystemExit) as left:
        main([command, "--help"])
    assert left.value.code == 0
    printed = capsys.readouterr().out
    assert f"examples:\n  neurocontext {command} " in printed
    assert "(default: None)" not in printed
    assert "(default: False)" not in printed
    assert ("(default: 20)" in printed) is (command == "decode")
