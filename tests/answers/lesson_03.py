# %% 3.1 right
# unusual: pairs of zips in one dictionary, words rebuilt from the right-hand neighbour
def bpe_step(words, counts):
    places = {}
    for word, n in zip(words, counts):
        for i in range(len(word) - 1):
            key = (word[i], word[i + 1])
            places[key] = places.get(key, 0) + n
    most = max(places.values())
    pair = sorted(key for key in places if places[key] == most)[0]

    def rebuilt(word):
        if len(word) < 2:
            return list(word)
        if (word[0], word[1]) == pair:
            return [word[0] + word[1]] + rebuilt(word[2:])
        return [word[0]] + rebuilt(word[1:])

    return pair, [rebuilt(word) for word in words]

# %% 3.1 right
# unusual: a sign that no word has marks the borders of pieces, and replace does the joining
def bpe_step(words, counts):
    every = Counter()
    for word, n in zip(words, counts):
        every.update({pair: n * m for pair, m in Counter(zip(word[:-1], word[1:])).items()})
    pair = max(sorted(every), key=lambda p: every[p])
    a, b = (f"\0\0{part}\0\0" for part in pair)
    texts = ["".join(f"\0\0{part}\0\0" for part in word).replace(a + b, f"\0\0{pair[0] + pair[1]}\0\0") for word in words]
    return list(pair), [text.strip("\0").split("\0\0\0\0") for text in texts]

# %% 3.1 wrong
# believes: the text is one long list of pieces, so each word counts once
# says: with most places in the list of words
def bpe_step(words, counts):
    frequency = Counter(pair for pieces in words for pair in zip(pieces, pieces[1:]))
    best = min(frequency, key=lambda pair: (-frequency[pair], pair))
    joined = []
    for pieces in words:
        new = []
        for piece in pieces:
            if new and (new[-1], piece) == best:
                new[-1] += piece
            else:
                new.append(piece)
        joined.append(new)
    return best, joined

# %% 3.1 wrong
# believes: most_common settles ties
# says: yours is the one that the list of words has first
def bpe_step(words, counts):
    frequency = Counter()
    for pieces, count in zip(words, counts):
        for pair in zip(pieces, pieces[1:]):
            frequency[pair] += count
    best = frequency.most_common(1)[0][0]
    joined = []
    for pieces in words:
        new = []
        for piece in pieces:
            if new and (new[-1], piece) == best:
                new[-1] += piece
            else:
                new.append(piece)
        joined.append(new)
    return best, joined

# %% 3.1 wrong
# believes: a word is a string with spaces
# says: only *ends* like the pair's first part
def bpe_step(words, counts):
    frequency = Counter()
    for pieces, count in zip(words, counts):
        for pair in zip(pieces, pieces[1:]):
            frequency[pair] += count
    best = sorted(frequency, key=lambda pair: (-frequency[pair], pair))[0]
    return best, [" ".join(w).replace(best[0] + " " + best[1], best[0] + best[1]).split(" ") for w in words]

# %% 3.1 wrong
# believes: the lists that came in may be joined in place
# says: changed its argument number 1 (words
def bpe_step(words, counts):
    frequency = Counter()
    for pieces, count in zip(words, counts):
        for pair in zip(pieces, pieces[1:]):
            frequency[pair] += count
    best = min(frequency, key=lambda pair: (-frequency[pair], pair))
    for pieces in words:
        i = 0
        while i < len(pieces) - 1:
            if (pieces[i], pieces[i + 1]) == best:
                pieces[i : i + 2] = ["".join(best)]
            i += 1
    return best, words

# %% 3.2 right
# unusual: from the top after each join, by recursion over the list
def cut_by_merges(word, merges):
    def grow(pieces):
        for a, b in merges:
            for i in range(1, len(pieces)):
                if pieces[i - 1] == a and pieces[i] == b:
                    return grow(pieces[: i - 1] + [a + b] + pieces[i + 1 :])
        return pieces

    return grow(list(word))

