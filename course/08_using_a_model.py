# %% [markdown]
# # Lesson 8: Using a model
#
# Hardly anybody needs gaps filled. But what an encoder has learned on the way may be worth a lot
# elsewhere. This lesson takes the model of documentation that lesson 7 read, puts small heads on
# its encoder, and gives it three tasks with few labels. Each time it measures honestly what the
# pretraining was worth.
#
# By the end you will be able to
#
# - turn a text into one vector, and train a classifier on it while the encoder stays as it is;
# - judge answers by precision, recall and F1, and say when accuracy flatters;
# - fine-tune the encoder to tag words and to find an answer in a text;
# - tell what pretraining adds, by comparing with random weights and with no network at all;
# - say what such a model cannot do as it is.
#
# You need lessons 3, 6 and 7.

# %%
import matplotlib.pyplot as plt
import torch
from torch import Tensor

from mlm_course.models import Encoder, load_pretrained
from mlm_course.practice import check, hint, progress, quiz, solution
from mlm_course.views.figures import show_figure

# %% [markdown]
# ## 1. A class for a text
#
# The encoder is put to *other* use: keep it, throw away the layer that fills gaps, and put a small
# new **head** on top, trained with a few labels for one task. Such a task is called a
# **downstream task** (Devlin et al. 2019, section 3.2). (Here a head is a last layer; it has nothing
# to do with attention heads. What was saved of a training, our encoder's parameters, is called a
# **checkpoint**.)

# %%
model, tokenizer = load_pretrained("python_docs")
c = model.config
print(f"an encoder of {c.n_layers} blocks; each token's vector has {c.d_model} dimensions")

# %% [markdown]
# Our first one is a relative of sentiment: is something *bad* or *very bad*? When a program
# complains, its author has decided whether that is an *error* (`raise ...`) or only a *warning*
# (`warnings.warn(...)`). We read the messages, and these decisions, from the source code of two
# packages. The model has never seen these texts: it was trained on docstrings. (Docstrings of these
# modules it may have seen.)

# %%
from mlm_course.corpora import labelled

PACKAGES = ["numpy", "sklearn"]
messages = labelled.messages(PACKAGES)
train_all, test_all = labelled.split_by_held_out(messages, 0.25)  # no module on both sides


def balanced(items: list[labelled.Message], seed: int) -> list[labelled.Message]:
    """As many errors as warnings, shuffled."""
    g = torch.Generator().manual_seed(seed)
    mixed = [items[i] for i in torch.randperm(len(items), generator=g).tolist()]
    kinds = [[item for item in mixed if item.kind == kind] for kind in labelled.KINDS]
    return [item for pair in zip(*kinds) for item in pair]


train_messages, test_messages = balanced(train_all, 0), balanced(test_all, 1)

# %% tags=["nbval-ignore-output"]
print(len(train_messages), "to train on,", len(test_messages), "to test on")
for item in test_messages[:4]:
    print(f"   {item.kind:8} {item.text[:100]}")

# %% tags=["author"]
assert len(train_messages) > 300 and len(test_messages) > 80

# %% [markdown]
# A text needs *one* vector. BERT takes the vector of `[CLS]`. Our checkpoint was trained on packed
# rows in which no `[CLS]` occurs, so that vector knows nothing. We take the mean of all tokens'
# vectors, which works well in general (Reimers and Gurevych 2019, section 6).
#
# ### Exercise 8.1: the mean of a text
# `x` `(B, T, D)`, `visible` `(B, T)` boolean, False at padding (every row has some tokens) -> the
# mean of each row's vectors, `(B, D)`, padding neither added nor counted.


# %% exercise="8.1"
def mean_of_text(x: Tensor, visible: Tensor) -> Tensor:
    """The mean of the vectors of each text, without padding."""
    ### BEGIN SOLUTION
    weights = visible[..., None].float()  # (B, T, 1)
    return (x * weights).sum(1) / weights.sum(1)
    ### END SOLUTION


# %%
check("8.1", mean_of_text)

# %% [markdown]
# First we leave the encoder as it is, **frozen**, and train nothing but a linear classifier on its
# vectors. This is called a **linear probe** (Alain and Bengio 2016): what it finds must be in the
# vectors already. Two rivals keep us honest:
#
# - the *same encoder with random weights*. Whatever the probe gets out of that is not the merit of
#   pretraining;
# - *no network at all*: which words and pairs of words occur (a "bag of words"), with the same kind
#   of classifier.

