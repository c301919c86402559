from .card import LICENCES as LICENCES
from .card import write_card as write_card
from .upload import push as push
from .upload import write_repository as write_repository