# %% 3.2 right
# unusual: each pair at all its places before the next look, as GPT-2's own code does
def cut_by_merges(word, merges):
    pieces = list(word)
    while True:
        pairs = [pair for pair in merges if pair in set(zip(pieces[:-1], pieces[1:]))]
        if not pairs:
            return pieces
        new = []
        for piece in pieces:
            if new and (new[-1], piece) == pairs[0]:
                new[-1] = new[-1] + piece
                new.append("")
            elif new and new[-1] == "":
                new[-1] = piece
            else:
                new.append(piece)
        pieces = [piece for piece in new if piece]

# %% 3.2 wrong
# believes: the list has been made in this order, so once through it is enough
# says: one walk through the list
def cut_by_merges(word, merges):
    pieces = list(word)
    for a, b in merges:
        i = 0
        while i + 1 < len(pieces):
            if pieces[i] == a and pieces[i + 1] == b:
                pieces[i : i + 2] = [a + b]
            i += 1
    return pieces

# %% 3.2 wrong
# believes: any pair of the list may be joined, from the left
# says: the leftmost pair first
def cut_by_merges(word, merges):
    pieces, i = list(word), 0
    while i + 1 < len(pieces):
        if (pieces[i], pieces[i + 1]) in merges:
            pieces[i : i + 2] = [pieces[i] + pieces[i + 1]]
            i = 0
        else:
            i += 1
    return pieces

# %% 3.2 wrong
# believes: the vocabulary is what the merges make, and the longest piece fits
# says: WordPiece's way
def cut_by_merges(word, merges):
    vocabulary = set(word) | {a + b for a, b in merges}
    pieces = []
    while word:
        n = max(n for n in range(1, len(word) + 1) if word[:n] in vocabulary)
        pieces.append(word[:n])
        word = word[n:]
    return pieces

# %% 3.2 wrong
# believes: some pair is always left
# says: IndexError
def cut_by_merges(word, merges):
    pieces = list(word)
    while len(pieces) > 1:
        pair = [m for m in merges if m in zip(pieces, pieces[1:])][0]
        i = list(zip(pieces, pieces[1:])).index(pair)
        pieces[i : i + 2] = ["".join(pair)]
    return pieces

# %% 3.3 right
# unusual: recursion, the longest first, with no way back
def pieces_by_recursion(word, vocabulary, prefix=""):
    for end in range(len(word), 0, -1):
        if prefix + word[:end] in vocabulary:
            if end == len(word):
                return [prefix + word]
            rest = pieces_by_recursion(word[end:], vocabulary, "##")
            return ["[UNK]"] if rest == ["[UNK]"] else [prefix + word[:end], *rest]
    return ["[UNK]"]

# %% 3.3 wrong
# believes: what was built before the gap is kept and [UNK] stands for the rest
# says: pieces before the dead end were kept
def longest_match(word: str, vocabulary: set[str]) -> list[str]:
    pieces = []
    start = 0
    while start < len(word):
        for end in range(len(word), start, -1):
            piece = word[start:end] if start == 0 else "##" + word[start:end]
            if piece in vocabulary:
                pieces.append(piece)
                start = end
                break
        else:
            pieces.append("[UNK]")
            break
    return pieces

# %% 3.3 wrong
# believes: if the longest piece leads to a dead end, a shorter one is tried
# says: WordPiece never takes a piece back
def longest_match(word: str, vocabulary: set[str]) -> list[str]:
    def cut(rest: str, prefix: str):
        if not rest:
            return []
        for end in range(len(rest), 0, -1):
            if prefix + rest[:end] in vocabulary:
                tail = cut(rest[end:], "##")
                if tail is not None:
                    return [prefix + rest[:end]] + tail
        return None

    pieces = cut(word, "")
    return ["[UNK]"] if pieces is None else pieces

# %% 3.3 wrong
# believes: the ## is only for display, so the vocabulary is asked without it
# says: looked up without ##
def longest_match(word: str, vocabulary: set[str]) -> list[str]:
    pieces = []
    while word:
        n = len(word)
        while n > 0 and word[:n] not in vocabulary:
            n -= 1
        if n == 0:
            return ["[UNK]"]
        pieces.append(("##" if pieces else "") + word[:n])
        word = word[n:]
    return pieces

