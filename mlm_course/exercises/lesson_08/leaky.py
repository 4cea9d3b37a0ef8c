"""Messages of which some leak, for the exercise that finds them."""

from mlm_course.corpora.labelled import Message

TRAIN = (
    Message("numpy.lib", "Axis must be an integer.", "error"),
    Message("numpy.ma.core", "Setting the mask is deprecated.", "warning"),
    Message("sklearn.svm", "Datatype is not known here.", "error"),
    Message("sklearn.utils", "The input has no rows.", "error"),
    Message("sklearn.base", "X has no valid feature names.", "warning"),
    Message("scipy.stats", "all values are equal here.", "warning"),
)
TEST = (
    Message("numpy.ma.core", "The fill value was not understood.", "error"),  # its module
    Message("sklearn.base", "This estimator is not fitted yet.", "error"),  # its module
    Message(
        "sklearn.svm", "setting the mask is deprecated.", "error"
    ),  # one's module, another's text
    Message("numpy.fft", "Axis must be an integer.", "error"),  # its text
    Message("scipy.linalg", "The input has no rows.", "warning"),  # its text, of the other kind
    Message("numpy.ma.core", "Setting the Mask is deprecated.", "warning"),  # both
    Message("numpy.polynomial", "the input has no rows.", "error"),  # its text but for case
    Message("scipy.sparse", "the INPUT has no rows.", "error"),  # but for case, too
    Message("sklearn.tree", "X has no valid\n  feature names.", "warning"),  # but for white space
    Message("scipy.fft", " all values are equal here. ", "warning"),  # white space outside
    Message("numpy.random", "all Values are\tequal here.", "warning"),  # case and white space
    Message("numpy.linalg", "The matrix is singular here.", "error"),  # a package with numpy.lib
    Message("numpy.lib.format", "The header cannot be read.", "error"),  # inside of numpy.lib
    Message("sklearn.pipeline", "Data type is not known here.", "error"),  # with another word
    Message("scipy.optimize", "Warning: The input has no rows.", "error"),  # with more words
    Message("numpy.ma", "The array is read-only here.", "error"),  # beginning of numpy.ma.core
    Message("scipy.base", "The bounds are not finite.", "error"),  # the last part of sklearn.base
    Message("scipy.special", "must be an integer.", "error"),  # a part of its text
    Message("scipy.io", "The input, has no rows", "error"),  # its text but for punctuation
    Message("scipy.signal", "The window is longer than the data.", "warning"),  # twice in test
    Message("scipy.ndimage", "The window is longer than the data.", "warning"),
)


def same_text(one: Message, other: Message) -> bool:
    """Whether two messages say the same, case and white space aside."""
    return one.text.lower().split() == other.text.lower().split()
