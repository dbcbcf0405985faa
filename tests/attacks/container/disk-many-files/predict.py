import time


def predict(artifact, inputs, out):
    print("TRIED", flush=True)
    try:
        for number in range(5_000):
            (out / str(number)).touch()
    except OSError as fault:
        print(fault)
    print("HOLD", flush=True)
    time.sleep(10)
