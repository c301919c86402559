from .checks import checked as checked
from .distances import jackknife as jackknife, measure_distances as measure_distances
from .fid import (
    Extrapolated as Extrapolated,
    Moments as Moments,
    fid_infinity as fid_infinity,
    frechet as frechet,
    frechet_distance as frechet_distance,
    frechet_from_moments as frechet_from_moments,
)
from .high_frequencies import (
    high_frequency_power as high_frequency_power,
    power_ratio as power_ratio,
    sharpness as sharpness,
)
from .latents import (
    active_units as active_units,
    inactive_by_mean as inactive_by_mean,
    inactive_by_variance as inactive_by_variance,
    kl_by_dimension as kl_by_dimension,
    variance_law as variance_law,
)
from .likelihood import (
    DEFINITION as DEFINITION,
    bits_per_dimension as bits_per_dimension,
    dequantise as dequantise,
    estimate_likelihood as estimate_likelihood,
    importance_weighted_bound as importance_weighted_bound,
    log_weights as log_weights,
)
from .maps import (
    edge_correlations as edge_correlations,
    edge_overlap as edge_overlap,
    high_frequency_share as high_frequency_share,
    map_contrast as map_contrast,
    map_energies as map_energies,
    mean_ambiguity as mean_ambiguity,
    verdict as verdict,
)
from .mmd import Measured as Measured, kernel_distance as kernel_distance
from .prdc import (
    Counts as Counts,
    PRDC as PRDC,
    neighbour_counts as neighbour_counts,
    precision_recall_density_coverage as precision_recall_density_coverage,
)
