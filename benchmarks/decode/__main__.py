"""Are images decoded once, and does a machine hold them once? ``python -m benchmarks.decode --images 50000``.

Makes a folder of small JPEG files, reads it twice as a search does, and has 1 and then 8 processes train over all
of it at once, as trials do. Prints the seconds of both starts, and the memory of the pixels over all processes: PSS,
which shares a page's bytes out among those who map it, so that the sum is what the machine holds. Linux only.
"""

from __future__ import annotations

import argparse
import json

import numpy as np

from benchmarks.decode.memory import make, pixel_pss, scratch, started

MIB = 2**20


def main() -> None:
    """Make, read twice, share, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=50_000)
    parser.add_argument("--processes", type=int, default=8)
    asked = parser.parse_args()
    with scratch() as folder:
        make(folder / "photos", asked.images)
        first_s, _, _ = started(folder / "photos")
        second_s, stored, card = started(folder / "photos")
        shared = {count: pixel_pss(stored, count) for count in (1, asked.processes)}
        result = {
            "images": card.train_items + card.validation_items + card.test_items,
            "shape": card.input_shape,
            "pixels_mib": round(asked.images * int(np.prod(card.input_shape)) / MIB, 1),
            "first_start_s": round(first_s, 2),
            "second_start_s": round(second_s, 2),
            "payload_mib": round(len(stored) / MIB, 2),
            "pss_of_pixels_mib": {str(count): round(size / MIB, 1) for count, size in shared.items()},
        }
    print(json.dumps(result, indent=2))  # noqa: T201 - what a benchmark is for


if __name__ == "__main__":
    main()
