"""Messages that hang together, for the exercise that finds out which."""

from mlm_course.corpora.labelled import Message

MESSAGES = (
    # four modules in a chain: each says something that the next one says, too
    Message("numpy.lib", "Axis must be an integer.", "error"),
    Message("numpy.lib", "The shape is wrong.", "error"),
    Message("scipy.linalg", "axis MUST be an integer.", "error"),
    Message("scipy.linalg", "The matrix is singular.", "warning"),
    Message("torch.nn", " the matrix\n  is singular. ", "error"),
    Message("torch.nn", "No gradient is needed.", "warning"),
    Message("sklearn.svm", "No gradient is\tneeded.", "warning"),
    # three
    Message("numpy.ma.core", "The mask is shared.", "warning"),
    Message("scipy.fft", "The mask  is shared.", "warning"),
    Message("scipy.fft", "Setting it is deprecated.", "warning"),
    Message("numpy.polynomial", " SETTING it is deprecated.", "warning"),
    # two, of unlike kinds; and two that say the same to the letter
    Message("sklearn.base", "X has no names.", "error"),
    Message("sklearn.tree", "X has no names. ", "warning"),
    Message("numpy.fft", "The window is too long.", "error"),
    Message("numpy.emath", "The window is too long.", "error"),
    # each alone
    Message("numpy.linalg", "It does not converge.", "error"),  # begins like numpy.lib
    Message("numpy.ma", "The array is read-only.", "error"),  # the beginning of numpy.ma.core
    Message("scipy.base", "The bounds are not finite.", "error"),  # the last part of sklearn.base
    Message("sklearn.pipeline", "Datatype is not known.", "error"),
    Message("scipy.io", "Data type is not known.", "error"),  # with another white space
    Message("scipy.special", "must be an integer.", "error"),  # a part of a text
    Message("scipy.signal", "The array is read only!", "error"),
    Message("scipy.stats", "The mask, is shared.", "warning"),  # with punctuation
)


def plain(text: str) -> str:
    """A text without upper case and runs of white space."""
    return " ".join(text.lower().split())


def tied(one: Message, other: Message) -> bool:
    """Whether two messages must stay together at once, not by way of a third."""
    return one.module == other.module or plain(one.text) == plain(other.text)
