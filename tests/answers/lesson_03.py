# %% 3.1 right
# unusual: another way
def pieces_by_recursion(word, vocabulary, prefix=""):
    for end in range(len(word), 0, -1):
        if prefix + word[:end] in vocabulary:
            if end == len(word):
                return [prefix + word]
            rest = pieces_by_recursion(word[end:], vocabulary, "##")
            return ["[UNK]"] if rest == ["[UNK]"] else [prefix + word[:end], *rest]
    return ["[UNK]"]
