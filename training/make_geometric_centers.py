"""Make the centres of the geometric atlas that the package ships."""

import sys

import numpy as np

from sklearn_neurocontext.maskers._geometric import SHIPPED_CENTRES, compute_centres

if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: make_geometric_centres.py OUTPUT.npz")
    centres = {str(n): np.round(compute_centres(n), 3) for n in SHIPPED_CENTRES}
    np.savez_compressed(sys.argv[1], **centres)
