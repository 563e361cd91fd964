"""Container images: built, pushed and run by whatever this computer has.

Two levels, which are the image's own: the builder decides by what it makes.

process      the image is this computer's interpreter with the locked packages and the files that are copied; it runs as
             processes of this computer, with its paths translated. Any machine, no privilege. The default.
container    the real image, made by docker, podman or buildah; it runs in runc or docker, its memory limit enforced.

    python -m local_aws.containers build -t REPOSITORY:TAG [-f FILE] [--target STAGE] [--build-arg NAME=VALUE] CONTEXT
    python -m local_aws.containers login REGISTRY --username AWS --password-stdin
    python -m local_aws.containers push REPOSITORY:TAG
"""
