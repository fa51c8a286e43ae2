"""Time to the first map on a machine where the package has just been installed.

    python -m benchmarks.speed.first_map --output FOLDER [--repeats 3]

Runs in turn, each in a new process without network: importing torch, transformers and
nilearn.plotting; and ``neurocontext map`` with a picture, with an empty cache and then
with a filled one. The bound for the first map is twice the time of the imports and 5 s.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

from sklearn_neurocontext.experiments import provenance

IMPORTS = "import torch, transformers, nilearn.plotting"
QUERY = "finger tapping"
EXTRA_SECONDS = 5.0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    cache = arguments.output / "cache"
    environment = {
        **os.environ,
        "NEUROCONTEXT_CACHE": str(cache),
        "HF_HUB_OFFLINE": "1",
    }
    files = ["-o", str(arguments.output / "m.nii.gz")]
    files += ["--plot", str(arguments.output / "m.png"), "--views", "glass"]
    commands = {
        "imports": [sys.executable, "-c", IMPORTS],
        "first map": [*_neurocontext(), "map", QUERY, *files],
        "next map": [*_neurocontext(), "map", QUERY, *files],
    }
    subprocess.run(commands["imports"], check=True)  # reads the files into memory
    seconds = {name: [] for name in commands}
    for _ in range(arguments.repeats):
        shutil.rmtree(cache, ignore_errors=True)
        for name, command in commands.items():
            started = time.perf_counter()
            subprocess.run(command, check=True, env=environment)
            seconds[name].append(time.perf_counter() - started)
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    bound = 2 * medians["imports"] + EXTRA_SECONDS
    results = {"seconds": seconds, "medians": medians, "bound": bound, **provenance()}
    (arguments.output / "startup.json").write_text(json.dumps(results, indent=1))
    print(
        f"imports {medians['imports']:.1f} s, first map {medians['first map']:.1f} s, "
        f"next map {medians['next map']:.1f} s; bound {bound:.1f} s"
    )


def _neurocontext():
    program = "import sys; from sklearn_neurocontext.cli import main; sys.exit(main())"
    return [sys.executable, "-c", program]


if __name__ == "__main__":
    main()
