import time


def predict(artifact, inputs, out):
    print("TRIED", flush=True)
    try:
        for number in range(15):
            with open(f"/dev/shm/{number}", "wb") as file:
                file.write(b"x" * 10_000_000)
    except OSError as fault:
        print(fault)
    print("HOLD", flush=True)
    time.sleep(10)
