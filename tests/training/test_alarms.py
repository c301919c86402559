"""Alarms as functions of means: what raises each, its message, and the weight that it changes."""

from __future__ import annotations

import math

import pytest

from splitvae import ELBO, Intro, SoftIntro
from splitvae.objectives import RAE, Capacity
from splitvae.objectives.base import Loss
from splitvae.training.alarms import Alarmed, find_alarms, non_finite_alarm
from splitvae.training.windows import WINDOW_STEPS, Windows, check_window, describe_end

HEALTHY = {"kl_real": 10.0, "kl_rec": 14.0, "kl_fake": 18.0, "spread": 0.8}
HEALTHY |= {"margin": 20.0, "hinge_rec": 6.0, "hinge_fake": 2.0, "alpha": 0.25, "beta": 2.0}
INTRO = Intro(0.25, 2.0, 20.0, 0.5).constant_weights()
SOFT = SoftIntro(1.0, 0.5, 256.0).constant_weights()
WITHOUT_HINGES = {name: value for name, value in HEALTHY.items() if name not in ("margin", "hinge_rec", "hinge_fake")}


def test_a_healthy_run_raises_none() -> None:
    assert find_alarms(HEALTHY, INTRO) == find_alarms(WITHOUT_HINGES, SOFT) == []
    assert find_alarms({"kl": 0.1, "rec": 3.0, "loss": 4.0}, {}) == []  # terms that other losses log


@pytest.mark.parametrize(
    ("changed", "name", "intro", "soft"),
    [
        ({"kl_real": 0.4, "kl_fake": 1.2}, "codes-empty", {"beta": 4.0}, {"beta_kl": 0.25}),
        ({"spread": 0.1}, "one-picture", {"alpha": 0.125, "alpha_decoder": 0.25}, {"beta_kl": 0.25}),
        ({"kl_fake": 8.9}, "fakes-under-reals", {"alpha_decoder": 0.25}, {"beta_neg": 128.0}),
        ({"kl_real": 22.0, "kl_fake": 25.0}, "reals-over-margin", {"margin": 33.0}, None),
        ({"kl_rec": 30.0, "kl_fake": 40.0, "hinge_rec": 0.0, "hinge_fake": 0.0}, "hinges-idle", {"margin": 60.0}, None),
        ({"margin": 5e3, "hinge_rec": 4986.0, "hinge_fake": 4982.0}, "hinges-full", {"margin": 54.0}, None),
    ],
)
def test_each_collapse_has_its_alarm_and_its_weight(
    changed: dict[str, float], name: str, intro: dict[str, float], soft: dict[str, float] | None
) -> None:
    (alarm,) = find_alarms(HEALTHY | changed, INTRO)
    assert (alarm.name, alarm.config_changes) == (name, intro)
    assert all(f"{weight}={value:g}" in str(alarm) for weight, value in intro.items())
    soft_alarms = find_alarms(WITHOUT_HINGES | {k: v for k, v in changed.items() if k in WITHOUT_HINGES}, SOFT)
    assert [(a.name, a.config_changes) for a in soft_alarms] == ([] if soft is None else [(name, soft)])


def test_the_message_contains_the_values() -> None:
    (alarm,) = find_alarms(HEALTHY | {"kl_fake": 3.25}, INTRO)
    assert "3.25 nats, below that of images, 10" in str(alarm)


def test_an_alpha_above_one_is_changed_before_the_margin() -> None:
    strong = Intro(1e3, 2.0, 20.0).constant_weights()
    (alarm,) = find_alarms(
        HEALTHY | {"kl_real": 1e4, "kl_rec": 2e4, "kl_fake": 2e4, "hinge_rec": 0, "hinge_fake": 0}, strong
    )
    assert (alarm.name, alarm.config_changes) == ("reals-over-margin", {"alpha": 0.25})
    (alarm,) = find_alarms(HEALTHY | {"kl_rec": 2e4, "kl_fake": 2e4, "hinge_rec": 0, "hinge_fake": 0}, strong)
    assert (alarm.name, alarm.config_changes) == ("hinges-idle", {"alpha": 0.25})


