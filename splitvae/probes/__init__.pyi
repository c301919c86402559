from .classifiers import ITERATIONS as ITERATIONS
from .classifiers import Accuracy as Accuracy
from .classifiers import Probes as Probes
from .classifiers import fit_probes as fit_probes
from .codes import (
    Coded as Coded,
)
from .codes import (
    accumulated as accumulated,
)
from .codes import (
    coded as coded,
)
from .codes import (
    majority as majority,
)
from .codes import (
    member_counts as member_counts,
)
from .codes import (
    strangers as strangers,
)
from .measure import (
    Labelled as Labelled,
)
from .measure import (
    current as current,
)
from .measure import (
    labelled as labelled,
)
from .measure import (
    posteriors as posteriors,
)
from .measure import (
    probe as probe,
)
from .tables import table as table
