"""Compute the centers of the geometric atlas that comes with the package."""

import sys

import numpy as np

from sklearn_neurocontext.maskers._atlas import SHIPPED_CENTERS, compute_centers

if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: make_geometric_centers.py OUTPUT.npz")
    centers = {str(n): np.round(compute_centers(n), 3) for n in SHIPPED_CENTERS}
    np.savez_compressed(sys.argv[1], **centers)
