"""Templates, styles, scripts and images of reports and of the local web page."""

import gzip
import re
from pathlib import Path

import nibabel as nib
import numpy as np

PAGE_FILES = Path(__file__).parent / "page_files"
# Scripts of a report. Each script uses only names of the scripts before it.
_REPORT_SCRIPTS = ("nifti.js", "tables.js", "viewer.js", "map.js", "report.js")
_IMPORT = re.compile(r'^import \{[^}]*\} from "[^"]*";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export ", re.MULTILINE)


def make_environment(package):
    """Return a Jinja environment with the templates of a package and of this module."""
    from jinja2 import (
        ChoiceLoader,
        Environment,
        FileSystemLoader,
        PackageLoader,
        StrictUndefined,
    )

    return Environment(
        loader=ChoiceLoader([PackageLoader(package), FileSystemLoader(PAGE_FILES)]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def report_script() -> str:
    """Return the script of a report.

    Browsers cannot import modules into a page that was opened from a file. The modules
    are therefore joined, without their import and export statements.
    """
    texts = [(PAGE_FILES / name).read_text("utf-8") for name in _REPORT_SCRIPTS]
    return _EXPORT.sub("", _IMPORT.sub("", "\n".join(texts)))


def compress_img(img) -> bytes:
    """Return an image as the content of a .nii.gz file."""
    # The highest level takes three times longer, for files that are a fifth smaller.
    return gzip.compress(img.to_bytes(), compresslevel=4, mtime=0)


def make_anatomy() -> bytes:
    """Return an anatomical image of the brain as the content of a .nii.gz file."""
    from nilearn.datasets import load_mni152_brain_mask, load_mni152_template

    img = load_mni152_template(resolution=2)
    values = img.get_fdata() / img.get_fdata().max()
    inside = load_mni152_brain_mask(resolution=2).get_fdata() > 0
    # The page draws values below 60 as transparent. Such values occur outside the
    # brain, and at its edge by interpolation.
    shades = np.where(inside, 60 + 195 * values, 0).astype(np.uint8)
    return gzip.compress(nib.Nifti1Image(shades, img.affine).to_bytes(), mtime=0)
