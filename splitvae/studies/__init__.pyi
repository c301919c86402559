from .categories import category_table as category_table
from .categories import compare_categories as compare_categories
from .categories import titled as titled
from .grid import (
    BASE as BASE,
)
from .grid import (
    Cell as Cell,
)
from .grid import (
    Outcome as Outcome,
)
from .grid import (
    base_named as base_named,
)
from .grid import (
    cells_of as cells_of,
)
from .grid import (
    train_grid as train_grid,
)
from .grid_report import write as write
from .mean_images import mean_image as mean_image
from .mean_images import mean_study as mean_study
from .mean_images import mean_table as mean_table
from .ml_vae import README as README
from .ml_vae import SYSTEMS as SYSTEMS
from .ml_vae import System as System
from .ml_vae import reproduce as reproduce
from .ml_vae import table as table
from .seeds import summarise as summarise
from .seeds import train as train
