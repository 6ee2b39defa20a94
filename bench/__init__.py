"""The benchmark suite: `python -m bench [figure…]`.

Every figure is a ratio against a peer, measured in turns with it in the same run, so that whatever
else the machine does falls on both. What is compared is CPU time. Nothing here is a test.
"""
