"""The system calls an untrusted program may make; every other is refused by the kernel, with EPERM.

Stricter than an engine's own filter, whose content depends on the engine's age. Python, numpy and torch run with threads,
processes and shared memory; on a GPU it has not been tried. What is missing on purpose: mounting, namespaces, tracing other
processes, the kernel's keys, logs and programs, user-handled page faults, I/O rings (the kernel would work past this
filter), setting clocks, and every socket but Unix, IPv4, IPv6 and netlink: a virtual machine's channel to its host
(vsock) is closed by no network setting.

``clone3`` answers ENOSYS, so that the C library falls back to ``clone``, whose flags can be looked at. A call of another
architecture ends the program.
"""

from __future__ import annotations

import json
import socket

ALLOW, REFUSE = "SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO"
ENOSYS = 38
# CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET.
NEW_NAMESPACES = 0x7E020000
SOCKETS = (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK)
# Linux, 32-bit Linux, and both without random addresses (which debuggers and some runtimes ask for); reading it.
PERSONALITIES = (0x0, 0x8, 0x40000, 0xFFFFFFFF)

FILES = """
access chdir chmod chown close close_range copy_file_range creat dup dup2 dup3 faccessat faccessat2 fadvise64 fallocate
fchdir fchmod fchmodat fchmodat2 fchown fchownat fcntl fdatasync fgetxattr flistxattr flock fremovexattr fsetxattr fstat
fstatfs fsync ftruncate futimesat getcwd getdents getdents64 getxattr inotify_add_watch inotify_init inotify_init1
inotify_rm_watch io_cancel io_destroy io_getevents io_pgetevents io_setup io_submit ioctl lchown lgetxattr link linkat
listxattr llistxattr lremovexattr lseek lsetxattr lstat memfd_create mkdir mkdirat mknod mknodat newfstatat open openat
openat2 pipe pipe2 pread64 preadv preadv2 pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv removexattr
rename renameat renameat2 rmdir sendfile setxattr splice stat statfs statx symlink symlinkat sync sync_file_range syncfs
tee truncate umask unlink unlinkat utime utimensat utimes vmsplice write writev
"""
MEMORY = """
brk cachestat get_robust_list madvise membarrier mincore mlock mlock2 mlockall mmap mprotect mremap msync munlock
munlockall munmap pkey_alloc pkey_free pkey_mprotect remap_file_pages set_robust_list shmat shmctl shmdt shmget
"""
PROCESSES = """
arch_prctl capget capset execve execveat exit exit_group fork futex futex_requeue futex_wait futex_waitv futex_wake
get_thread_area getcpu getegid geteuid getgid getgroups getpgid getpgrp getpid getppid getpriority getresgid getresuid
getrlimit getrusage getsid gettid getuid ioprio_get ioprio_set kill landlock_add_rule landlock_create_ruleset
landlock_restrict_self pidfd_open pidfd_send_signal prctl prlimit64 restart_syscall rseq sched_get_priority_max
sched_get_priority_min sched_getaffinity sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval
sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield seccomp set_thread_area set_tid_address
setfsgid setfsuid setgid setgroups setpgid setpriority setregid setresgid setresuid setreuid setrlimit setsid setuid
sysinfo times ugetrlimit uname vfork wait4 waitid
"""
SIGNALS_AND_TIME = """
alarm clock_getres clock_gettime clock_nanosleep getitimer gettimeofday nanosleep pause rt_sigaction rt_sigpending
rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_tgsigqueueinfo setitimer sigaltstack
signalfd signalfd4 tgkill time timer_create timer_delete timer_getoverrun timer_gettime timer_settime timerfd_create
timerfd_gettime timerfd_settime tkill
"""
TALKING = """
accept accept4 bind connect epoll_create epoll_create1 epoll_ctl epoll_pwait epoll_pwait2 epoll_wait eventfd eventfd2
getpeername getrandom getsockname getsockopt listen mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedsend
mq_unlink msgctl msgget msgrcv msgsnd poll ppoll pselect6 recvfrom recvmmsg recvmsg select semctl semget semop
semtimedop sendmmsg sendmsg sendto setsockopt shutdown socketpair
"""
CALLS = sorted(" ".join((FILES, MEMORY, PROCESSES, SIGNALS_AND_TIME, TALKING)).split())


def profile() -> str:
    """The filter as the engine takes it, in JSON."""
    rules: list[dict[str, object]] = [
        {"names": CALLS, "action": ALLOW},
        {"names": ["clone"], "action": ALLOW, "args": [_argument(0, NEW_NAMESPACES, "SCMP_CMP_MASKED_EQ")]},
        {"names": ["clone3"], "action": REFUSE, "errnoRet": ENOSYS},
    ]
    rules += [{"names": ["socket"], "action": ALLOW, "args": [_argument(0, int(family))]} for family in SOCKETS]
    rules += [{"names": ["personality"], "action": ALLOW, "args": [_argument(0, value)]} for value in PERSONALITIES]
    return json.dumps({"defaultAction": REFUSE, "syscalls": rules})


def _argument(index: int, value: int, how: str = "SCMP_CMP_EQ") -> dict[str, object]:
    """A condition on an argument; masked, the bits of ``value`` must all be 0."""
    return {"index": index, "value": value, "valueTwo": 0, "op": how}
