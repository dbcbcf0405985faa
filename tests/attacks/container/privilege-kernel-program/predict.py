import ctypes
import json
import os

libc = ctypes.CDLL(None, use_errno=True)
BPF, MAP_CREATE, ARRAY = 321, 0, 2


def predict(artifact, inputs, out):
    target = json.loads((artifact / "target.json").read_text())
    asked = ctypes.create_string_buffer(b"".join(n.to_bytes(4, "little") for n in (ARRAY, 4, 8, 1)), 72)
    done = libc.syscall(BPF, MAP_CREATE, asked, 72)
    print("TRIED", os.strerror(ctypes.get_errno()))
    if done >= 0:
        print("DONE", target["token"])
