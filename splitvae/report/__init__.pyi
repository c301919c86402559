from .captions import (
    FIGURES as FIGURES,
)
from .captions import (
    LATER as LATER,
)
from .captions import (
    SOMETIMES as SOMETIMES,
)
from .captions import (
    SPLIT_ONLY as SPLIT_ONLY,
)
from .captions import (
    TERMS as TERMS,
)
from .captions import (
    VERDICTS as VERDICTS,
)
from .html import Row as Row
from .html import embedded as embedded
from .html import escaped as escaped
from .html import figure_html as figure_html
from .html import table_html as table_html
from .page import write as write
from .sections import command as command
from .template import PAGE as PAGE
