from .checks import checked as checked
from .distances import jackknife as jackknife
from .distances import measure_distances as measure_distances
from .fid import (
    Extrapolated as Extrapolated,
)
from .fid import (
    Moments as Moments,
)
from .fid import (
    fid_infinity as fid_infinity,
)
from .fid import (
    frechet as frechet,
)
from .fid import (
    frechet_distance as frechet_distance,
)
from .fid import (
    frechet_from_moments as frechet_from_moments,
)
from .high_frequencies import (
    high_frequency_power as high_frequency_power,
)
from .high_frequencies import (
    power_ratio as power_ratio,
)
from .high_frequencies import (
    sharpness as sharpness,
)
from .latents import (
    active_units as active_units,
)
from .latents import (
    inactive_by_mean as inactive_by_mean,
)
from .latents import (
    inactive_by_variance as inactive_by_variance,
)
from .latents import (
    kl_by_dimension as kl_by_dimension,
)
from .latents import (
    variance_law as variance_law,
)
from .likelihood import (
    DEFINITION as DEFINITION,
)
from .likelihood import (
    bits_per_dimension as bits_per_dimension,
)
from .likelihood import (
    dequantise as dequantise,
)
from .likelihood import (
    estimate_likelihood as estimate_likelihood,
)
from .likelihood import (
    importance_weighted_bound as importance_weighted_bound,
)
from .likelihood import (
    log_weights as log_weights,
)
from .maps import (
    edge_correlations as edge_correlations,
)
from .maps import (
    edge_overlap as edge_overlap,
)
from .maps import (
    high_frequency_share as high_frequency_share,
)
from .maps import (
    map_contrast as map_contrast,
)
from .maps import (
    map_energies as map_energies,
)
from .maps import (
    mean_ambiguity as mean_ambiguity,
)
from .maps import (
    verdict as verdict,
)
from .mmd import Measured as Measured
from .mmd import kernel_distance as kernel_distance
from .prdc import (
    PRDC as PRDC,
)
from .prdc import (
    Counts as Counts,
)
from .prdc import (
    neighbour_counts as neighbour_counts,
)
from .prdc import (
    precision_recall_density_coverage as precision_recall_density_coverage,
)
