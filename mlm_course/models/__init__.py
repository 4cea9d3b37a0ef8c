"""The models of the course, in the order of the lessons."""

from mlm_course.models.encoder import BlockStack, Encoder, EncoderConfig, StackConfig, seeded_init
from mlm_course.models.image_mae import ImageMAE, ImageMAEConfig
from mlm_course.models.masked_lm import MaskedLM
from mlm_course.models.modern import ModernConfig, ModernEncoder, ModernMaskedLM
from mlm_course.models.pretrained import load_pretrained
from mlm_course.models.seq2seq import Seq2Seq, Seq2SeqConfig
from mlm_course.models.text_mae import RetroMAE, TextMAE, TextMAEConfig

__all__ = [
    "BlockStack",
    "Encoder",
    "EncoderConfig",
    "ImageMAE",
    "ImageMAEConfig",
    "MaskedLM",
    "ModernConfig",
    "ModernEncoder",
    "ModernMaskedLM",
    "RetroMAE",
    "Seq2Seq",
    "Seq2SeqConfig",
    "StackConfig",
    "TextMAE",
    "TextMAEConfig",
    "load_pretrained",
    "seeded_init",
]
