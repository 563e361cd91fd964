"""Where moto differs from AWS in a way that this project meets. One file for one gap, each with its reason.

They patch moto's classes in the daemon's process before the first request. A gap that a later moto closes by itself
shows in its test, which then passes without the file.
"""

from __future__ import annotations

from local_aws.home import Home
from local_aws.moto_gaps import (
    account_limits,
    account_settings,
    bucket_policy,
    client_token,
    console_output,
    instance_attributes,
    instance_states,
    large_objects,
    launch_details,
    policy_simulation,
    public_parameters,
    service_linked_roles,
)


def close_all(home: Home) -> None:
    """Patch moto. Call once, before the first request."""
    public_parameters.close_gap()
    bucket_policy.close_gap()
    large_objects.close_gap(home.objects)
    instance_states.close_gap()
    launch_details.close_gap()
    instance_attributes.close_gap()
    account_limits.close_gap(home)  # before client_token: a repeated request starts nothing new
    client_token.close_gap()
    account_settings.close_gap()
    policy_simulation.close_gap()
    service_linked_roles.close_gap()
    console_output.close_gap(home.instances)
