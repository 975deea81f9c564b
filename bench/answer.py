"""What every server of the benchmarks answers with; by itself, so that the empty application imports nothing else."""

ANSWER = b'{"message":"api0@example.com"}'