# %%
from mlm_course.models.heads import mean_over_tokens


@torch.no_grad()
def text_vectors(encoder: Encoder, ids: Tensor) -> Tensor:
    """One vector for each row of ids, (N, T) -> (N, D), worked out in batches of like lengths."""
    lengths = (ids != 0).sum(1)
    vectors = torch.empty(len(ids), encoder.config.d_model)
    for rows in lengths.argsort().split(64):
        batch = ids[rows, : lengths[rows].max()]  # no more padding than this batch needs
        vectors[rows] = mean_over_tokens(encoder(batch, batch != 0), batch != 0)
    return vectors


# %%
from sklearn.feature_extraction.text import TfidfVectorizer

from mlm_course.corpora import labelled_rows

untrained = Encoder(model.config).eval()
rows = labelled_rows.encode_messages(tokenizer, train_messages, 64)
test_rows = labelled_rows.encode_messages(tokenizer, test_messages, 64)
features = {}
for name, encoder in {"pretrained": model.encoder, "random weights": untrained}.items():
    train_x, test_x = (text_vectors(encoder, r.ids) for r in (rows, test_rows))
    mean, spread = train_x.mean(0), train_x.std(0)  # of each of the D dimensions
    features[name] = [((x - mean) / spread).numpy() for x in (train_x, test_x)]
words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
words.fit([item.text for item in train_messages])
features["bag of words"] = [
    words.transform([item.text for item in items]) for items in (train_messages, test_messages)
]

# %% [markdown]
# A classifier on hundreds of dimensions can learn a few labels by heart. `C` holds it back: the
# smaller it is, the smaller the weights are kept. Each rival gets the `C` that suits it, chosen on
# the training side alone by cross-validation (a quarter of the texts is held out, four times). Then
# we train with 20 labels and more, and take the mean of three draws, because with few labels it
# matters a lot which.

# %%
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

label_counts = [20, 60, 180, len(train_messages)]
curves = {name: [] for name in features}
best_c = {}
for name, (train_x, test_x) in features.items():
    search = GridSearchCV(LogisticRegression(max_iter=300), {"C": [0.001, 0.01, 0.1, 1, 10]}, cv=4)
    best_c[name] = search.fit(train_x, rows.labels.numpy()).best_params_["C"]
    for n in label_counts:
        right = []
        for draw in range(3):
            g = torch.Generator().manual_seed(draw)
            chosen = torch.randperm(len(train_messages), generator=g)[:n].numpy()
            probe = LogisticRegression(C=best_c[name], max_iter=300)
            probe.fit(train_x[chosen], rows.labels[chosen].numpy())
            right.append(probe.score(test_x, test_rows.labels.numpy()))
        curves[name].append(sum(right) / len(right))

# %% tags=["nbval-ignore-output"]
fig, ax = plt.subplots()
for name, accuracies in curves.items():
    ax.semilogx(label_counts, accuracies, label=name)
ax.set(xlabel="labels", ylabel="accuracy on other modules")
ax.set_xticks(label_counts, label_counts)
ax.minorticks_off()
fig.legend(loc="outside upper left", ncols=3)
last = ", ".join(f"{name} {accuracies[-1]:.2f}" for name, accuracies in curves.items())
show_figure(fig, f"Accuracy with {label_counts[-1]} labels: {last}.")
print("labels         ", *[f"{n:5}" for n in label_counts], "     C")
for name, accuracies in curves.items():
    print(f"{name:15}", *[f"{a:5.2f}" for a in accuracies], f"{best_c[name]:6g}")

# %% tags=["nbval-ignore-output"]
probe = LogisticRegression(C=best_c["bag of words"])
probe.fit(features["bag of words"][0], rows.labels.numpy())
weight, word = torch.tensor(probe.coef_[0]), words.get_feature_names_out()
print("words that speak most for a warning:", *word[weight.topk(6).indices], sep="  ")
print("words that speak most for an error: ", *word[(-weight).topk(6).indices], sep="  ")

# %% tags=["author"]
assert curves["pretrained"][-1] > 0.6
assert curves["bag of words"][-1] > max(curves["pretrained"][-1], curves["random weights"][-1])
assert abs(curves["pretrained"][-1] - curves["random weights"][-1]) < 0.12

# %% [markdown]
# *In words: on so few test messages a difference of .05 can be luck, so look at the larger ones.
# What pretraining adds to random weights is hardly more than that, if anything. With all labels the
# bag of words is ahead of both: single words give the answer away.*

