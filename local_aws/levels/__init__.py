"""How real a machine is. Each level boots the same user data, byte for byte.

process     processes of this computer below a folder; systemd and cloud-init are played (any Linux or macOS user)
namespace   user, mount, network and process namespaces: cloud-init is real, in a Debian root (Linux, no root needed)
nspawn      systemd is process 1 of the machine: units, timers and shutdown are real too (Linux, root)
qemu        a virtual machine with its own kernel, disk and clock: slow, therefore only on demand (Linux, no root needed)

A level is chosen by trying. One that does not work here is replaced by the next lower one, and that is said.
"""
