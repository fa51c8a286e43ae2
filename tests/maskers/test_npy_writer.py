"""Files of arrays that grow row by row."""

import numpy as np

from sklearn_neurocontext._utils.disk_cache import NpyWriter


def test_rows_written_in_pieces_are_one_array(tmp_path):
    with NpyWriter(tmp_path / "a.npy", np.float32, (3,)) as writer:
        for start in range(0, 3000, 700):
            writer.append(np.arange(start, min(start + 700, 3000))[:, None] * [1, 2, 3])
    written = np.load(tmp_path / "a.npy")
    assert written.dtype == np.float32
    np.testing.assert_array_equal(written, np.arange(3000)[:, None] * [1, 2, 3])
