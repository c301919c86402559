from .pictures import Picture as Picture
from .pictures import read_picture as read_picture
from .server import serve as serve
from .session import Session as Session
