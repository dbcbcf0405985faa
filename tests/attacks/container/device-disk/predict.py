import os
import stat


def predict(artifact, inputs, out):
    print("TRIED", os.listdir("/dev"))
    for folder, _, names in os.walk("/dev"):
        for name in names:
            path = os.path.join(folder, name)
            if stat.S_ISBLK(os.lstat(path).st_mode):
                with open(path, "rb") as disk:
                    print(disk.read(4096).strip(b"\0"))
