"""`make bench`: the job's benchmark, the one that writes results.md. The others have a command of their own:

python -m benchmarks.s3_server    local EMR's S3 beside moto's
python -m benchmarks.soak         50 clusters, 500 steps, 8 clients
python -m benchmarks.logs         how fast logs are read
"""

from benchmarks.job import main

main()
