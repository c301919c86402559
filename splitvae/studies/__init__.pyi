from .categories import category_table as category_table, compare_categories as compare_categories, titled as titled
from .grid import (
    BASE as BASE,
    Cell as Cell,
    Outcome as Outcome,
    base_named as base_named,
    cells_of as cells_of,
    train_grid as train_grid,
)
from .grid_report import write as write
from .mean_images import mean_image as mean_image, mean_study as mean_study, mean_table as mean_table
from .ml_vae import README as README, SYSTEMS as SYSTEMS, System as System, reproduce as reproduce, table as table
from .seeds import summarise as summarise, train as train
