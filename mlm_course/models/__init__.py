"""The models of the course, in the order of the lessons."""

from mlm_course.models.encoder import Encoder, EncoderConfig
from mlm_course.models.masked_lm import MaskedLM
from mlm_course.models.pretrained import pretrained

__all__ = ["Encoder", "EncoderConfig", "MaskedLM", "pretrained"]
