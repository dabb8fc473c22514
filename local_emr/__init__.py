"""local EMR: the Amazon EMR protocol on 127.0.0.1, with real Spark behind it.

One process and one port serve EMR and S3, which are ours, and EC2, IAM and STS, which are moto's: a client needs only
`AWS_ENDPOINT_URL` and any credentials. It is a program of its own, the other side of the wire: it knows nothing of
the workflow that talks to it, which may import nothing of it but `local_emr.control`, to start and stop it.

    python -m local_emr --port 4566 --home .local_emr
"""
