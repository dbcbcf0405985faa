import ctypes
import json

libc = ctypes.CDLL(None, use_errno=True)
ADD_KEY, KEYCTL, LINK, UNLINK, SEARCH, READ, USERS, OWN = 248, 250, 8, 9, 10, 11, -4, -2


def predict(artifact, inputs, out):
    target = json.loads((artifact / "target.json").read_text())
    print("TRIED")
    if target["token"]:
        word = target["token"].encode()
        libc.syscall(ADD_KEY, b"user", b"practicum-attack", word, len(word), USERS)
    else:
        libc.syscall(KEYCTL, LINK, USERS, OWN)
        key = libc.syscall(KEYCTL, SEARCH, USERS, b"user", b"practicum-attack", 0)
        held = ctypes.create_string_buffer(200)
        libc.syscall(KEYCTL, READ, key, held, 200, 0)
        print(held.value.decode())
        libc.syscall(KEYCTL, UNLINK, key, USERS)
