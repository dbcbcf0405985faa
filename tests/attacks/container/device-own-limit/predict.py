import glob
import time


def predict(artifact, inputs, out):
    print("TRIED", flush=True)
    own = [line.strip().split(":", 2)[2] for line in open("/proc/self/cgroup")]
    for top in ("/sys/fs/cgroup", "/host/cgroup", "/host/cgroup/memory", "/sys/fs/cgroup/memory"):
        for group in {"", *own}:
            for name in ("memory.memsw.limit_in_bytes", "memory.limit_in_bytes", "memory.max"):
                for file in glob.glob(f"{top}{group}/{name}"):
                    try:
                        with open(file, "w") as limit:
                            limit.write("1000000000")
                    except OSError as fault:
                        print(fault)
    print("HOLD", flush=True)
    time.sleep(10)