def test_a_margin_that_is_a_ratio_changes_by_its_ratio() -> None:
    ratio = Intro(0.25, 2.0, margin_ratio=2.0, vae_epochs=1).constant_weights()
    (alarm,) = find_alarms(HEALTHY | {"kl_real": 22.0, "kl_fake": 25.0}, ratio)
    assert (alarm.name, alarm.config_changes) == ("reals-over-margin", {"margin_ratio": 3.3})  # 33 in place of 20


def test_full_hinges_of_vanishing_kls_lower_alpha_decoder() -> None:
    vanishing = {"kl_real": 0.9, "kl_rec": 0.01, "kl_fake": 0.01, "hinge_rec": 19.99, "hinge_fake": 19.99}
    assert [a.config_changes for a in find_alarms(HEALTHY | vanishing, INTRO)] == [{"beta": 4.0}, {"alpha_decoder": 0.25}]


def test_a_margin_within_reach_is_not_lowered() -> None:
    far = {"kl_real": 19.0, "kl_rec": 0.1, "kl_fake": 0.1, "hinge_rec": 19.9, "hinge_fake": 19.9}
    assert [(a.name, a.config_changes) for a in find_alarms(HEALTHY | far, INTRO)] == [
        ("fakes-under-reals", {"alpha_decoder": 0.25}),
        ("hinges-full", {"alpha_decoder": 0.25}),
    ]


def test_one_picture_changes_both_alphas_whether_or_not_one_is_given_by_the_other() -> None:
    for decoder in (None, 0.5):
        (alarm,) = find_alarms(HEALTHY | {"spread": 0.1}, Intro(0.5, 2.0, 20.0, decoder).constant_weights())
        assert alarm.config_changes == {"alpha": 0.25, "alpha_decoder": 0.25}
    young = {"kl_real": 10.0, "spread": 0.1}  # there are fakes, too new to be checked
    assert find_alarms(young, INTRO, has_fakes=True)[0].config_changes == {"alpha": 0.125, "alpha_decoder": 0.25}


def test_before_there_are_fakes_one_picture_raises_the_reconstructions_weight() -> None:
    (alarm,) = find_alarms({"kl_real": 10.0, "spread": 0.01, "margin": 20.0}, INTRO)
    assert (alarm.name, alarm.config_changes) == ("one-picture", {"beta": 4.0})
    assert find_alarms({"kl_real": 30.0, "spread": 0.8, "margin": 20.0}, INTRO) == []  # there are no hinges yet


def test_weights_that_are_functions_are_named_but_not_changed() -> None:
    weights = Intro(alpha=lambda step: 0.25, beta=2.0, margin=20.0).constant_weights()
    assert weights == {"beta": 2.0, "margin": 20.0}  # alpha_decoder is alpha
    (alarm,) = find_alarms(HEALTHY | {"kl_fake": 5.0}, weights)
    assert alarm.config_changes == {} and "Lower alpha_decoder, which draws that KL down in its schedule." in str(alarm)


def test_the_remedies_of_several_alarms_are_combined_and_the_gravest_decides() -> None:
    first, second = non_finite_alarm("the loss", 7, 1e-3), non_finite_alarm("the loss", 7, 1e-4)
    alarmed = Alarmed(
        [first._replace(config_changes={"margin": 1.0}), second._replace(config_changes={"margin": 2.0, "alpha": 3.0})]
    )
    assert alarmed.config_changes == {"margin": 1.0, "alpha": 3.0} and str(alarmed).count("at step 7") == 2


def test_a_window_has_enough_epochs_for_its_steps_and_the_first_of_a_term_is_not_checked() -> None:
    windows, epoch = Windows(), WINDOW_STEPS // 2
    assert windows.add({"kl_real": (4.0 * epoch, epoch)}, epoch) is None
    assert windows.add({"kl_real": (4.0 * epoch, epoch)}, epoch) == {}
    assert windows.add({"kl_real": (1.0 * epoch, epoch)}, epoch) is None
    late = {"kl_real": (3.0 * epoch, epoch), "kl_fake": (9.0 * epoch, epoch)}
    assert windows.add(late, epoch) == {"kl_real": 2.0}  # the mean of the second window; fakes have just begun
    both = {"kl_real": (3.0 * 2 * epoch, 2 * epoch), "kl_fake": (9.0 * epoch, epoch)}
    assert windows.add(both, 2 * epoch) == {"kl_real": 3.0}  # for half a window
    assert windows.add(both, 2 * epoch) == {"kl_real": 3.0, "kl_fake": 9.0}


