"""Fitted runs as files for other runtimes; what reads them is :mod:`ravl.runtime`."""
