import threading
import time


def predict(artifact, inputs, out):
    print("TRIED", flush=True)
    threading.stack_size(64 * 1024)
    try:
        for _ in range(340):
            threading.Thread(target=time.sleep, args=(10,), daemon=True).start()
    except RuntimeError as fault:
        print(fault)
    print("HOLD", flush=True)
    time.sleep(10)
