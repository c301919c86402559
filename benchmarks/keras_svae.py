"""The paper's network in Keras, for the comparison in train_peers.py.

Written from the paper's description and the sizes of its public code; the layers, and so the numbers of parameters, are
those of splitvae's `Residual` network. Images are (N, H, W, C), the decoder's channels are the map, then the components.

Reference: Enhancing variational generation through self-decomposition (Asperti, Bugo, Filippini, IEEE Access 2022).
"""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import layers, ops

EMBEDDING = 512
MAX_WIDTH = 1024


def apply_layers(x: Any, width: int, kind: str) -> Any:
    """Applies a residual block: twice [BatchNorm, swish, layer], plus a layer of the raw input; "dense" or "conv"."""

    def build_layer() -> Any:
        return layers.Dense(width) if kind == "dense" else layers.Conv2D(width, 3, padding="same")

    y = x
    for _ in range(2):
        y = layers.BatchNormalization(momentum=0.999, epsilon=1e-5)(y)
        y = build_layer()(layers.Activation("silu")(y))
    return layers.Add()([y, build_layer()(x)])


def build_encoder(shape: tuple[int, int, int], latent_dim: int, width: int, scales: int = 4) -> keras.Model:
    """Returns the encoder, (N, H, W, C) -> means and log-variances, each (N, D)."""
    x = images = keras.Input(shape)
    x = layers.Conv2D(width, 3, 2, padding="same")(x)
    for i in range(scales - 1):
        x = apply_layers(x, width * 2**i, "conv")
        x = layers.Conv2D(width * 2 ** (i + 1), 3, 2, padding="same")(x)
    x = apply_layers(layers.GlobalAveragePooling2D()(x), EMBEDDING, "dense")
    return keras.Model(images, [layers.Dense(latent_dim, dtype="float32")(x) for _ in range(2)])


def build_decoder(shape: tuple[int, int, int], latent_dim: int, width: int) -> keras.Model:
    """Returns the decoder, (N, D) -> logits (N, H, W, 2 C + 1)."""
    count = shape[0].bit_length() - 2  # the number of maps, whose sides are 4, 8, ..., H
    widths = [min(width * 2**i, MAX_WIDTH) for i in range(count)][::-1]
    z = keras.Input((latent_dim,))
    x = layers.Dense(EMBEDDING)(z)
    x = layers.Dense(16 * widths[0])(x)
    x = layers.Reshape((4, 4, widths[0]))(x)
    for a in widths[1:]:
        x = apply_layers(layers.Conv2DTranspose(a, 3, 2, padding="same")(x), a, "conv")
    return keras.Model(z, layers.Conv2D(2 * shape[2] + 1, 3, padding="same")(x))


def blend(logits: Any, channels: int) -> Any:
    """Returns the image s x_1 + (1 - s) x_2 of logits (N, H, W, 2 C + 1)."""
    maps = ops.sigmoid(ops.cast(logits, "float32"))
    s, first, second = maps[..., :1], maps[..., 1 : 1 + channels], maps[..., 1 + channels :]
    return s * first + (1 - s) * second


class SplitVAE(keras.Model):
    """The Split-VAE with the variance of its public code, the running minimum of the moving average of the MSE.

    Arguments:
        shape: The shape (H, W, C) of an image.
        latent_dim: The dimension D of the latent.
        width: The number of channels at the first scale.
        beta: The weight of the KL.
    """

    def __init__(self, shape: tuple[int, int, int], latent_dim: int, width: int, beta: float = 8.0) -> None:
        super().__init__()
        self.encoder, self.decoder = build_encoder(shape, latent_dim, width), build_decoder(shape, latent_dim, width)
        self.channels, self.size, self.beta = shape[2], shape[0] * shape[1] * shape[2], beta
        self.noise = keras.random.SeedGenerator(0)
        self.average, self.variance = (self.add_weight(shape=(), initializer="ones", trainable=False) for _ in range(2))
        self.mean_loss = keras.metrics.Mean("loss")

    def counts(self) -> dict[str, int]:
        """Returns the numbers of parameters: `trainable`, and `total` with BatchNorm's running statistics."""
        models = (self.encoder, self.decoder)
        trainable = sum(math.prod(w.shape) for model in models for w in model.trainable_weights)
        return {"trainable": trainable, "total": sum(model.count_params() for model in models)}

    def compute_loss_of(self, x: Any, training: bool) -> tuple[Any, Any]:
        """Returns the loss of images and their mean squared error."""
        mean, logvar = self.encoder(x, training=training)
        z = mean + ops.exp(0.5 * logvar) * keras.random.normal(ops.shape(mean), seed=self.noise)
        sse = ops.sum(ops.square(blend(self.decoder(z, training=training), self.channels) - x), (1, 2, 3))
        kl = 0.5 * ops.sum(ops.square(mean) + ops.exp(logvar) - logvar - 1, 1)
        return ops.mean(0.5 * sse / self.variance + self.beta * kl), ops.mean(sse) / self.size

    def train_step(self, x: Any) -> dict[str, Any]:
        """Makes one step of the optimizer, with TensorFlow."""
        import tensorflow as tf

        with tf.GradientTape() as tape:
            loss, mse = self.compute_loss_of(x, True)
            scaled = self.optimizer.scale_loss(loss)
        weights = self.trainable_variables
        self.optimizer.apply_gradients(zip(tape.gradient(scaled, weights), weights, strict=True))
        self.average.assign(0.99 * self.average + 0.01 * mse)
        self.variance.assign(ops.minimum(self.variance, self.average))
        self.mean_loss.update_state(loss)
        return {"loss": self.mean_loss.result()}
