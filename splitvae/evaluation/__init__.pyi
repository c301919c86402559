from .diagnostics import current as current, diagnose as diagnose, evaluate as evaluate, measured as measured
from .fitted_samplers import sampler_for as sampler_for, sampler_parameters as sampler_parameters
from .scores import (
    BANKS as BANKS,
    PROTOCOLS as PROTOCOLS,
    between as between,
    columns as columns,
    painted as painted,
    score as score,
)
from .tables import (
    Comparison as Comparison,
    ROWS as ROWS,
    between_table as between_table,
    cell as cell,
    compared as compared,
    provenance as provenance,
    rows_of as rows_of,
    score_rows as score_rows,
    score_table as score_table,
    table as table,
)