def test_samples_that_are_more_alike_than_images_are_a_warning() -> None:
    faces = {"correlation_real": 0.21, "correlation_fake": 0.47}  # samples of faces with little variety
    (alarm,) = find_alarms(HEALTHY | faces, INTRO)
    assert (alarm.name, alarm.config_changes) == ("samples-alike", {"beta": 4.0})
    assert "two samples have a correlation of 0.47 on average, two images of 0.21" in str(alarm)
    assert find_alarms(HEALTHY | faces | {"correlation_fake": 0.24}, INTRO) == []  # samples of a plain VAE
    assert find_alarms(HEALTHY | faces | {"correlation_fake": math.nan}, INTRO) == []
    loss, windows = Intro(0.25, 2.0, 20.0, 0.5).build(), Windows()
    totals = {name: (value * 500, 500) for name, value in (HEALTHY | faces).items()}
    assert check_window(windows, totals, 500, loss) == (False, [], [])
    assert check_window(windows, totals, 500, loss) == (True, [], [alarm])  # a good checkpoint all the same
    assert check_window(windows, totals, 500, loss) == (True, [], [])  # said once
    assert describe_end(windows, loss)[0].startswith("Warning: the training ends with samples-alike;")


def test_a_plain_vae_whose_codes_are_empty_is_warned_not_stopped() -> None:
    def warnings(loss: Loss, **means: float) -> list[tuple[str, dict[str, float]]]:
        windows, totals = Windows(), {name: (value * 500, 500) for name, value in means.items()}
        check_window(windows, totals, 500, loss)
        is_good, grave, found = check_window(windows, totals, 500, loss)
        assert is_good and grave == []
        return [(alarm.name, alarm.config_changes) for alarm in found]

    elbo = ELBO(beta=8.0).build()
    assert warnings(elbo, kl=0.2, spread=0.01) == [("codes-empty", {"beta": 4.0}), ("one-picture", {"beta": 4.0})]
    assert warnings(elbo, kl=2.5, spread=0.5) == []  # such as a latent of two dimensions
    grouped = ELBO(independence=40.0).build()  # KLs of the collapse of a convolutional network, per group and its parts
    assert warnings(grouped, kl=0.22, kl_style=0.0, kl_content=0.2) == [("codes-empty", {"independence": 20.0})]
    assert warnings(grouped, kl=31.0, kl_style=2.6, kl_content=0.2) == [("codes-empty", {"independence": 20.0})]
    assert warnings(grouped, kl=0.9, kl_style=2.6, kl_content=2.0) == []  # `kl` is that of the group
    assert warnings(ELBO(kl=Capacity(steps=10_000)).build(), kl=0.2, spread=0.5) == []  # the schedule sets the KL
    assert warnings(RAE().build(), kl=0.01, spread=0.5) == []  # `kl` is the size of a code without noise
    assert warnings(RAE(beta=0.1).build(), kl=0.01, spread=0.1) == [("one-picture", {"beta": 0.05})]


def test_the_end_of_a_training_names_the_alarms_that_it_was_too_short_for() -> None:
    intro, elbo, windows = Intro(vae_epochs=1).build(), ELBO().build(), Windows()
    windows.add({"kl_real": (2000.0, 400), "kl": (2000.0, 400), "spread": (300.0, 400)}, 400)
    plain = "Note: not checked, since an alarm needs two windows of 500 steps: codes-empty, one-picture (400 steps)."
    assert describe_end(windows, intro) == describe_end(windows, elbo) == [plain]
    both = {name: (value * 600, 600) for name, value in (HEALTHY | {"correlation_fake": 0.1}).items()}
    windows.add(both, 600)
    fakes = "reals-over-margin, fakes-under-reals, hinges-idle, hinges-full, samples-alike (600 steps)"
    assert describe_end(windows, intro) == [plain.replace("(400 steps).", f"(1,000 steps); {fakes}.")]
    windows.add(both, 600)
    assert describe_end(windows, intro) == []
