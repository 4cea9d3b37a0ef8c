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
carrying.py       a learner's answers into a newer lesson
addresses.py      where a course may be published
publishing.py     address, tag and version, wherever they stand
trial.py          tries what was published as a learner would
build.py          puts all of it together
book.py           the solved lessons as a web site; its parts:
book_pages.py     a solved lesson as a page
book_lists.py     glossary, exercises, figures and the other pages
book_landing.py   the first page
book_weight.py    what of the theme no page needs
book_sphinx.py    what Sphinx has not: MathML, links to the glossary
book_static/      what brings a page's widgets to life, and its looks
"""
