"""transformers' models of the sizes of ours, without dropout."""

from __future__ import annotations

from transformers import (
    BertConfig,
    BertForMaskedLM,
    ModernBertConfig,
    ModernBertForMaskedLM,
    ViTMAEConfig,
    ViTMAEForPreTraining,
)

from mlm_course.models import EncoderConfig, ImageMAEConfig, ModernConfig, StackConfig


def stack(config: StackConfig) -> dict[str, int]:
    """The sizes of a stack of blocks by transformers' names."""
    return {
        "hidden_size": config.d_model,
        "num_hidden_layers": config.n_layers,
        "num_attention_heads": config.n_heads,
        "intermediate_size": config.d_ff,
    }


def bert(config: EncoderConfig) -> BertForMaskedLM:
    """BERT's masked language model; attention through PyTorch's SDPA, which is the default."""
    return BertForMaskedLM(
        BertConfig(
            vocab_size=config.vocab_size,
            **stack(config),
            max_position_embeddings=config.max_length,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
        )
    )


def modernbert(config: ModernConfig) -> ModernBertForMaskedLM:
    """ModernBERT's masked language model; SDPA as well."""
    return ModernBertForMaskedLM(
        ModernBertConfig(
            vocab_size=config.vocab_size,
            **stack(config),
            local_attention=config.window,
            global_attn_every_n_layers=config.global_every,
            pad_token_id=0,
            bos_token_id=1,
            eos_token_id=2,
            cls_token_id=1,
            sep_token_id=2,
        )
    )


def vit_mae(config: ImageMAEConfig, removed: float) -> ViTMAEForPreTraining:
    """The masked autoencoder with a share of the patches removed; SDPA as well."""
    encoder, decoder = config.encoder, config.decoder
    return ViTMAEForPreTraining(
        ViTMAEConfig(
            image_size=config.height,
            patch_size=config.patch_size,
            num_channels=config.channels,
            **stack(encoder),
            decoder_hidden_size=decoder.d_model,
            decoder_num_hidden_layers=decoder.n_layers,
            decoder_num_attention_heads=decoder.n_heads,
            decoder_intermediate_size=decoder.d_ff,
            mask_ratio=removed,
        )
    )
