"""Draw a map in slices, on a glass brain, or on the cortical surface."""

import warnings
from dataclasses import dataclass
from functools import cache

import nibabel as nib
import numpy as np
from scipy.ndimage import zoom

from ._display import DISPLAY_MM
from ._style import GRAY, TICK_SIZE

# Number of slices along each axis, and the smallest distance between two axial slices,
# in mm. The slices are drawn in this order, from left to right.
_N_SLICES = {"x": 1, "y": 1, "z": 3}
_SLICE_DISTANCE = 16
# Space between slices, in mm, and the largest size of a slice (axial, from the back to
# the front of the brain).
_SLICE_GAP, _SLICE_LENGTH = 9, 180
# Axes of the picture of a slice: the first one from left to right, the second one from
# bottom to top.
_SLICE_AXES = {"x": "yz", "y": "xz", "z": "xy"}
# Number of pixels of a picture along each side of a voxel.
_PIXELS = 4
# Gray levels of the anatomical image, as fractions of its range. They are not very
# dark, so that dark colors of a map are visible.
_DARKEST, _BRIGHTEST = -0.35, 1.1

_SIDES = ("left", "left", "right", "right")
_SURFACE_VIEWS = ("lateral", "medial", "medial", "lateral")
# Height of the axes of a brain divided by the height of the row. It may exceed 1,
# because a brain fills only a part of its 3D axes.
_ZOOM = 1.32
# Gray levels of gyri and sulci.
_GYRUS, _SULCUS = 0.12, 0.4
# Minimum thickness of the cortex, in mm. Thinner regions of the mesh belong to the
# medial wall.
_MIN_THICKNESS = 1.0
# Sampling depths, as fractions of the cortical thickness.
_DEPTHS = (0.2, 0.5, 0.8)


def draw_slices(figure, rectangle, shown, colors):
    """Draw slices through the strongest regions of a map, on an anatomical image."""
    anatomy = load_anatomy()
    values = shown.extended_img.get_fdata()
    left, bottom, width, height = rectangle
    slices = choose_slices(shown)
    sizes = [[np.ptp(anatomy.box[axis]) for axis in _SLICE_AXES[a]] for a, _ in slices]
    total = sum(size[0] for size in sizes) + _SLICE_GAP * (len(slices) - 1)
    label_height = 1.5 * TICK_SIZE / 72 / figure.get_figheight()
    inches = min(
        width * figure.get_figwidth() / total,
        (height - label_height) * figure.get_figheight() / _SLICE_LENGTH,
    )
    x_mm, y_mm = inches / figure.get_figwidth(), inches / figure.get_figheight()
    x = left + (width - total * x_mm) / 2
    for (axis, cut), size in zip(slices, sizes, strict=True):
        y = bottom + label_height + (_SLICE_LENGTH - size[1]) * y_mm / 2
        ax = figure.add_axes((x, y, size[0] * x_mm, size[1] * y_mm))
        _draw_slice(ax, anatomy, values, shown, colors, axis, cut)
        center = x + size[0] * x_mm / 2
        style = {"ha": "center", "va": "bottom", "fontsize": TICK_SIZE, "color": GRAY}
        figure.text(center, bottom, f"{axis} = {cut:g} mm".replace("-", "−"), **style)
        x += (size[0] + _SLICE_GAP) * x_mm


def choose_slices(shown) -> list:
    """Return the axes and coordinates of slices through the strongest regions."""
    from nilearn.image import new_img_like
    from nilearn.plotting import find_cut_slices

    values = shown.img.get_fdata()
    if not shown.is_empty:
        values = shown.select(values)
    img = new_img_like(shown.img, np.abs(values))
    spacing = _SLICE_DISTANCE // DISPLAY_MM
    return [
        (axis, float(cut))
        for axis, n in _N_SLICES.items()
        for cut in np.sort(find_cut_slices(img, axis, n, spacing=spacing))
    ]


@dataclass(frozen=True, eq=False)
class _Anatomy:
    """Anatomical image on the grid of maps in figures, in the range from 0 to 1.

    `box` has the limits of the brain along each axis, in mm.
    """

    img: nib.Nifti1Image
    inside: np.ndarray
    box: dict


