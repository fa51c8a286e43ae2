"""Spoiled files never load silently wrong."""

import shutil

import numpy as np
import pytest

from sklearn_neurocontext import load_model
from sklearn_neurocontext.persistence import _files
from tests.persistence.forging import forge, sign

N_CORRUPTIONS = 200


def _corrupt(content: bytes, rng) -> bytes:
    """Spoil some bytes in one of five ways."""
    content = bytearray(content)
    start, stop = np.sort(rng.integers(0, len(content), size=2))
    way = rng.integers(5)
    if way == 0:
        content[start] ^= 1 << int(rng.integers(8))
    elif way == 1:
        del content[start:]
    elif way == 2:
        del content[start : stop + 1]
    elif way == 3:
        content[start:start] = rng.bytes(int(rng.integers(1, 40)))
    else:
        content[start : stop + 1] = rng.bytes(int(stop + 1 - start))
    return bytes(content)


@pytest.fixture(params=["saved", "saved_ensemble"])
def spoil(request, tmp_path):
    """Give copies of a saved model with one file spoiled, by its number."""
    whole = request.getfixturevalue(request.param)

    def make(seed):
        rng = np.random.default_rng(seed)
        copy = tmp_path / f"copy-{seed}"
        shutil.copytree(whole, copy)
        path = sorted(copy.iterdir())[rng.integers(3)]
        before = path.read_bytes()
        while (after := _corrupt(before, rng)) == before:
            pass
        path.write_bytes(after)
        return copy, path.name

    return make


def test_random_corruptions_never_load(spoil):
    loaded = []
    for seed in range(N_CORRUPTIONS):
        copy, name = spoil(seed)
        try:
            load_model(copy)
        except ValueError:
            continue
        loaded.append((seed, name))
    # Spaces and ends of lines of the hashes may change without changing a hash.
    assert {name for _, name in loaded} <= {_files.HASHES}
    assert len(loaded) <= 2


def test_forged_corruptions_raise_one_kind_of_error(spoil):
    refused = 0
    for seed in range(N_CORRUPTIONS):
        copy, _ = spoil(seed)
        sign(copy)
        try:
            load_model(copy)
        except ValueError:
            refused += 1
    assert refused > N_CORRUPTIONS / 3


def test_a_header_that_is_none_is_refused(saved):
    path = saved / _files.ARRAYS
    for content in (b"", b"\xff" * 8, (2**40).to_bytes(8, "little") + b"{}"):
        path.write_bytes(content)
        forge(saved, lambda d, content=content: d.update(array_bytes=len(content)))
        with pytest.raises(ValueError, match="is no safetensors file"):
            load_model(saved)


def test_oversized_files_are_not_read(saved, monkeypatch):
    monkeypatch.setattr(_files, "_MAX_DESCRIPTION_BYTES", 100)
    with pytest.raises(ValueError, match="more than the 100 that it may have, and was"):
        load_model(saved)
    monkeypatch.undo()
    with (saved / _files.ARRAYS).open("ab") as stream:
        stream.truncate(2**36)  # sparse
    with pytest.raises(ValueError, match=r"68,719,476,736 bytes, more than"):
        load_model(saved)


@pytest.mark.parametrize("name", [_files.DESCRIPTION, _files.ARRAYS, _files.HASHES])
def test_missing_and_altered_files_are_named(saved, name):
    path = saved / name
    content = path.read_bytes()
    path.write_bytes(content[:-70])
    with pytest.raises(ValueError, match="altered or cut off"):
        load_model(saved)
    path.unlink()
    with pytest.raises(FileNotFoundError, match=f"holds no {name}; expected a folder"):
        load_model(saved)
