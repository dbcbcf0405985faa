import os


def predict(artifact, inputs, out):
    print("TRIED", flush=True)
    for folder in ("/", "/var/tmp", "/home/jovyan", "/opt", "/etc", "/run"):
        try:
            with open(os.path.join(folder, "filler"), "wb") as file:
                file.write(os.urandom(10_000_000))
        except OSError as fault:
            print(fault)
