"""What the person's machine does: plan, launch, watch, end, verify and publish. Used by the modules in `library/`."""
