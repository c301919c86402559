from .alarms import (
    Alarm as Alarm,
    Alarmed as Alarmed,
    Windows as Windows,
    find_alarms as find_alarms,
    judge_window as judge_window,
    non_finite as non_finite,
)
from .batches import (
    EpochOrder as EpochOrder,
    TrainingImages as TrainingImages,
    grouped_epoch_order as grouped_epoch_order,
    held_out_count as held_out_count,
)
from .checkpoints import GOOD as GOOD, STATE as STATE, load as load, mark_good as mark_good, save as save
from .fabric import (
    AllReduce as AllReduce,
    all_reduce_of as all_reduce_of,
    average_gradients as average_gradients,
    isolated_evaluation as isolated_evaluation,
    launch_fabric as launch_fabric,
    no_reduce as no_reduce,
    pixel_storage_device as pixel_storage_device,
)
from .interrupts import Interrupted as Interrupted, interruptible as interruptible
from .loop import fit as fit, train as train
from .monitor import Monitor as Monitor
from .previews import SampleDistance as SampleDistance, draw_preview as draw_preview, is_due as is_due
from .recovery import (
    MAX_ROLLBACKS as MAX_ROLLBACKS,
    TrainingStopped as TrainingStopped,
    handle_alarm as handle_alarm,
    initialise_good as initialise_good,
    load_checkpoint as load_checkpoint,
)
from .schedules import learning_rate_schedule as learning_rate_schedule, scale_learning_rate as scale_learning_rate
from .setup import (
    find_run_to_resume as find_run_to_resume,
    prepare_images as prepare_images,
    resume_config as resume_config,
)
from .trainer import Trainer as Trainer
