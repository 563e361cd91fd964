"""Authorization as AWS does it, for every request: who calls, what the call needs, which policies allow or deny that.

principals    the principal behind an access key, with its policies
needs         what one request needs: actions, resources, condition context
policies      statements, and how they add up to a decision
conditions    condition operators and policy variables
gate          the WSGI layer; it also keeps which statement allowed what, for tests

Not here, because nothing of this project uses it: service control policies, cross-account access, ACLs, KMS key policies.
An element that is not known here is written to the daemon's log, and the request is denied.
"""