# %% 3.3 wrong
# believes: range(len(word)) reaches the end of the word (slices stop one letter early)
# says: no piece that reaches the end
def longest_match(word: str, vocabulary: set[str]) -> list[str]:
    pieces, start = [], 0
    while start < len(word):
        found = None
        for end in range(start + 1, len(word)):
            candidate = ("##" if start > 0 else "") + word[start:end]
            if candidate in vocabulary:
                found, stop = candidate, end
        if found is None:
            return ["[UNK]"]
        pieces.append(found)
        start = stop
    return pieces

# %% 3.3 wrong
# believes: grow a piece for as long as it is in the vocabulary; stop at the first that is not
# says: A piece grows as long as
def longest_match(word: str, vocabulary: set[str]) -> list[str]:
    pieces, start = [], 0
    while start < len(word):
        prefix = "##" if start else ""
        end = start
        while end < len(word) and prefix + word[start : end + 1] in vocabulary:
            end += 1
        if end == start:
            return ["[UNK]"]
        pieces.append(prefix + word[start:end])
        start = end
    return pieces

# %% 3.3 right
# unusual: recursion on what is left, with the vocabulary searched instead of the word
def longest_match(word: str, vocabulary: set[str]) -> list[str]:
    def rest_of(rest: str, mark: str) -> list:
        if not rest:
            return []
        fits = [p for p in vocabulary if len(p) > len(mark) and p.startswith(mark)]
        fits = [p for p in fits if rest.startswith(p[len(mark) :])]
        if not fits:
            return [None]
        piece = max(fits, key=len)
        return [piece, *rest_of(rest[len(piece) - len(mark) :], "##")]

    pieces = rest_of(word, "")
    return ["[UNK]"] if None in pieces else pieces

# %% 3.3 wrong
# believes: else belongs to the if
# says: only the first candidate is tried
def longest_match(word, vocabulary):
    pieces, start = [], 0
    while start < len(word):
        prefix = "##" if start > 0 else ""
        for end in range(len(word), start, -1):
            if prefix + word[start:end] in vocabulary:
                pieces.append(prefix + word[start:end])
                start = end
                break
            else:
                return ["[UNK]"]
    return pieces

# %% 3.3 wrong
# believes: the last letter need not be looked at
# says: no piece that reaches the end
def longest_match(word, vocabulary):
    pieces, start = [], 0
    while start < len(word):
        prefix = "##" if start > 0 else ""
        for end in range(len(word) - 1, start, -1):
            if prefix + word[start:end] in vocabulary:
                pieces.append(prefix + word[start:end])
                start = end
                break
        else:
            return ["[UNK]"]
    return pieces

# %% 3.3 wrong
# says: as one piece
def longest_match(word, vocabulary):
    return [word]

# %% 3.3 wrong
# says: Every word comes out as [UNK]
def longest_match(word, vocabulary):
    return ["[UNK]"]

# %% 3.4 right
# unusual: all beginnings are there, so that only one rest is needed
def harmful_piece():
    letters = "gniks"
    return ["##" + letter for letter in letters] + ["m", "##asking", "##asked", "mask", "x"][::4] + ["##asked", "##asking"], "ma"

# %% 3.4 right
# unusual: a set, and pieces of other words besides
def harmful_piece():
    return {"m", "##asking", "##asked", "##in", "##s", "##k", "##i", "##n", "##g", "un"} - {"##in"}, "ma"

# %% 3.4 wrong
# believes: a long beginning spoils most
# says: 'masking' is cut into mask ##i ##n ##g (4)
def harmful_piece():
    return ["mas", "##king", "##ked", "##i", "##n", "##g"], "mask"

# %% 3.4 wrong
# believes: all letters belong into a vocabulary
# says: 'masked' is cut into ma ##s ##k ##e ##d (5)
def harmful_piece():
    return ["m", "##asking", "##asked"] + ["##" + letter for letter in "abcdefghijklmnopqrstuvwxyz"], "ma"

