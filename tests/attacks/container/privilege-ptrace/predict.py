import ctypes
import json
import os

libc = ctypes.CDLL(None, use_errno=True)
ATTACH, DETACH = 16, 17


def predict(artifact, inputs, out):
    target = json.loads((artifact / "target.json").read_text())
    child = os.fork()
    if child == 0:
        os.execvp("sleep", ["sleep", "2"])
    done = libc.ptrace(ATTACH, child, None, None)
    print("TRIED", os.strerror(ctypes.get_errno()))
    if done == 0:
        os.waitpid(child, 0)
        libc.ptrace(DETACH, child, None, None)
        print("DONE", target["token"])
