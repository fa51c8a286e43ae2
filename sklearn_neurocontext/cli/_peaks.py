"""Command ``peaks``, which lists the peaks of a map and their regions."""

from pathlib import Path

import click

from .._utils.files import write_table
from ._common import OutputPath, notes_for_warnings, print_frame


@click.command()
@click.argument("img", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--threshold",
    type=click.FloatRange(min=0, min_open=True),
    help="Value above which voxels form clusters. By default, these are the highest "
    "10 % of the voxels in the brain.",
)
@click.option(
    "--two-sided",
    is_flag=True,
    help="Also list peaks below minus the threshold; requires --threshold.",
)
@click.option(
    "--output",
    "-o",
    type=OutputPath(dir_okay=False),
    help="Output file of the table (.csv).",
)
def peaks(img, threshold, two_sided, output):
    """List the peaks of a map with their regions and networks.

    IMG is a NIfTI file of a map in MNI space. The regions and networks are the nearest
    ones of Dosenbach et al. (2010), which are part of nilearn.

    \b
    Examples:
      neurocontext peaks map.nii.gz
      neurocontext peaks z.nii.gz --threshold 3.1 --two-sided -o peaks.csv
    """
    from ..inference import peak_table

    with notes_for_warnings():
        table = peak_table(img, threshold=threshold, two_sided=two_sided)
    if output:
        write_table(output, table, float_format="%.5g")
        click.echo(f"{output}: {len(table)} peaks")
    else:
        print_frame(table, f"Peaks of {img.name}")
