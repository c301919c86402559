"""The figures that the paper prints in its Tables 1, 3 and 4, by data set and system.

They are Fréchet distances in the features of Inception, taken by the paper from the publications of each system. No
distance of another network can be compared with them, but the order of the systems can.

Reference: Enhancing variational generation through self-decomposition (Asperti, Bugo, Filippini, 2022),
https://doi.org/10.1109/ACCESS.2022.3185654
"""

from __future__ import annotations

from .experiment import Published

__all__ = ["PUBLISHED"]

PUBLISHED: dict[str, dict[str, Published]] = {
    "mnist": {
        "rae-gp": Published(22.2, 11.5, 22_386_449),
        "rae-l2": Published(22.2, 8.7, 22_386_449),
        "rae-sn": Published(19.7, 11.7, 22_386_449),
        "2svae": Published(21.9, 12.6, 9_032_769),
        "2svae-balanced": Published(21.8, 11.8, 9_032_769),
        "svae": Published(20.4, 7.47, 12_793_667),
    },
    "cifar10": {
        "rae-gp": Published(83.0, 74.2, 30_510_339),
        "rae-l2": Published(80.8, 74.2, 30_510_339),
        "rae-sn": Published(84.2, 74.2, 30_510_339),
        "2svae": Published(76.7, 72.9, 27_766_275),
        "2svae-balanced": Published(80.2, 69.8, 27_766_275),
        "svae": Published(81.9, 69.5, 13_061_143),
    },
    "celeba": {
        "rae-gp": Published(116.3, 45.3, 30_510_339),
        "rae-l2": Published(51.1, 47.9, 30_510_339),
        "rae-sn": Published(44.7, 40.9, 30_510_339),
        "2svae": Published(60.5, 44.4, 27_766_275),
        "2svae-balanced": Published(43.6, 38.6, 27_766_275),
        "svae": Published(54.8, 35.1, 28_989_363, components=(49.0, 45.7)),
    },
}
