"""What `mlm-course` can do, a file for each group of its help.

command.py     what a command is
learning.py    start, update, doctor, exercises
lab.py         opens JupyterLab on a learner's copies
publishing.py  publish, book
making.py      build, train, experiment, results
"""
