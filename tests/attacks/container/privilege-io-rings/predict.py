import ctypes
import json
import os

libc = ctypes.CDLL(None, use_errno=True)
IO_URING_SETUP = 425


def predict(artifact, inputs, out):
    target = json.loads((artifact / "target.json").read_text())
    done = libc.syscall(IO_URING_SETUP, 4, ctypes.create_string_buffer(256))
    print("TRIED", os.strerror(ctypes.get_errno()))
    if done >= 0:
        print("DONE", target["token"])
