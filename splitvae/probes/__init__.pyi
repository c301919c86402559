from .classifiers import Accuracy as Accuracy, ITERATIONS as ITERATIONS, Probes as Probes, fit_probes as fit_probes
from .codes import (
    Coded as Coded,
    accumulated as accumulated,
    coded as coded,
    majority as majority,
    member_counts as member_counts,
    strangers as strangers,
)
from .measure import (
    Labelled as Labelled,
    current as current,
    labelled as labelled,
    posteriors as posteriors,
    probe as probe,
)
from .tables import table as table
