from .animation import film as film
from .categories import category_chart as category_chart
from .export import to_uint8 as to_uint8
from .export import write_canvas as write_canvas
from .grid import tiles as tiles
from .groups import (
    References as References,
)
from .groups import (
    content_interpolations as content_interpolations,
)
from .groups import (
    references as references,
)
from .groups import (
    style_interpolations as style_interpolations,
)
from .groups import (
    swaps as swaps,
)
from .introvae import deviations as deviations
from .introvae import plane as plane
from .io import drawn_by as drawn_by
from .io import png as png
from .io import save as save
from .latents import latent_spectrum as latent_spectrum
from .mean_images import mean_captions as mean_captions
from .mean_images import mean_sheet as mean_sheet
from .probes import accuracy_curve as accuracy_curve
from .probes import code_maps as code_maps
from .run import draw as draw
from .samples import (
    components as components,
)
from .samples import (
    interpolations as interpolations,
)
from .samples import (
    maps as maps,
)
from .samples import (
    picture as picture,
)
from .samples import (
    reconstructions as reconstructions,
)
from .samples import (
    sheet as sheet,
)
from .samples import (
    traversals as traversals,
)
from .style import DPI as DPI
from .style import STYLE as STYLE
from .style import logarithmic as logarithmic
from .training_curves import curves as curves
from .training_curves import kl_chart as kl_chart
from .training_curves import sample_distances as sample_distances