@cache
def load_anatomy() -> _Anatomy:
    """Load nilearn's anatomical image, without the skull."""
    from nilearn.datasets import load_mni152_brain_mask, load_mni152_template

    img = load_mni152_template(resolution=DISPLAY_MM)
    inside = load_mni152_brain_mask(resolution=DISPLAY_MM).get_fdata() > 0
    values = img.get_fdata() / img.get_fdata()[inside].max()
    corners = [find(np.argwhere(inside), axis=0) for find in (np.min, np.max)]
    low, high = nib.affines.apply_affine(img.affine, corners)
    box = {axis: (low[i] - 2, high[i] + 2) for i, axis in enumerate("xyz")}
    return _Anatomy(nib.Nifti1Image(values, img.affine), inside, box)


def _draw_slice(ax, anatomy, values, shown, colors, axis, cut):
    """Draw one slice, and the letters of the sides if both are visible."""
    affine = shown.img.affine
    place = "xyz".index(axis)
    index = round((cut - affine[place, 3]) / DISPLAY_MM)

    def take(volume):
        """Return the slice of a volume as a picture."""
        return refine(np.take(volume, index, axis=place).T)

    across, up = _SLICE_AXES[axis]
    extent = []
    for one in (across, up):
        i = "xyz".index(one)
        edges = np.array([-0.5, values.shape[i] - 0.5])
        extent.extend(affine[i, 3] + DISPLAY_MM * edges)
    style = {"origin": "lower", "extent": extent}
    outside = take(anatomy.inside.astype(float)) < 0.5
    gray = np.ma.masked_array(take(anatomy.img.get_fdata()), outside)
    ax.imshow(gray, cmap="gray", vmin=_DARKEST, vmax=_BRIGHTEST, **style)
    low, high = shown.limits
    picture = _hide(np.where(outside, 0, take(values)), shown)
    ax.imshow(picture, cmap=colors, vmin=low, vmax=high, **style)
    ax.set(xlim=anatomy.box[across], ylim=anatomy.box[up])
    ax.set_axis_off()
    if across == "x":
        style = {"transform": ax.transAxes, "va": "top", "fontsize": TICK_SIZE}
        ax.text(0, 1, "L", ha="left", **style)
        ax.text(1, 1, "R", ha="right", **style)


def refine(picture) -> np.ndarray:
    """Interpolate a picture linearly, so that each pixel is divided into 16."""
    return zoom(picture, _PIXELS, order=1, mode="nearest", grid_mode=True)


def _hide(picture, shown):
    """Mask the pixels of a picture whose values are not shown."""
    return np.ma.masked_array(picture, shown.select(picture) == 0)


def draw_glass_brain(figure, rectangle, shown, colors, display_mode="lyrz"):
    """Draw a map on a glass brain."""
    from nilearn.plotting import plot_glass_brain

    values = shown.img.get_fdata()
    if shown.lowest == 0:
        values = np.maximum(values, 0)
    low, high = shown.limits
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "empty mask")
        display = plot_glass_brain(
            nib.Nifti1Image(values, shown.img.affine),
            figure=figure,
            axes=rectangle,
            display_mode=display_mode,
            annotate=False,
            colorbar=False,
            # Values below the threshold are hidden after the projections are refined.
            threshold=np.finfo(np.float32).tiny,
            plot_abs=False,
            cmap=colors,
            vmin=low,
            vmax=high,
            symmetric_cbar=False,
            alpha=0.85,
        )
    is_small = rectangle[3] * figure.get_figheight() < 2
    display.annotate(positions=False, size=TICK_SIZE - 3 if is_small else TICK_SIZE)
    for view in display.axes.values():
        for image in view.ax.images:
            projected = np.ma.filled(image.get_array(), 0)
            image.set_data(_hide(refine(projected), shown))


