"""The inside of a machine at process level: one machine, as a tree of ordinary processes of the person who runs it.

It interprets `#cloud-config` as cloud-init would, and runs a small service manager that understands the subset of
systemd units that the project writes. Commands inside reach it by shims (`systemctl`, `shutdown`, `poweroff`) that lie
first on the PATH. Started by local_aws.machine_process only.
"""
