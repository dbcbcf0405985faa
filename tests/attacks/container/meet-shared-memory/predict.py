import ctypes
import json

libc = ctypes.CDLL(None, use_errno=True)
KEY, CREATE, REMOVE = 0x5052, 0o1666, 0
libc.shmat.restype = ctypes.c_void_p


def predict(artifact, inputs, out):
    target = json.loads((artifact / "target.json").read_text())
    print("TRIED")
    segment = libc.shmget(KEY, 4096, CREATE)
    place = libc.shmat(segment, None, 0)
    if target["token"]:
        ctypes.memmove(place, target["token"].encode(), len(target["token"]))
    else:
        print(ctypes.string_at(place).decode())
        libc.shmctl(segment, REMOVE, None)
