"""Read arguments; what is wrong with one, argparse says."""

import argparse
from pathlib import Path


def folder(text):
    """Read the name of a folder, which may be new."""
    path = Path(text).expanduser()
    if path.exists() and not path.is_dir():
        raise argparse.ArgumentTypeError(f"{text!r} is a file; name a folder")
    return path


def sentence(text):
    """Read a text that is not blank."""
    if not text.strip():
        raise argparse.ArgumentTypeError("a sentence needs at least one word")
    return text


def words(text):
    """Read words apart by commas."""
    found = tuple(word.strip() for word in text.split(",") if word.strip())
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r} names nothing")
    return found


def numbers(text):
    """Read positive integers apart by commas."""
    return tuple(positive(word) for word in words(text))


def positive(text):
    """Read a positive integer."""
    if not (text.isascii() and text.isdecimal()) or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no positive integer")
    return int(text)


def whole(text):
    """Read a whole number, zero included."""
    return 0 if text == "0" else positive(text)


def candidates(text):
    """Read a number of candidates, or 'fold'."""
    return text if text == "fold" else positive(text)


def nifti(text):
    """Read the name of a Nifti image."""
    return _with_ending(text, (".nii", ".nii.gz"))


def page(text):
    """Read the name of a page in HTML."""
    return _with_ending(text, (".html", ".htm"))


def picture(text):
    """Read the name of a picture."""
    return _with_ending(text, (".png", ".pdf", ".svg"))


def _with_ending(text, endings):
    if not text.endswith(endings):
        raise argparse.ArgumentTypeError(f"{text!r} must end in {' or '.join(endings)}")
    return Path(text)
