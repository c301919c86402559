"""Compares the images per second of a training with those of Keras, pythae and a plain PyTorch loop.

    python benchmarks/train_peers.py [--widths 16 64] [--precisions 32 bf16] [--images 1000] [--repeats 3] [--quick]

All train the paper's network for MNIST (images of 1x32x32, latent dimension 32, two components) on the same images with
Adam and batches of 100. A piece of work is one epoch: the same number of updates, with each peer's own way from images in
memory to batches. Each runs in a process of its own, of which one works at a time, in alternation, with as many threads.
The numbers of parameters are checked to be equal.

    splitvae        splitvae's trainer
    Keras           keras_svae.py on TensorFlow, trained by fit()
    Keras, XLA      the same, compiled by XLA (jit_compile=True)
    pythae          pythae's BaseTrainer and BetaVAE around splitvae's network; float32 only, as it has no other on a CPU
    PyTorch loop    DataLoader, loss.backward() and Adam around splitvae's network
    tuned loop      the same with images in the order of channels_last, and the fused Adam

What differs: splitvae sums what its history needs and checks in each step that values are finite; pythae and both loops
read the loss in each step. pythae's variance is constant. Keras's is that of splitvae. The loops and pythae have PyTorch's
memory format (N, C, H, W), but for the tuned loop.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable
from typing import Any

from timing import Worker, alternate, describe_machine, record_comparison, record_reading, serve, spread, timed

BATCH_SIZE = 100
SHAPE = (1, 32, 32)
CHECK_EVERY_STEPS = 20  # between two checks of splitvae's trainer that read from the device
LR, BETA = 1e-3, 8.0

Work = tuple[Callable[[], object], dict[str, Any]]  # trains for an epoch; facts: the numbers of parameters


def draw_pixels(count: int) -> Any:
    """Returns random images, uint8 with shape (N, 1, 32, 32)."""
    import torch

    return torch.randint(0, 256, (count, *SHAPE), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def prepare_splitvae(options: argparse.Namespace) -> Work:
    from splitvae.data.images import Images
    from splitvae.presets.build import build_vae
    from splitvae.presets.registry import find_preset
    from splitvae.training.trainer import Trainer

    sizes = {"width": options.width, "batch_size": BATCH_SIZE, "validation": 0}
    config = find_preset("mnist-svae", **sizes, precision=options.precision, accelerator="cpu")
    vae = build_vae(config)
    images = Images(draw_pixels(options.images), None, (), "noise", "train", ())
    trainer = Trainer(vae, config.objective, images, config)

    def train_epoch() -> None:
        for x, group in trainer.batches():
            trainer.train_step(x, group)
            if trainer.step % CHECK_EVERY_STEPS == 0:
                trainer.check_finite()
        trainer.epoch += 1

    return train_epoch, vae.counts()


def prepare_keras(options: argparse.Namespace) -> Work:
    os.environ |= {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "2", "CUDA_VISIBLE_DEVICES": ""}
    import keras
    import tensorflow as tf
    from keras_svae import SplitVAE

    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    tf.config.threading.set_inter_op_parallelism_threads(options.threads)
    keras.utils.set_random_seed(0)
    if options.precision == "bf16":
        keras.mixed_precision.set_global_policy("mixed_bfloat16")
    x = draw_pixels(options.images).permute(0, 2, 3, 1).numpy().astype("float32") / 255
    model = SplitVAE((SHAPE[1], SHAPE[2], SHAPE[0]), 32, options.width, BETA)
    model.compile(keras.optimizers.Adam(LR, epsilon=1e-7), jit_compile=options.work == "Keras, XLA")
    return lambda: model.fit(x, batch_size=BATCH_SIZE, epochs=1, verbose=0), model.counts()


def build_plain_network(width: int) -> Any:
    """Returns splitvae's network in PyTorch's own memory format."""
    import torch

    import splitvae

    vae = splitvae.create("mnist-svae", width=width)
    # Silenced: the stubs of torch know no call with a memory format alone.
    vae.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]  # torch's stubs lack it
    vae.decoder.scales.register_forward_pre_hook(lambda _, inputs: (inputs[0].contiguous(),))  # the first map has another
    return vae.train()


def prepare_pythae(options: argparse.Namespace) -> Work:
    import torch
    from pythae.data.datasets import BaseDataset
    from pythae.models import BetaVAE, BetaVAEConfig
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn import BaseDecoder, BaseEncoder
    from pythae.trainers import BaseTrainer, BaseTrainerConfig

    vae = build_plain_network(options.width)

    class Encoder(BaseEncoder):
        def __init__(self) -> None:
            super().__init__()
            self.net = vae.encoder

        def forward(self, x: torch.Tensor) -> ModelOutput:
            posterior = self.net(x)
            return ModelOutput(embedding=posterior.mean, log_covariance=posterior.logvar)

    class Decoder(BaseDecoder):
        def __init__(self) -> None:
            super().__init__()
            self.net = vae.decoder

        def forward(self, z: torch.Tensor) -> ModelOutput:
            return ModelOutput(reconstruction=compose(self.net(z), 2).image)

    from splitvae.models.split import compose

    model = BetaVAE(BetaVAEConfig(input_dim=SHAPE, latent_dim=32, beta=BETA), encoder=Encoder(), decoder=Decoder())
    settings = BaseTrainerConfig(
        output_dir=tempfile.mkdtemp(), per_device_train_batch_size=BATCH_SIZE, learning_rate=LR, num_epochs=1
    )
    data = BaseDataset(draw_pixels(options.images).float() / 255, torch.zeros(options.images))
    trainer = BaseTrainer(model, data, training_config=settings)
    trainer.prepare_training()
    trainable = sum(p.numel() for p in model.parameters() if p.requires_grad)
    total = trainable + sum(b.numel() for b in model.buffers() if b.ndim)
    return lambda: trainer.train_step(1), {"trainable": trainable, "total": total}


def prepare_loop(options: argparse.Namespace) -> Work:
    import torch
    from torch.utils.data import DataLoader, TensorDataset

    import splitvae

    tuned = options.work == "tuned loop"
    vae = splitvae.create("mnist-svae", width=options.width).train() if tuned else build_plain_network(options.width)
    loader = DataLoader(TensorDataset(draw_pixels(options.images).float() / 255), BATCH_SIZE, shuffle=True, drop_last=True)
    optimizer = torch.optim.Adam(vae.parameters(), lr=LR, **({"fused": True} if tuned else {}))
    variance, average = 1.0, 1.0

    def train_epoch() -> float:
        nonlocal variance, average
        total = 0.0
        for (x,) in loader:
            if tuned:
                x = x.contiguous(memory_format=torch.channels_last)
            with torch.autocast("cpu", torch.bfloat16, enabled=options.precision == "bf16"):
                posterior = vae.encode(x)
                sse = (vae.decode(posterior.rsample()).image - x).square().sum((1, 2, 3))
                loss = (0.5 * sse / variance + BETA * posterior.kl()).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
            average = 0.99 * average + 0.01 * sse.mean().item() / x[0].numel()
            variance = min(variance, average)
        return total

    return train_epoch, vae.counts()


PEERS: dict[str, Callable[[argparse.Namespace], Work]] = {
    "splitvae": prepare_splitvae,
    "Keras": prepare_keras,
    "Keras, XLA": prepare_keras,
    "pythae": prepare_pythae,
    "PyTorch loop": prepare_loop,
    "tuned loop": prepare_loop,
}
FLOAT32_ONLY = ("pythae",)


def as_timer(epoch: Callable[[], object], facts: dict[str, Any]) -> tuple[Callable[[str], float], dict[str, Any]]:
    """Returns an epoch as work for `serve`, which answers with its duration in seconds."""
    timer = timed(epoch)
    return lambda _: timer(), facts


def compare(width: int, precision: str, options: argparse.Namespace) -> list[str]:
    """Prints the images per second of all at one width and precision, and returns a phrase for each peer."""
    import torch

    images = options.images if width < 64 else max(2 * BATCH_SIZE, options.images // 5)
    names = [name for name in options.peers if precision == "32" or name not in FLOAT32_ONLY]
    if options.quick and (width, precision) != (min(options.widths), "32"):
        names = [name for name in names if name != "Keras, XLA"]  # compiles for a minute
    arguments = ["--width", width, "--precision", precision, "--images", images, "--threads", torch.get_num_threads()]
    workers, facts = {}, {}
    for name in names:
        try:
            workers[name] = Worker("--work", name, *arguments)
        except RuntimeError as error:
            if name == "splitvae":
                raise
            print(f"  {name} cannot run here: {str(error).strip().splitlines()[-1]}")
        else:
            facts[name] = workers[name].facts
    reference = facts["splitvae"]
    different = {name: counts for name, counts in facts.items() if counts != reference}
    assert not different, f"the networks differ: splitvae has {reference}, {different}"
    seconds = alternate(workers, options.repeats)
    for worker in workers.values():
        worker.close()
    rates = {name: [images / s for s in times] for name, times in seconds.items()}
    title = f"width {width}, {'float32' if precision == '32' else 'bf16'}"
    print(f"{title}: {reference['trainable']:,} trainable parameters, {reference['total']:,} in all, in each network")
    print(f"  an epoch of {images // BATCH_SIZE} updates of {BATCH_SIZE} images")
    phrases = []
    if precision == "bf16" and set(FLOAT32_ONLY) & set(options.peers):
        print(f"  {', '.join(FLOAT32_ONLY)} trains in float32 only")
    for name, values in rates.items():
        line = f"  {name:<13} {spread(values, ',.0f'):>24} images/s"
        if name != "splitvae":
            ratio = record_comparison(f"training, {title}", name, "images/s", rates["splitvae"], values)
            line += f"; splitvae is {ratio} times as fast"
            phrases.append(f"{ratio.split()[0]} times {name} ({title})")
        print(line, flush=True)
    return phrases


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--widths", type=int, nargs="+", default=[16, 64])
    parser.add_argument("--precisions", nargs="+", choices=("32", "bf16"), help="by default both, bf16 only if native")
    parser.add_argument("--images", type=int, default=2000, help="images of an epoch; a fifth of it at width 64")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=list(PEERS))
    parser.add_argument("--quick", action="store_true", help="1,000 images, width 64 in float32 only, XLA once")
    parser.add_argument("--work", help=argparse.SUPPRESS)
    parser.add_argument("--width", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--precision", help=argparse.SUPPRESS)
    parser.add_argument("--threads", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        serve(lambda: as_timer(*PEERS[options.work](options)))
        return
    from splitvae.utils.machine import has_native_bf16

    if options.quick:
        options.images = 1000
    precisions = options.precisions or (["32", "bf16"] if has_native_bf16("cpu") else ["32"])
    print(describe_machine("keras", "tensorflow-cpu", "pythae"))
    phrases = []
    for width in options.widths:
        for precision in precisions:
            if not (options.quick and width == 64 and precision == "bf16"):
                phrases += compare(width, precision, options)
    record_reading(f"splitvae trains at {', '.join(phrases)}.")


if __name__ == "__main__":
    main()
