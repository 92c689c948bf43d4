"""Speed and quality, measured: `make bench` runs all, `python -m benchmarks NAME ...` some."""
