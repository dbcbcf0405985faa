import os
import time


def predict(artifact, inputs, out):
    print("TRIED", flush=True)
    try:
        for _ in range(340):
            if os.fork() == 0:
                time.sleep(10)
                os._exit(0)
    except OSError as fault:
        print(fault)
    print("HOLD", flush=True)
    time.sleep(10)
