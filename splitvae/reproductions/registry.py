"""The experiments of `splitvae reproduce`; to add one, write its list of systems and add a line here."""

from __future__ import annotations

from .crossings import crossings
from .digits_table import digits_table
from .experiment import Experiment
from .groups import groups, groups_of_faces
from .introspection import introspection, introvae_readme
from .paper_tables import paper_table
from .split_studies import split_study

__all__ = ["EXPERIMENTS"]

EQUAL_COST = (
    "All systems have the Split-VAE's network, batch size and learning rate, which falls to zero by a cosine, and see each "
    "training image as often. The paper took the figures of the other systems from their own publications."
)

EXPERIMENTS: dict[str, Experiment] = {
    experiment.name: experiment
    for experiment in (
        digits_table(),
        paper_table("mnist", "MNIST: Table 1 of the paper", EQUAL_COST, seeds=3, epochs=250),
        paper_table("cifar10", "CIFAR-10: Tables 2 and 3 of the paper", EQUAL_COST, seeds=3, epochs=110),
        paper_table("celeba", "CelebA: Table 4 of the paper", EQUAL_COST, seeds=2, epochs=160, private=True),
        crossings(seeds=2, epochs=40),
        groups(seeds=3, epochs=24),
        groups_of_faces(epochs=20),
        introspection("introvae", "IntroVAE on MNIST", "mnist", seeds=3, epochs=10, width=32),
        introspection("introvae-faces", "IntroVAE on faces", "celeba64", seeds=1, epochs=8, width=32),
        introvae_readme(),
        split_study("split", "What controls the split: MNIST", "mnist-svae", seeds=3, epochs=250),
        split_study("split-faces", "What controls the split: faces", "celeba-svae", seeds=2, epochs=160),
    )
}
