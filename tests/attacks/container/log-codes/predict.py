import os


def predict(artifact, inputs, out):
    os.write(1, b"\x1b[31mred\x1b]0;title\x07\x1b]8;;http://elsewhere.example\x1b\\link\0\xff\xfe\xc3\x28\n")
    os.write(2, "\u202eevil\u2066\u200b\x9b1m\n".encode())
    print("TRIED")
