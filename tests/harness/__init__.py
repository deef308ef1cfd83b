"""What every test outside the C++ unit tests stands on.

server.py     one `espalier serve` process: start, restart, kill -9, stop, its log and its leaks
clients.py    boto3 sessions and clients for a server, with every answer checked
shapes.py     an answer against the output shape that botocore publishes for the operation
recorder.py   which operations were answered successfully, for docs/coverage.md
"""
