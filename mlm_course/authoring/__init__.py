"""From one complete source a lesson, course/NN_name.py, to lessons/ and solutions/.

source.py     reads and checks a source: exercises, solution blocks, tags
generated.py  the cells nobody writes: badges, budget line, bootstrap
notebooks.py  the two variants of a lesson as notebooks, with stable cell ids
execute.py    runs a notebook in a kernel, and measures it
build.py      writes everything, or says what differs
"""