# %% 3.4 wrong
# believes: pieces inside a word need no ##
# says: `pieces` alone cuts 'masking' into [UNK] (1)
def harmful_piece():
    return ["m", "asking", "asked", "s", "k", "i", "n", "g"], "ma"

# %% 3.4 wrong
# says: two things
def harmful_piece():
    return ["m", "##asking", "##asked", "ma"]

# %% 3.5 right
# unusual: regular expression for the words, an iterator over them, places within each
def offsets(text, tokens):
    import re

    words = re.finditer(r"[^ ]+", text)
    result, at, stop = [], 0, 0
    for token in tokens:
        if token in {"[CLS]", "[SEP]"}:
            result.append((0, 0))
        elif token.startswith("##"):
            result.append((at, at + len(token) - 2))
            at += len(token) - 2
        else:
            word = next(words)
            at, stop = word.span()
            length = stop - at if token == "[UNK]" else len(token)
            result.append((at, at + length))
            at += length
    return result

# %% 3.5 right
# unusual: a list of the places of all characters that are no spaces, used up from the front; lists as pairs
def offsets(text, tokens):
    places = [i for i, sign in enumerate(text) if sign != " "]
    out = []
    for token in tokens:
        if token == "[CLS]" or token == "[SEP]":
            out.append([0, 0])
            continue
        n = len(token[2:] if token[:2] == "##" else token)
        if token == "[UNK]":
            n = 1
            while n < len(places) and places[n] == places[n - 1] + 1:
                n += 1
        mine, places = places[:n], places[n:]
        out.append([mine[0], mine[-1] + 1])
    return out

# %% 3.5 wrong
# believes: find finds it
# says: got the first place in the text that spells it
def offsets(text, tokens):
    out, end, low = [], 0, text.lower()
    for token in tokens:
        if token in ("[CLS]", "[SEP]"):
            out.append((0, 0))
            continue
        if token == "[UNK]":
            start = end
            while text[start] == " ":
                start += 1
            length = len(text[start:].split()[0])
        else:
            piece = token.replace("##", "")
            start, length = low.index(piece), len(piece)
        end = start + length
        out.append((start, end))
    return out

# %% 3.5 wrong
# believes: words are separated by one space
# says: several spaces
def offsets(text, tokens):
    out, end = [], 0
    for token in tokens:
        if token in ("[CLS]", "[SEP]"):
            out.append((0, 0))
            continue
        start = end + 1 if text[end] == " " else end
        length = len(text[start:].split()[0]) if token == "[UNK]" else len(token.replace("##", ""))
        end = start + length
        out.append((start, end))
    return out

# %% 3.5 wrong
# believes: only tokens of text have a place
# says: those of [CLS] and [SEP] are missing
def offsets(text, tokens):
    out, end = [], 0
    for token in tokens[1:-1]:
        start = end
        while text[start].isspace():
            start += 1
        end = start + (len(text[start:].split()[0]) if token == "[UNK]" else len(token.replace("##", "")))
        out.append((start, end))
    return out

# %% 3.6 right
# unusual: from a formula for the starts
def windows_with_context(n_tokens, length, context):
    step = length - 2 * context
    starts = range(0, max(n_tokens - 2 * context, 1), step)
    out = []
    for k, start in enumerate(starts):
        is_last = k == len(starts) - 1
        first = 0 if k == 0 else start + context
        last = n_tokens if is_last else start + length - context
        out.append((start, n_tokens if is_last else start + length, first, last))
    return out

# %% 3.6 right
# unusual: token by token, with the rule itself; the package cuts
def windows_with_context(n_tokens, length, context):
    windows = tokenization.chunk(list(range(n_tokens)), length, length - 2 * context)
    out, done = [], 0
    for window in windows:
        start, end = window[0], window[-1] + 1
        last = done
        while last < n_tokens and (end == n_tokens or last + context < end):
            last += 1
        out.append((start, end, done, last))
        done = last
    return out

