"""Tests of the command group: help, usage errors, other errors, exit codes."""

import os
import subprocess
import sys

import pytest

from sklearn_neurocontext import NeuroContextModel, __version__, datasets, experiments
from sklearn_neurocontext.cli import _common, main
from sklearn_neurocontext.datasets import _bunch
from tests.cli.console import run

COMMANDS = ["map", "decode", "studies", "peaks", "report", "serve", "fit", "embed"]
COMMANDS += ["merge-stores", "benchmark", "demo", "reproduce"]


def test_help_lists_the_commands():
    result = run("--help")
    assert result.exit_code == 0
    lines = result.stdout.partition("Commands:")[2].splitlines()[1:]
    assert [line.split()[0] for line in lines] == COMMANDS
    assert all(line.endswith(".") and "..." not in line for line in lines)
    # In a terminal with 80 columns, click cuts summaries of more than 60 characters.
    assert all(len(line.split(maxsplit=1)[1]) <= 60 for line in lines)
    assert run("--version").stdout == f"neurocontext, version {__version__}\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_examples_and_describes_options(command):
    result = run(command, "-h")
    assert result.exit_code == 0
    assert f"  neurocontext {command} " in result.stdout.partition("Example")[2]
    options = main.commands[command].params
    assert all(option.help for option in options if option.param_type_name == "option")
    assert "(default: None)" not in result.stdout
    words = " ".join(result.stdout.split())
    assert ("[default: 20; x>=1]" in words) is (command in ("decode", "studies"))


def test_help_does_not_import_slow_libraries():
    program = (
        "import sys; from sklearn_neurocontext.cli import main\n"
        "main(['fit', '--help'], standalone_mode=False)\n"
        "print({'numpy', 'sklearn', 'torch', 'rich'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.endswith("set()\n")


def test_choices_equal_names_in_package():
    assert _common.ESTIMATORS == experiments.ESTIMATORS
    assert _common.TEXT_ESTIMATORS == experiments.TEXT_ESTIMATORS
    assert _common.TEXT_FIELDS == _bunch._TEXT_FIELDS
    assert all(name in _common.CORPUS_HELP for name in datasets.CORPORA)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("", "Usage: neurocontext"),
        ("fly", "No such command 'fly'"),
        ("fit", "Missing argument 'CORPUS'"),
        ("benchmark c --n-splits no", "'--n-splits': 'no' is not a valid integer"),
        ("benchmark c --n-candidates -1", "'--n-candidates': -1 is not in the range"),
        ("benchmark c --ks 5,0", "'--ks': 0 is not in the range"),
        ("benchmark c --estimators ,", "'--estimators': must contain at least one"),
        ("benchmark c --estimators svm", "'--estimators': 'svm' is not one of"),
        ("demo --output {file}", "'--output' / '-o': Directory '{file}' is a file"),
        ("demo --text  ", "'--text': must contain at least one word"),
        ("fit c --text ", "'--text': must contain at least one word"),
        ("fit c --text-field x", "'--text-field': 'x' is not one of 'title'"),
        ("fit c --n-permutations -1", "'--n-permutations': -1 is not in the range"),
        ("embed c", "Pass --output FILE.npy, --cache FILE, or both"),
        ("embed c -o X.csv", "'--output' / '-o': 'X.csv' must end in .npy"),
        ("merge-stores all.sqlite", "Missing argument 'SHARDS...'"),
        ("merge-stores all.sqlite nowhere", "File 'nowhere' does not exist"),
        ("map pain", "Missing option '--output' / '-o'"),
        ("map pain -o map.png", "'map.png' must end in .nii or .nii.gz"),
        (
            "map pain -o m.nii --plot m.txt",
            "'--plot': 'm.txt' must end in .png or .pdf",
        ),
        ("map   -o m.nii", "'[TEXT]': must contain at least one word"),
        ("map ?!. -o m.nii", "'[TEXT]': must contain at least one word"),
        ("report pain -o x.txt", "'x.txt' must end in .html or .htm"),
        ("decode nowhere.nii", "'[IMG]': File 'nowhere.nii' does not exist"),
        ("decode {file} -k 0", "'-k': 0 is not in the range x>=1"),
        ("decode {file} -k ½", "'-k': '½' is not a valid integer"),
        ("decode {file} --text b --corpus c", "--candidates cannot be used"),
        (
            "fit c --estimator best_text_brain --model-name m",
            "--estimator best_text_brain does not use --model-name",
        ),
    ],
)
def test_usage_errors_have_exit_code_2(arguments, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run(*arguments.format(file=__file__).split(" ") if arguments else ())
    assert result.exit_code == 2
    assert words.format(file=__file__) in " ".join(result.stderr.split())
    assert "Usage: neurocontext" in result.stderr
    assert not list(tmp_path.iterdir())


def test_other_errors_have_exit_code_1_and_one_line(tmp_path):
    missing = tmp_path / "nowhere"
    result = run("fit", missing, "--output", tmp_path)
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("Error: ")
    assert "neither a folder nor one of" in line
    result = run("--traceback", "fit", missing, "--output", tmp_path)
    assert result.exit_code == 1
    assert "Traceback" in result.stderr


@pytest.mark.parametrize("command", ["fit", "embed", "benchmark"])
def test_wrong_sleuth_files_have_exit_code_1_and_one_line(tmp_path, command):
    path = tmp_path / "peaks.txt"
    path.write_text("//Reference=MNI\n//Ito, 2003: tap\n//Subjects=9\n1 2\n")
    result = run(command, path, "--output", tmp_path / "X.npy")
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("Error: peaks.txt, line 4: a peak must be three numbers")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (MemoryError(), "Error: MemoryError (details: neurocontext --traceback"),
        (OverflowError("too\nlarge"), "Error: OverflowError too large (details"),
        (
            RuntimeError("CUDA out of memory"),
            "RuntimeError CUDA out of memory (details",
        ),
        (EOFError("cut off"), "Error: EOFError cut off (details"),
    ],
)
def test_terse_errors_include_their_type(error, words, monkeypatch):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(NeuroContextModel, "from_pretrained", fail)
    arguments = ["map", "pain", "-o", "m.nii", "--model", "a"]
    result = run(*arguments)
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert words in line
    assert "Traceback" in run("--traceback", *arguments).stderr


@pytest.mark.parametrize(
    ("command", "resumes"),
    [("fit c", False), ("benchmark c", True), ("demo", True), ("embed c", True)],
)
def test_keyboard_interrupt_has_exit_code_130(command, resumes, monkeypatch, tmp_path):
    def stop(name):
        raise KeyboardInterrupt

    monkeypatch.setattr("sklearn_neurocontext.datasets.load_corpus", stop)
    result = run(*command.split(), "--output", tmp_path / "X.npy")
    assert result.exit_code == 130
    assert "Stopped." in result.stderr
    assert ("repeat the command to resume" in result.stderr) is resumes


def test_waiting_threads_are_passive(monkeypatch):
    for before, after in ((None, "passive"), ("active", "active")):
        if before is None:
            monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
        else:
            monkeypatch.setenv("OMP_WAIT_POLICY", before)
        assert run("decode", "nowhere.nii.gz").exit_code == 2
        assert os.environ["OMP_WAIT_POLICY"] == after
