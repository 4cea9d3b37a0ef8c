"""From one complete source a lesson, course/NN_name.py, to lessons/ and solutions/.

cells.py          what a lesson is made of, and how a place in it is named
source.py         reads a source
checks.py         what a source has to keep to: exercises, solution blocks, tags
practice_data.py  what mlm_course/exercises says about a lesson's exercises
effort.py         hours for a learner
generated.py      what nobody writes: badges, budget line, set-up, frames of exercises
notebooks.py      the two variants of a lesson as notebooks, with stable cell ids
saving.py         what JupyterLab stores of the widgets in a notebook
outputs.py        whether stored outputs still hold
execute.py        runs a notebook in a kernel, and measures it
files.py          writes several files, all or none
differences.py    what a stored notebook says otherwise than its source
copies.py         a learner's own copies of the lessons
build.py          puts all of it together
"""
