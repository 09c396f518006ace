"""The processes that send and receive while a drill runs.

Each is a process of its own, so that it can be killed like any other part of the system, and so that its time is
its own. It is told what to do by one argument, writes the lines of the history to standard output, and ends when
its standard input closes: the load cannot outlive the run.
"""
