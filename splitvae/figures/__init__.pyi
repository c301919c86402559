from .animation import film as film
from .categories import category_chart as category_chart
from .export import to_uint8 as to_uint8, write_canvas as write_canvas
from .grid import tiles as tiles
from .groups import (
    References as References,
    content_interpolations as content_interpolations,
    references as references,
    style_interpolations as style_interpolations,
    swaps as swaps,
)
from .introvae import deviations as deviations, plane as plane
from .io import drawn_by as drawn_by, png as png, save as save
from .latents import latent_spectrum as latent_spectrum
from .mean_images import mean_captions as mean_captions, mean_sheet as mean_sheet
from .probes import accuracy_curve as accuracy_curve, code_maps as code_maps
from .run import draw as draw
from .samples import (
    components as components,
    interpolations as interpolations,
    maps as maps,
    picture as picture,
    reconstructions as reconstructions,
    sheet as sheet,
    traversals as traversals,
)
from .style import DPI as DPI, STYLE as STYLE, logarithmic as logarithmic
from .training_curves import curves as curves, kl_chart as kl_chart, sample_distances as sample_distances
