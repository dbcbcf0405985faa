import ctypes
import json
import os

libc = ctypes.CDLL(None, use_errno=True)
USERFAULTFD, USER_MODE_ONLY = 323, 1


def predict(artifact, inputs, out):
    target = json.loads((artifact / "target.json").read_text())
    done = libc.syscall(USERFAULTFD, USER_MODE_ONLY)
    print("TRIED", os.strerror(ctypes.get_errno()))
    if done >= 0:
        print("DONE", target["token"])
