import os
import time


def predict(artifact, inputs, out):
    print("TRIED", flush=True)
    for number in range(8):
        file = os.memfd_create(str(number))
        for _ in range(5):
            os.write(file, b"x" * 10_000_000)
    print("HOLD", flush=True)
    time.sleep(10)