# %% [markdown]
# **Accuracy** is the share of right answers. It hides *which* mistakes are made. For one class, say
# "warning":
#
# - **precision**: of all texts called a warning, how many are one?
# - **recall**: of all warnings, how many were called one?
# - **F1**: one number for both, `2 * precision * recall / (precision + recall)`, or, with counts,
#   `2 * right / (predicted + actual)`.
#
# All of them can be read off a **confusion matrix**, a table of how often each class was taken for
# which.
#
# ### Exercise 8.2: precision, recall, F1
# `counts` `(C, C)`: `counts[i, j]` items of class `i` were predicted to be `j`. Return three
# numbers (tensors without dimensions): precision, recall and F1, each worked out for every class
# and then averaged over the classes ("macro"). 0 / 0 counts as 0: a class may never be predicted.


# %% exercise="8.2"
def macro_scores(counts: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Macro precision, recall and F1 of a confusion matrix, actual classes in rows."""
    ### BEGIN SOLUTION
    right, predicted, actual = counts.diagonal(), counts.sum(0), counts.sum(1)  # (C,) each
    precision = right / predicted.clamp(min=1)
    recall = right / actual.clamp(min=1)
    f1 = 2 * right / (predicted + actual).clamp(min=1)
    return precision.mean(), recall.mean(), f1.mean()
    ### END SOLUTION


# %%
check("8.2", macro_scores)

# %% tags=["nbval-ignore-output"]
from mlm_course import evaluation

train_x, test_x = features["pretrained"]
probe = LogisticRegression(C=best_c["pretrained"], max_iter=300)
probe.fit(train_x, rows.labels.numpy())
counts = evaluation.confusion(torch.tensor(probe.predict(test_x)), test_rows.labels, n_classes=2)
print("rows: what it is, columns: what the probe says", labelled.KINDS)
print(counts.numpy())
scores = evaluation.classification_scores(counts)
print("   ".join(f"{name} {value:.2f}" for name, value in scores._asdict().items()))

# %% [markdown]
# Why not just accuracy? In these packages, errors are far more common than warnings. Without the
# balancing, a program that always says "error" is right most of the time:

# %% tags=["nbval-ignore-output"]
from collections import Counter

print(Counter(item.kind for item in messages))

# %%
lopsided = torch.tensor([[90, 0], [10, 0]])  # 90 errors, 10 warnings, all called errors
scores = evaluation.classification_scores(lopsided)
print("   ".join(f"{name} {value:.2f}" for name, value in scores._asdict().items()))

# %% [markdown]
# ## 2. A tag for each word
#
# Second task: find the names in a sentence, and say what they name. Authors of docstrings mark code
# as such: ```If ``None``, `axis` is ignored.``` We take the marks off, and the model has to say
# where they were: which words name a *parameter* of the function, which a *value* (`None`, a
# number, a string), and which *other code*. Authors forget marks, so the labels are not perfect;
# labels never are.
#
# An **entity** is a stretch of words that names one thing. The marks become tags, one for each word:
# **B-** begins an entity, **I-** goes on with it, **O** is outside.
#
# The sentences to test on come from modules that were held out when the model was pretrained, and
# sentences that another module of NumPy, SciPy or scikit-learn repeats word for word are left out:
# it has never read them. (The modules' names come from the record of an experiment; section 4 has
# more of it.)

# %%
from mlm_course.results import recorded

record = recorded("downstream")
unseen = set(record["test_modules"])
train_tagged, held_out = labelled.split_by_held_out(labelled.tagged_sentences(PACKAGES), unseen)
elsewhere = [*PACKAGES, "scipy"]
test_tagged = labelled.not_said_elsewhere(held_out, elsewhere, own=unseen)

# %% tags=["nbval-ignore-output"]
print(f"{len(train_tagged)} to train on, {len(test_tagged)} to test on", end="; ")
print(f"{len(held_out) - len(test_tagged)} held-out ones are repeated elsewhere")
(largest, size), *_ = Counter(item.module for item in test_tagged).most_common(1)
print(f"{size} of those to test on come from one module, {largest}")
for tag in ("B-PARAM", "B-VALUE", "B-CODE"):
    item = next(item for item in test_tagged if tag in item.tags and len(item.words) < 25)
    print("  ", *(w if t == "O" else f"{w}/{t}" for w, t in zip(item.words, item.tags)))

# %% tags=["author"]
assert len(train_tagged) > 1000 and len(test_tagged) > 50

# %% [markdown]
# Words have tags, but the model reads pieces. The usual way out: a word's *first* piece carries its
# tag, and nothing is asked at the others.
#
# ### Exercise 8.3: labels for pieces
# `word_ids` `(B, T)`: the number of each piece's word, -1 for special tokens and padding. `tags`
# `(B, W)`: a tag number for each word. Return labels `(B, T)`: the tag at each word's first piece,
# -100 everywhere else. For a row with word numbers `[-1, 0, 0, 1, -1]` and tags `[3, 0]`:
# `[-100, 3, -100, 0, -100]`. (`tags.gather(1, places)` looks up a tag for each place.)


# %% exercise="8.3"
def align_labels(word_ids: Tensor, tags: Tensor) -> Tensor:
    """The tag of each word at its first piece, -100 elsewhere."""
    ### BEGIN SOLUTION
    labels = tags.gather(1, word_ids.clamp(min=0))  # (B, T)
    before = word_ids.roll(1, dims=1)
    before[:, 0] = -1
    return labels.masked_fill((word_ids < 0) | (word_ids == before), -100)
    ### END SOLUTION


# %%
check("8.3", align_labels)

# %% [markdown]
# This time we **fine-tune**: encoder and head are both trained. The loop is that of lesson 6, with
# a falling learning rate. (So small a model takes 2e-3 well; BERT wants 5e-5 or less.) Each batch
# holds rows of like length, so that little of it is padding.

# %%
from torch import nn
from torch.nn import functional as F


def train(head: nn.Module, loss, rows: tuple[Tensor, ...], steps: int, lr: float = 2e-3) -> None:
    """Training of a head, and of its encoder unless frozen, on batches of 16 rows."""
    weights = [p for p in head.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=lr)
    lengths = (rows[0] != 0).sum(1)
    by_length = lengths.argsort(stable=True)
    g = torch.Generator().manual_seed(0)
    head.train()
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = lr * (1 - step / steps)
        first = int(torch.randint(len(by_length) - 15, (), generator=g))
        batch = by_length[first : first + 16]
        width = int(lengths[batch].max())  # no more padding than this batch needs
        loss(head, *(part[batch, :width] for part in rows)).backward()
        optimizer.step()
        optimizer.zero_grad()
    head.eval()  # no dropout from here on


# %%
@torch.no_grad()
def predict(head: nn.Module, ids: Tensor, *more: Tensor) -> Tensor:
    """The head's logits for all rows, in batches."""
    parts = zip(*(part.split(64) for part in (ids, *more)))
    return torch.cat([head(b[0], b[0] != 0, *b[1:]) for b in parts])


def tag_loss(head: nn.Module, ids: Tensor, labels: Tensor) -> Tensor:
    return F.cross_entropy(head(ids, ids != 0).flatten(0, 1), labels.flatten())  # -100 is skipped


# %% [markdown]
# Both taggers get the same labels and the same new head. Only the encoder below it differs.

# %%
from mlm_course.models.heads import TokenClassifier

LABELS, STEPS = (100, 10) if FAST else (400, 100)
g = torch.Generator().manual_seed(0)
few = torch.randperm(len(train_tagged), generator=g)[:LABELS].tolist()
tag_rows = labelled_rows.encode_tagged(tokenizer, [train_tagged[i] for i in few], 64)
tag_test = labelled_rows.encode_tagged(tokenizer, test_tagged, 64)
taggers = {}
for name, encoder in {"pretrained": model.encoder, "random weights": untrained}.items():
    torch.manual_seed(0)  # both heads start alike
    taggers[name] = TokenClassifier(encoder, len(labelled.TAGS))  # works on a copy of it
    train(taggers[name], tag_loss, tuple(tag_rows), STEPS)

# %% [markdown]
# How good is it? Counting right tags flatters: most words are O, and whoever always says O gets
# them right. What counts is *entities*: one is right if its kind, its first word and its last word
# all are. (Tjong Kim Sang and De Meulder 2003)
#
# ### Exercise 8.4: entities, not tokens
# `tags`, a list such as `["O", "B-PARAM", "I-PARAM", "B-VALUE"]` -> a list of entities
# `(kind, first, stop)` in order of appearance: `[("PARAM", 1, 3), ("VALUE", 3, 4)]`. `stop` is the
# place after the last word, as in a slice. An I- that has nothing of its kind to go on with begins
# an entity. (`tag.partition("-")` gives `("B", "-", "PARAM")`.)


# %% exercise="8.4"
def find_entities(tags: list[str]) -> list[tuple[str, int, int]]:
    """Kind, first word and the word after the last, of each entity."""
    ### BEGIN SOLUTION
    entities, kind, start = [], None, 0
    for place, tag in enumerate([*tags, "O"]):
        mark, _, here = tag.partition("-")
        if kind and not (mark == "I" and here == kind):
            entities.append((kind, start, place))
            kind = None
        if mark != "O" and kind is None:
            kind, start = here, place
    return entities
    ### END SOLUTION


# %%
check("8.4", find_entities)


# %%
def spelled(tags: Tensor, labels: Tensor) -> list[list[str]]:
    """Tag names of each sentence at the places that are asked: (N, T), (N, T)."""
    asked = labels != -100
    return [[labelled.TAGS[i] for i in row[a].tolist()] for row, a in zip(tags, asked)]


actual = spelled(tag_test.labels, tag_test.labels)
tag_results = {"always O": [["O"] * len(row) for row in actual]}
for name, tagger in taggers.items():
    tag_results[name] = spelled(predict(tagger, tag_test.ids).argmax(-1), tag_test.labels)
entity_f1 = {name: evaluation.entity_scores(said, actual).f1 for name, said in tag_results.items()}

# %% tags=["nbval-ignore-output"]
print(f"{LABELS} labelled sentences          right tags   precision  recall  F1")
for name, said in tag_results.items():
    right = sum(a == b for x, y in zip(said, actual) for a, b in zip(x, y))
    share = right / sum(map(len, actual))
    scores = "      ".join(f"{value:.2f}" for value in evaluation.entity_scores(said, actual))
    print(f"   {name:25} {share:.2f}          {scores}")

# %% tags=["author"]
assert entity_f1["always O"] == 0
assert FAST or entity_f1["pretrained"] > entity_f1["random weights"] + 0.05

# %% [markdown]
# *In words: always saying O gets most tags right and finds nothing. After so few steps, random
# weights find little; the pretrained encoder finds more and errs less.*

# %% [markdown]
# ## 3. An answer in a text
#
# Third task: **extractive question answering**. The model gets a question and a text, and has to
# point at the answer in the text. Our texts are the "Parameters" sections of docstrings, squeezed
# into one line, and the questions ask for a type:

# %%
train_side, held_out = labelled.split_by_held_out(labelled.type_questions(PACKAGES), unseen)
test_side = labelled.not_said_elsewhere(held_out, elsewhere, own=unseen)  # as in section 2
train_q, test_q = (
    labelled_rows.encode_questions(tokenizer, side, 96) for side in (train_side, test_side)
)

# %% tags=["nbval-ignore-output"]
print(len(train_q.items), "to train on,", len(test_q.items), "to test on")
for item in test_q.items[:2]:
    print(item.question, "-", item.answer)
print("   both in:", item.context)

# %% tags=["author"]
assert len(train_q.items) > 800 and len(test_q.items) > 40

# %% [markdown]
# The head gives two scores to each token: one for "the answer begins here" and one for "it ends
# here". Two softmaxes over the *tokens* and two labels make the loss. To answer, we look for the
# best pair.
#
# ### Exercise 8.5: the best span
# `start` and `end` `(T,)` are scores, `context` `(T,)` is True for the tokens of the text (not of
# the question). Return the pair of ints `(first, last)` with the largest `start[first] + end[last]`
# such that both lie in the context, `first <= last`, and the answer has at most `longest` tokens.


# %% exercise="8.5"
def best_span(start: Tensor, end: Tensor, context: Tensor, longest: int) -> tuple[int, int]:
    """First and last token of the best answer."""
    ### BEGIN SOLUTION
    total = start[:, None] + end[None, :]  # (T, T): first token, last token
    allowed = (context[:, None] & context[None, :]).triu().tril(longest - 1)
    best = total.masked_fill(~allowed, float("-inf")).argmax().item()
    return divmod(best, len(start))
    ### END SOLUTION


# %%
check("8.5", best_span)


# %%
from mlm_course.models.heads import SpanExtractor, best_spans


def span_loss(head: nn.Module, ids: Tensor, context: Tensor, spans: Tensor) -> Tensor:
    logits = head(ids, ids != 0, context)  # (B, 2, T)
    return F.cross_entropy(logits.flatten(0, 1), spans.flatten())


# %%
g = torch.Generator().manual_seed(0)
few = torch.randperm(len(train_q.items), generator=g)[:LABELS]
question_rows = tuple(part[few] for part in train_q[:3])
readers = {}
for name, encoder in {"pretrained": model.encoder, "random weights": untrained}.items():
    torch.manual_seed(0)  # both heads start alike
    readers[name] = SpanExtractor(encoder)
    train(readers[name], span_loss, question_rows, int(0.4 * STEPS))  # long rows: slow steps

# %% [markdown]
# Two scores are usual: **exact match**, the share of answers with both ends right, and **token
# F1**, which gives credit for overlap. (Rajpurkar et al. 2016, section 6.1)

# %%
answers = {
    name: best_spans(predict(reader, test_q.ids, test_q.context), longest=24)
    for name, reader in readers.items()
}
span_results = {
    name: evaluation.answer_scores(said, test_q.spans) for name, said in answers.items()
}

# %% tags=["nbval-ignore-output"]
print(f"{LABELS} labelled questions          exact match   token F1")
for name, (exact_match, token_f1) in span_results.items():
    print(f"   {name:25} {exact_match:.2f}          {token_f1:.2f}")
for i in range(3):
    first, last = answers["pretrained"][i].tolist()
    said = tokenizer.decode(test_q.ids[i, first : last + 1].tolist())
    print(f"{test_q.items[i].question}   {said}   (right: {test_q.items[i].answer})")

# %% tags=["author"]
assert FAST or span_results["pretrained"][1] > 0.3

# %% [markdown]
# *In words: about a hundred questions, one draw of the labels and very short training: a difference
# of .1 between the two can be luck. Section 4 has longer runs on more questions.*

# %% [markdown]
# ## 4. What is pretraining worth?
#
# The runs above were small enough to wait for. Here is the record of larger ones
# (`python -m mlm_course experiment downstream`): three tasks, two numbers of labels, each with four
# networks (a learning rate chosen for each start and task) and a rival that is no network:
#
# - errors and warnings: the bag of words;
# - tags: a logistic regression on each word and its two neighbours on either side;
# - questions: a list of all types that occur in the labels; the answer is the longest one that
#   stands after the parameter's name.

# %%
print(f"recorded: {record['minutes']} minutes on {record['machine']}")
print("packages:", *record["packages"])
for n in (50, 400):
    draws = {row["seed"] for row in record["scores"] if row["labels"] == n}
    print(f"{n} labels: mean of {len(draws)} draw(s) of the labels")

# %%
METRIC = {"messages": "accuracy", "tags": "f1", "questions": "exact"}
KINDS_OF_RUN = {
    "pretrained, fine-tuned": ("pretrained", False),
    "pretrained, frozen": ("pretrained", True),
    "random, fine-tuned": ("random", False),
    "random, frozen": ("random", True),
    "no network": ("no network", False),
}


def recorded_curve(task: str, start: str, frozen: bool) -> dict[int, float]:
    """The mean score by number of labels."""
    runs: dict[int, list[float]] = {}
    for row in record["scores"]:
        if (row["task"], row["start"], row["frozen"]) == (task, start, frozen):
            runs.setdefault(row["labels"], []).append(row[METRIC[task]])
    return {n: sum(values) / len(values) for n, values in sorted(runs.items())}


# %%
fig, axes = plt.subplots(1, 3, figsize=(7, 3.2))
for ax, (task, metric) in zip(axes, METRIC.items()):
    tests = record["tasks"][task]["test"]
    counts = " and ".join(map(str, recorded_curve(task, "pretrained", False)))
    print(f"\n{task}: {metric} on {tests} test examples, with {counts} labels")
    for name, kind in KINDS_OF_RUN.items():
        curve = recorded_curve(task, *kind)
        ax.semilogx(list(curve), list(curve.values()), label=name)
        print(f"   {name:24}", "  ".join(f"{score:.2f}" for score in curve.values()))
    ax.set(title=task, xlabel="labels", ylabel=metric)
    ax.set_xticks(list(curve), list(curve))
    ax.minorticks_off()
fig.legend(handles=axes[0].lines, loc="outside lower center", ncols=3)
show_figure(fig, "Messages: all close; tags: pretrained leads; questions: no network far ahead.")

# %% [markdown]
# *In words: with messages the five curves stay within about a tenth of each other. With tags the
# pretrained curves run above the random ones, and the frozen random one stays at the bottom. With
# questions the curve without a network runs far above all others.*
#
# Read such a table with two questions. Is the pretrained network above the *random* one? Only that
# difference is the merit of pretraining. And is it above the rival *without a network*? If not, use
# the rival: it is smaller, faster and easier to understand. Three tasks, three answers
# (the differences printed are of unrounded numbers):


# %%
def gain(task: str, labels: int) -> float:
    """What pretraining adds to a fine-tuned network."""
    tuned = recorded_curve(task, "pretrained", False)[labels]
    return tuned - recorded_curve(task, "random", False)[labels]


def lead(task: str, labels: int) -> float:
    """How far the pretrained, fine-tuned network is ahead of the rival without a network."""
    tuned = recorded_curve(task, "pretrained", False)[labels]
    return tuned - recorded_curve(task, "no network", False)[labels]


print("                over random weights    over the rival without a network")
for task in METRIC:
    over_random, over_rival = gain(task, 400), lead(task, 400)
    print(f"{task:10} 400 labels     {over_random:+.2f}                  {over_rival:+.2f}")

# %% tags=["author"]
assert gain("tags", 400) > 0.1 > lead("tags", 400) > 0
assert 0.1 > gain("questions", 400) > 0 and lead("questions", 400) < -0.2
assert abs(gain("messages", 400)) < 0.05 and abs(lead("messages", 400)) < 0.05

# %% [markdown]
# With 400 labels:
#
# - *Tags* need to know what kind of word may stand where, which is what filling gaps teaches. Over
#   random weights, pretraining is worth a lot. The regression on neighbouring words comes close,
#   in less time.
# - *Questions*: a little better than random weights, and far behind a plain list of types. That list
#   knows the layout of the texts, which the network would have to find out from 400 examples.
# - *Messages*: nothing that shows. Single words such as "deprecated" carry the answer (section 1),
#   and counting them does as well as any network.
#
# With 50 labels (only two draws) the pretrained networks are ahead of the random ones of the same kind
# in all three tables above.
#
# One or two draws of the labels and a few hundred test examples: a difference of a few hundredths
# can be luck. And a model of three million parameters that has read one shelf of documentation is no
# BERT. The way to measure is the same for both.

# %% [markdown]
# > **Often read:** before masked language modelling, clean the text: remove noise and stop words,
# > normalise. Afterwards judge the model by accuracy, recall and F1.
#
# You have used accuracy, recall and F1 where they belong: on downstream tasks with labels. For the
# gaps there are the loss and the accuracy. And cleaning? Take Python's manual, which this model has
# never read, and hide some words. Then throw all punctuation and the most common words out, and
# guess *the same hidden words* again:

# %%
from mlm_course.corpora import python_docs
from mlm_course.tokenization import MASK_ID

manual = python_docs.paragraphs(python_docs.manual(), min_words=20)
pieces = [tokenizer.id_to_token(i) for i in range(tokenizer.get_vocab_size())]
STOP = set(
    "a an the of to in is are be it this that and or for with as by on at from not if".split()
)
drop = torch.tensor([not p.strip("#").isalnum() or p in STOP for p in pieces])  # (V,)
plain_word = torch.tensor([p.isalpha() and p not in STOP for p in pieces])  # (V,)

# %%
g = torch.Generator().manual_seed(0)
losses = {"as it is": [], "cleaned": []}
for paragraph in manual[:: 20 if FAST else 8]:
    ids = torch.tensor(tokenizer.encode(paragraph, add_special_tokens=False).ids[:100])  # (T,)
    goes_on = torch.tensor([pieces[i].startswith("##") for i in ids]).roll(-1)
    masked = plain_word[ids] & ~goes_on & (torch.rand(len(ids), generator=g) < 0.15)
    keep = ~drop[ids] | masked | (ids < 5)
    for name, where in (("as it is", torch.ones_like(keep)), ("cleaned", keep)):
        kept, gaps = ids[where][None], masked[where][None]
        with torch.no_grad():
            logits = model(kept.masked_fill(gaps, MASK_ID), None, gaps)
        losses[name] += F.cross_entropy(logits, kept[gaps], reduction="none").tolist()

# %% tags=["nbval-ignore-output"]
for name, values in losses.items():
    print(f"{name:9} loss {sum(values) / len(values):.2f} over the same {len(values)} hidden words")

# %% tags=["author"]
assert sum(losses["cleaned"]) > sum(losses["as it is"])

# %% [markdown]
# > **In fact** the "noise" was evidence: "a", "of" and commas say what kind of word must follow.
# > (Part of the difference is that this model never met cleaned text. But for any guesser, trained
# > on either, leaving words out can on average only take evidence away.) BERT's input is text as it
# > is, at most in lower case (Devlin et al. 2019, appendix A.2 and section 3). What does help is to
# > remove duplicates and what is no text at all. Recall and F1 belong to tasks with classes
# > (section 1).

# %% [markdown]
# ## 5. What it cannot do as it is
#
# > **Often read:** classification, entity recognition, question answering, translation, dialogue,
# > summaries, writing code: all are applications of masked language models such as BERT.
#
# Three of these you have just built. Each needed a new head and labels. Now ask the model, as it
# is, to go on with a sentence. It fills gaps, so we give it gaps:

# %% tags=["nbval-ignore-output"]
prompt = "Return a new list"
ids = torch.tensor([tokenizer.encode(prompt + " [MASK]" * 10 + ".", add_special_tokens=False).ids])
with torch.no_grad():
    best = model(ids, None, ids == MASK_ID).argmax(-1)  # (10,)
print(prompt, *(pieces[i] for i in best))

# %% [markdown]
# Each gap was filled without knowing the others (lesson 7, section 3), and it could not even choose
# how many words to say: we did. Translation, summaries and dialogue have an output whose length and
# words are not those of the input, and an encoder gives one vector for each *input* token.
#
# > **In fact** an encoder understands, in its way; it does not write. Heads make it classify, tag
# > and point (Devlin et al. 2019, section 4). For output of its own it needs a decoder, or a
# > procedure that fills gaps again and again: lessons 11 and 12 build both. What wide use such
# > models have in writing and translating rests on such additions.

# %% [markdown]
# ## On a GPU
#
# BERT's published weights (440 MB, from the network) know more. The lines below replace the
# checkpoint and ask it what ours could not know. Sections 1 to 3 can then be run on it: you will
# have to move heads and rows to the GPU by `.to("cuda")`, put `.cpu()` before `.numpy()`, and pass
# `lr=5e-5` to `train`.

# %% tags=["nbval-skip"]
from mlm_course.models.bert import bert_from_hub

if torch.cuda.is_available():
    model, tokenizer = bert_from_hub("bert-base-uncased")
    model.to("cuda")
    ids = torch.tensor([tokenizer.encode("The capital of France is [MASK].").ids], device="cuda")
    gap = ids == tokenizer.token_to_id("[MASK]")  # another vocabulary, another id
    with torch.no_grad():
        chances, best = model(ids, None, gap).softmax(-1).topk(5)
    answers = zip(best[0].tolist(), chances[0].tolist())
    print([(tokenizer.id_to_token(i), round(p, 2)) for i, p in answers])
else:
    print("No GPU here. It would ask BERT for the capital of France.")

# %% [markdown]
# ## Quiz

# %%
quiz("8")

# %% [markdown]
# ## Recap
#
# - One checkpoint serves many tasks through small heads: a class for a text, a tag for each word, a
#   span in a text. The encoder stays **frozen** or is **fine-tuned**.
# - Accuracy flatters where one answer is common. **Precision**, **recall** and **F1** show which
#   mistakes are made; tags are scored by entities.
# - Compare with random weights *and* with a simple rival, on modules held out from the labels.
# - What pretraining is worth depends on the task and on the number of labels. Measure it.
# - An encoder classifies, tags and points. Writing needs a decoder or a procedure.
#
# **Next:** lesson 9 hides parts of pictures instead of words.

# %%
progress("8")

# %% [markdown]
# ## References
#
# - J. Devlin et al. 2019. *BERT*. NAACL. [arXiv:1810.04805](https://arxiv.org/abs/1810.04805)
#   (sections 3.2 and 4: one checkpoint, several tasks)
# - G. Alain, Y. Bengio 2016. *Understanding intermediate layers using linear classifier probes*.
#   [arXiv:1610.01644](https://arxiv.org/abs/1610.01644)
# - N. Reimers, I. Gurevych 2019. *Sentence-BERT*. EMNLP.
#   [arXiv:1908.10084](https://arxiv.org/abs/1908.10084) (the mean of the vectors)
# - E. Tjong Kim Sang, F. De Meulder 2003. *Introduction to the CoNLL-2003 Shared Task*.
#   [arXiv:cs/0306050](https://arxiv.org/abs/cs/0306050) (entities as spans)
# - P. Rajpurkar et al. 2016. *SQuAD*. EMNLP. [arXiv:1606.05250](https://arxiv.org/abs/1606.05250)
#   (exact match and F1)
