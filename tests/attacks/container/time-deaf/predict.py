import signal
import time


def predict(artifact, inputs, out):
    for number in range(1, signal.NSIG):
        try:
            signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError):
            continue
    print("TRIED", flush=True)
    time.sleep(600)
