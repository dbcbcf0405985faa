import os


def predict(artifact, inputs, out):
    print("TRIED")
    os.chdir(out)
    for _ in range(1_015):
        os.mkdir("d")
        os.chdir("d")
