"""Runs wire scripts (tests/wire/README.md) against a server.

expressions.py  the small language of values: "text", repeat("x", 10), crc32(body), ${name}
script.py       *.wire files to cases, steps, attributes and checks
connection.py   bytes on a socket: a strict HTTP/1.1 reader that trusts nothing
requests.py     a request step to signed bytes, in every body form that clients use
checks.py       an answer against the checks of an expect step
runner.py       a case from first to last step
gate.py         a TCP proxy that slices and stalls
"""
