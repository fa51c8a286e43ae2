"""Command ``peaks``, which lists the peaks of a map and their regions."""

from pathlib import Path

import click

from ._common import (
    OutputPath,
    list_peaks,
    plot_map,
    plot_option,
    print_frame,
    views_option,
)


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
    help="Also list peaks below minus the threshold.",
)
@click.option(
    "--output",
    "-o",
    type=OutputPath(dir_okay=False),
    help="Output file of the table (.csv).",
)
@plot_option
@views_option
@click.option(
    "--unit", default="value", help="Unit of the map, printed beside the color bar."
)
def peaks(img, threshold, two_sided, output, plot, views, unit):
    """List and plot the peaks of a map with their regions.

    IMG is a NIfTI file of a map in MNI space. With --plot, a figure shows the map above
    the first rows of the table. The regions and networks are the nearest
    ones of Dosenbach et al. (2010), which are part of nilearn.

    \b
    Examples:
      neurocontext peaks map.nii.gz
      neurocontext peaks z.nii.gz --threshold 3.1 --two-sided -o peaks.csv
      neurocontext peaks z.nii.gz --threshold 3.1 --two-sided --plot z.png
    """
    options = {"threshold": threshold, "two_sided": two_sided}
    table = list_peaks(img, output, **options)
    if not output:
        print_frame(table, f"Peaks of {img.name}")
    if plot:
        texts = {"title": img.name, "unit": unit}
        plot_map(str(img), plot, views=views, peaks=table, **texts, **options)