# %% 3.6 wrong
# believes: an overlap of `context` gives `context` on both sides
# says: share `context` tokens
def windows_with_context(n_tokens, length, context):
    out, start, done = [], 0, 0
    while True:
        end = min(n_tokens, start + length)
        last = n_tokens if end == n_tokens else end - context
        out.append((start, end, done, last))
        if end == n_tokens:
            return out
        done = last
        start += length - context

# %% 3.6 wrong
# believes: range(0, n_tokens, step) makes the right number of windows
# says: windows too many at the end
def windows_with_context(n_tokens, length, context):
    out, done = [], 0
    for start in range(0, n_tokens, length - 2 * context):
        end = min(start + length, n_tokens)
        last = n_tokens if end == n_tokens else end - context
        out.append((start, end, done, last))
        done = last
    return out

# %% 3.6 wrong
# believes: the first tokens lack context and cannot be read
# says: The first tokens of the text are read nowhere
def windows_with_context(n_tokens, length, context):
    out, start = [], 0
    while True:
        end = min(n_tokens, start + length)
        last = n_tokens if end == n_tokens else end - context
        out.append((start, end, start + context, last))
        if end == n_tokens:
            return out
        start += length - 2 * context

# %% 3.6 wrong
# believes: the last window must be full
# says: moved back to be full
def windows_with_context(n_tokens, length, context):
    out, start, done = [], 0, 0
    while start + length < n_tokens:
        out.append((start, start + length, done, start + length - context))
        done = start + length - context
        start += length - 2 * context
    out.append((max(0, n_tokens - length), n_tokens, done, n_tokens))
    return out

# %% 3.7 right
# unusual: a tensor of -1, written into row by row, with the room left kept aside
def first_fit(lengths, room):
    table = torch.full((len(lengths), room), -1)
    left = torch.full((len(lengths),), room)
    for text, length in enumerate(lengths):
        row = int((left > length).nonzero()[0])
        at = room - int(left[row])
        table[row, at : at + length + 1] = text
        left[row] -= length + 1
    return table[: int((left < room).sum())]

# %% 3.7 right
# unusual: for and else
def first_fit(lengths, room):
    rows = []
    for text in range(len(lengths)):
        mine = [text] * (lengths[text] + 1)
        for row in rows:
            if len(row) + len(mine) <= room:
                row.extend(mine)
                break
        else:
            rows.append(mine)
    for row in rows:
        while len(row) < room:
            row.append(-1)
    return torch.tensor(rows, dtype=torch.long)

# %% 3.7 wrong
# believes: a row that is left is closed
# says: in the newest row only
def first_fit(lengths, room):
    rows = [[]]
    for text, length in enumerate(lengths):
        if len(rows[-1]) + length + 1 > room:
            rows.append([])
        rows[-1].extend([text] * (length + 1))
    return torch.tensor([row + [-1] * (room - len(row)) for row in rows])

# %% 3.7 wrong
# believes: the last text of a row needs no [SEP]
# says: placed without its [SEP]
def first_fit(lengths, room):
    rows = []
    for text, length in enumerate(lengths):
        for row in rows:
            if len(row) + length <= room:
                row.extend([text] * (length + 1))
                break
        else:
            rows.append([text] * (length + 1))
    return torch.tensor([(row + [-1] * room)[:room] for row in rows])

# %% 3.7 wrong
# believes: a list of rows is a tensor
# says: expected is an int64 tensor
def first_fit(lengths, room):
    rows = []
    for text, length in enumerate(lengths):
        row = next((row for row in rows if len(row) + length + 1 <= room), None)
        if row is None:
            rows.append(row := [])
        row.extend([text] * (length + 1))
    return [row + [-1] * (room - len(row)) for row in rows]

# %% 3.7 wrong
# believes: padding is text 0
# says: the number of the first text
def first_fit(lengths, room):
    rows = []
    for text, length in enumerate(lengths):
        row = next((row for row in rows if len(row) + length + 1 <= room), None)
        if row is None:
            rows.append(row := [])
        row.extend([text] * (length + 1))
    table = torch.zeros(len(rows), room, dtype=torch.long)
    for i, row in enumerate(rows):
        table[i, : len(row)] = torch.tensor(row)
    return table
