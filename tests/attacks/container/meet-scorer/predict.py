import glob
import os
import signal


def predict(artifact, inputs, out):
    print("TRIED", glob.glob("/proc/[0-9]*"), flush=True)
    for name in glob.glob("/proc/[0-9]*"):
        if int(name[6:]) != os.getpid():
            try:
                os.kill(int(name[6:]), signal.SIGTERM)
            except OSError as fault:
                print(fault)
