"""Which playbooks of the volatility stack need which permission."""

from __future__ import annotations

# What the deployer's role is enough for (roles/volatility_identity). The others write roles and keys: an administrator's.
DEPLOYER = (
    "publish_images", "deploy_volatility", "run_volatility", "promote_model", "rollback_model", "check_volatility",
    "load_test_volatility",
)  # fmt: skip
ADMINISTRATOR = ("provision_volatility", "teardown_volatility")
