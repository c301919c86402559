from .diagnostics import current as current
from .diagnostics import diagnose as diagnose
from .diagnostics import evaluate as evaluate
from .diagnostics import measured as measured
from .fitted_samplers import sampler_for as sampler_for
from .fitted_samplers import sampler_parameters as sampler_parameters
from .scores import (
    BANKS as BANKS,
)
from .scores import (
    PROTOCOLS as PROTOCOLS,
)
from .scores import (
    between as between,
)
from .scores import (
    columns as columns,
)
from .scores import (
    painted as painted,
)
from .scores import (
    score as score,
)
from .tables import (
    ROWS as ROWS,
)
from .tables import (
    Comparison as Comparison,
)
from .tables import (
    between_table as between_table,
)
from .tables import (
    cell as cell,
)
from .tables import (
    compared as compared,
)
from .tables import (
    provenance as provenance,
)
from .tables import (
    rows_of as rows_of,
)
from .tables import (
    score_rows as score_rows,
)
from .tables import (
    score_table as score_table,
)
from .tables import (
    table as table,
)
