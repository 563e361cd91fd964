"""The page of resources has every long-lived resource that an environment is checked for after its deployment."""

from __future__ import annotations

from chronos_training.control.provision.names import Names
from chronos_training.control.provision.survey import Survey
from chronos_training.control.provision.table import rows as resources

from .pages import ROOT, rows, section

TEXT = (ROOT / "docs/resources.md").read_text(encoding="utf-8")


def test_the_page_has_every_resource_of_an_environment():
    names = Names("<env>", "us-east-1", "chronos-training-<env>-<account>-<region>", {})
    page = section(TEXT, "Long-lived: made by provisioning, free of charge while no run is active").lower()
    wanted = resources(Survey(), names, 3)
    assert len(wanted) > 15
    assert [row.kind for row in wanted if row.kind.lower() not in page] == []
    named = [row.name for row in wanted if row.name.startswith(("chronos-training", "/chronos-training"))]
    missing = [name for name in named if name.rstrip("*").lower() not in page]
    # The names of the other policies are written short.
    short = ["publisher", "administrator", "monitor"]
    assert missing == [f"chronos-training-<env>-{task}" for task in short] and all(
        f"`-{task}`" in page for task in short
    )


def test_every_resource_has_class_owner_and_dependencies():
    for title, columns in (("Manual", 4), ("Long-lived", 4), ("Ephemeral", 3)):
        (heading,) = [line[3:] for line in TEXT.splitlines() if line.startswith(f"## {title}:")]
        part = section(TEXT, heading)
        assert "wner" in part and rows(part)
        assert all(len(row) == columns and all(row) for row in rows(part))
