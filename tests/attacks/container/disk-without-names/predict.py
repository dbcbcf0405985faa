import time


def predict(artifact, inputs, out):
    print("TRIED", flush=True)
    held = []
    try:
        for number in range(30):
            file = (out / str(number)).open("wb")
            held.append(file)
            (out / str(number)).unlink()
            file.write(b"x" * 10_000_000)
    except OSError as fault:
        print(fault)
    print("HOLD", flush=True)
    time.sleep(10)
