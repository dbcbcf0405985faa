import os
import signal


def predict(artifact, inputs, out):
    print("TRIED", flush=True)
    if os.fork() == 0:
        os.setsid()
    os.kill(os.getpid(), signal.SIGSTOP)
