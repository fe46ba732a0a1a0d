#!/usr/bin/env python3
"""vmctl is asked to do something, and the way to its host goes between two tries of that.

usage: vmctl_cut.py VMCTL CONF SNMPD COMMAND...

COMMAND asks on a terminal before it acts, which is the time to stop SNMPD (a pid): the first try
goes out and is not answered. Then br0 goes down until vmctl says that nothing can be sent, and both
come back. Prints what vmctl printed; ends as it does.
"""

import os
import pty
import signal
import subprocess
import sys
import time

vmctl, conf, snmpd = sys.argv[1], sys.argv[2], int(sys.argv[3])
said = b""


def until(text):
    """Reads until vmctl has said it; False where it ended before."""
    global said
    while text not in said:
        try:
            said += os.read(tty, 4096)
        except OSError:
            return False
    return True


def bridge(state):
    subprocess.run(["ip", "link", "set", "br0", state], check=True)


pid, tty = pty.fork()
if pid == 0:
    os.execv(vmctl, [vmctl, "-f", conf, "--timeout", "1s"] + sys.argv[4:])
until(b"[y/N]")
os.kill(snmpd, signal.SIGSTOP)
os.write(tty, b"y\n")
time.sleep(0.5)  # of the second until the next try
bridge("down")
until(b"nothing can be sent")
bridge("up")
os.kill(snmpd, signal.SIGCONT)
until(b"no such words")
print(said.decode())
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
