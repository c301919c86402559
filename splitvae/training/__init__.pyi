from .alarms import (
    Alarm as Alarm,
)
from .alarms import (
    Alarmed as Alarmed,
)
from .alarms import (
    Windows as Windows,
)
from .alarms import (
    find_alarms as find_alarms,
)
from .alarms import (
    judge_window as judge_window,
)
from .alarms import (
    non_finite as non_finite,
)
from .batches import (
    EpochOrder as EpochOrder,
)
from .batches import (
    TrainingImages as TrainingImages,
)
from .batches import (
    grouped_epoch_order as grouped_epoch_order,
)
from .batches import (
    held_out_count as held_out_count,
)
from .checkpoints import GOOD as GOOD
from .checkpoints import STATE as STATE
from .checkpoints import load as load
from .checkpoints import mark_good as mark_good
from .checkpoints import save as save
from .fabric import (
    AllReduce as AllReduce,
)
from .fabric import (
    all_reduce_of as all_reduce_of,
)
from .fabric import (
    average_gradients as average_gradients,
)
from .fabric import (
    isolated_evaluation as isolated_evaluation,
)
from .fabric import (
    launch_fabric as launch_fabric,
)
from .fabric import (
    no_reduce as no_reduce,
)
from .fabric import (
    pixel_storage_device as pixel_storage_device,
)
from .interrupts import Interrupted as Interrupted
from .interrupts import interruptible as interruptible
from .loop import fit as fit
from .loop import train as train
from .monitor import Monitor as Monitor
from .previews import SampleDistance as SampleDistance
from .previews import draw_preview as draw_preview
from .previews import is_due as is_due
from .recovery import (
    MAX_ROLLBACKS as MAX_ROLLBACKS,
)
from .recovery import (
    TrainingStopped as TrainingStopped,
)
from .recovery import (
    handle_alarm as handle_alarm,
)
from .recovery import (
    initialise_good as initialise_good,
)
from .recovery import (
    load_checkpoint as load_checkpoint,
)
from .schedules import learning_rate_schedule as learning_rate_schedule
from .schedules import scale_learning_rate as scale_learning_rate
from .setup import (
    find_run_to_resume as find_run_to_resume,
)
from .setup import (
    prepare_images as prepare_images,
)
from .setup import (
    resume_config as resume_config,
)
from .trainer import Trainer as Trainer
