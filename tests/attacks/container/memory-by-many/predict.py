import os
import select
import time


def predict(artifact, inputs, out):
    print("TRIED", flush=True)
    ready, full = os.pipe()
    for _ in range(6):
        if os.fork() == 0:
            held = b"x" * 75_000_000
            os.write(full, b".")
            time.sleep(30)
            os._exit(len(held) % 2)
    told = 0
    while told < 6 and select.select([ready], [], [], 5)[0]:
        told += len(os.read(ready, 6))
    print("HOLD", flush=True)
    time.sleep(10)
