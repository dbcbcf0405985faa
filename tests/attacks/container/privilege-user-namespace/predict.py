import ctypes
import json
import os

libc = ctypes.CDLL(None, use_errno=True)
NEW_USER = 0x10000000


def predict(artifact, inputs, out):
    target = json.loads((artifact / "target.json").read_text())
    done = libc.unshare(NEW_USER)
    print("TRIED", os.strerror(ctypes.get_errno()))
    if done == 0 and "CapEff:\t0000000000000000" not in open("/proc/self/status").read():
        print("DONE", target["token"])
