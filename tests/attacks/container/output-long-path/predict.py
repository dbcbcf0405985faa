import os


def predict(artifact, inputs, out):
    print("TRIED")
    os.chdir(out)
    for _ in range(20):
        os.mkdir("n" * 250)
        os.chdir("n" * 250)
