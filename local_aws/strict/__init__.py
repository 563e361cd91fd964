"""What AWS refuses and moto takes: every request is compared with the service's own rules before it reaches moto.

request    the request's parameters in the shape of botocore's model
model      the rules in botocore's models: required members, enumerations, patterns, lengths, ranges
documented the rules that only AWS's documents have, each with its source
gate       the WSGI layer; it refuses in the words and the wire form of the service

Authorization comes first (local_aws/iam): whoever may not ask is told that, not what is wrong with the question.
"""