def draw_surface(figure, rectangle, shown, colors):
    """Draw the lateral and medial views of both hemispheres."""
    surface = load_surface()
    values = {side: sample(shown, part) for side, part in surface.items()}
    left, bottom, width, height = rectangle
    step = width / len(_SURFACE_VIEWS)
    inches = _ZOOM * height * figure.get_figheight()
    size = inches / figure.get_figwidth(), inches / figure.get_figheight()
    for place, (side, view) in enumerate(zip(_SIDES, _SURFACE_VIEWS, strict=True)):
        x, y = left + (place + 0.5) * step, bottom + 0.5 * height
        corner = x - size[0] / 2, y - size[1] / 2
        ax = figure.add_axes((*corner, *size), projection="3d")
        _draw_hemisphere(ax, surface[side], values[side], side, view, shown, colors)
        name = f"{side}, {view}"
        style = {"ha": "center", "va": "bottom", "fontsize": TICK_SIZE, "color": GRAY}
        figure.text(x, bottom, name, **style)


@cache
def load_surface() -> dict:
    """Load the meshes, folding and cortical thickness of both hemispheres."""
    # nilearn contains these data, so no download is needed. Each triangle is divided
    # into four, so that the border of a region is smooth.
    from nilearn.datasets import load_fsaverage, load_fsaverage_data
    from nilearn.surface import InMemoryMesh

    meshes = load_fsaverage("fsaverage5")
    folding, thickness = (
        load_fsaverage_data(mesh="fsaverage5", data_type=kind).data.parts
        for kind in ("sulcal", "thickness")
    )
    surface = {}
    for side in ("left", "right"):
        pial, white, inflated = (
            meshes[name].parts[side] for name in ("pial", "white_matter", "inflated")
        )
        rows = np.column_stack(
            [pial.coordinates, white.coordinates, inflated.coordinates]
        )
        rows = np.column_stack([rows, folding[side], thickness[side]])
        rows, faces = divide_triangles(rows, pial.faces)
        surface[side] = {
            "pial": InMemoryMesh(rows[:, :3], faces),
            "white": InMemoryMesh(rows[:, 3:6], faces),
            "inflated": InMemoryMesh(rows[:, 6:9], faces),
            "folding": rows[:, 9],
            "is_cortex": rows[:, 10] > _MIN_THICKNESS,
        }
    return surface


def divide_triangles(rows, faces):
    """Divide each triangle into four by the midpoints of its edges.

    `rows` has shape (n_vertices, n_columns). The values at a midpoint are the means of
    the values at both ends of the edge. The new rows and the new faces are returned.
    """
    edges = np.sort(faces[:, [[0, 1], [1, 2], [2, 0]]], axis=2)
    edges, places = np.unique(edges.reshape(-1, 2), axis=0, return_inverse=True)
    a, b, c = faces.T
    ab, bc, ca = len(rows) + places.reshape(-1, 3).T
    triangles = [(a, ab, ca), (b, bc, ab), (c, ca, bc), (ab, bc, ca)]
    new_faces = np.concatenate([np.column_stack(corners) for corners in triangles])
    return np.concatenate([rows, rows[edges].mean(axis=1)]), new_faces


def sample(shown, part) -> np.ndarray:
    """Average a map over the cortical thickness; values on the medial wall are 0."""
    from nilearn.surface import vol_to_surf

    values = vol_to_surf(
        shown.extended_img, part["pial"], inner_mesh=part["white"], depth=list(_DEPTHS)
    )
    return np.where(part["is_cortex"], values, 0.0)


def _draw_hemisphere(ax, part, values, side, view, shown, colors):
    from nilearn.plotting import plot_surf_stat_map

    low, high = shown.limits
    plot_surf_stat_map(
        surf_mesh=part["inflated"],
        stat_map=shown.select(values),
        bg_map=np.where(part["folding"] > 0, _SULCUS, _GYRUS),
        hemi=side,
        view=view,
        threshold=shown.threshold / 2,
        cmap=colors,
        vmin=low,
        vmax=high,
        symmetric_cbar=False,
        colorbar=False,
        bg_on_data=False,
        figure=ax.figure,
        axes=ax,
    )
    ax.patch.set_alpha(0)
    # Otherwise, a vector file would contain each of the triangles.
    for collection in ax.collections:
        collection.set_rasterized(True)
