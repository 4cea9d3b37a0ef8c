"""Where the course's text comes from; nothing here needs a network.

- `tinyworld`: a small generated language with known hidden structure, so that the exact
  probability of every hidden word, and with it the lowest reachable loss, can be computed.
- `python_docs`: real English from the Python on this machine: its manual and docstrings.
- `boxes`: a puzzle of labelled boxes that cannot be solved without attention.
- `word_vectors`: vectors for the words of a text, by counting which words stand together.
- `pairs`: numbers, dates and cheques in two languages, with all right translations.
- `hub`: any text data set through Hugging Face `datasets`, or Python's manual when the hub
  cannot be reached.

Import the module you need (`from mlm_course.corpora import tinyworld`); this package itself
imports nothing.
"""
