from .captions import (
    FIGURES as FIGURES,
    LATER as LATER,
    SOMETIMES as SOMETIMES,
    SPLIT_ONLY as SPLIT_ONLY,
    TERMS as TERMS,
    VERDICTS as VERDICTS,
)
from .html import Row as Row, embedded as embedded, escaped as escaped, figure_html as figure_html, table_html as table_html
from .page import write as write
from .sections import command as command
from .template import PAGE as PAGE
