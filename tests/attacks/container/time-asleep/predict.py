import time


def predict(artifact, inputs, out):
    print("TRIED", flush=True)
    time.sleep(6)
