"""Alarms as functions of means: what raises each, what it says, and which weight it moves."""

from __future__ import annotations

import pytest

from splitvae import Intro, SoftIntro
from splitvae.training import alarms
from splitvae.training.alarms import Alarmed, Windows, find_alarms, non_finite_alarm

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
    young = {"kl_real": 10.0, "spread": 0.1}  # there are fakes, too new to be judged
    assert find_alarms(young, INTRO, has_fakes=True)[0].config_changes == {"alpha": 0.125, "alpha_decoder": 0.25}


def test_before_there_are_fakes_one_picture_raises_the_reconstructions_weight() -> None:
    (alarm,) = find_alarms({"kl_real": 10.0, "spread": 0.01, "margin": 20.0}, INTRO)
    assert (alarm.name, alarm.config_changes) == ("one-picture", {"beta": 4.0})
    assert find_alarms({"kl_real": 30.0, "spread": 0.8, "margin": 20.0}, INTRO) == []  # no hinge minds the margin yet


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
    windows, epoch = Windows(), alarms.WINDOW_STEPS // 2
    assert windows.add({"kl_real": (4.0 * epoch, epoch)}, epoch) is None
    assert windows.add({"kl_real": (4.0 * epoch, epoch)}, epoch) == {}
    assert windows.add({"kl_real": (1.0 * epoch, epoch)}, epoch) is None
    late = {"kl_real": (3.0 * epoch, epoch), "kl_fake": (9.0 * epoch, epoch)}
    assert windows.add(late, epoch) == {"kl_real": 2.0}  # the mean of the second window; fakes have just begun
    both = {"kl_real": (3.0 * 2 * epoch, 2 * epoch), "kl_fake": (9.0 * epoch, epoch)}
    assert windows.add(both, 2 * epoch) == {"kl_real": 3.0}  # for half a window
    assert windows.add(both, 2 * epoch) == {"kl_real": 3.0, "kl_fake": 9.0}
