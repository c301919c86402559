from .interrupts import Interrupted as Interrupted
from .loop import fit as fit
from .loop import train as train
from .recovery import TrainingStopped as TrainingStopped
from .trainer import Trainer as Trainer
