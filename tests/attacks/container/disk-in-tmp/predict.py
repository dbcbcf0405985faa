import os


def predict(artifact, inputs, out):
    print("TRIED", flush=True)
    for number in range(6):
        with open(f"/tmp/{number}", "wb") as file:
            file.write(os.urandom(10_000_000))
