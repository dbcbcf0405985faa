import signal
import time


def predict(artifact, inputs, out):
    print("TRIED", flush=True)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        with (out / "predictions.json").open("wb") as file:
            file.truncate(100_000_000_000)
    except OSError as fault:
        print(fault)
    print("HOLD", flush=True)
    time.sleep(10)
