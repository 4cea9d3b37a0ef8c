# %% 5.1 right
# unusual: another way
import torch

def embedded_one_by_one(ids, segments, token, position, segment):
    x = torch.empty(*ids.shape, token.shape[1])
    for b, row in enumerate(ids.tolist()):
        for t, i in enumerate(row):
            x[b, t] = token[i] + position[t] + segment[segments[b, t]]
    return x

# %% 5.2 right
# unusual: another way
import torch

def normalised_by_moments(x, weight, bias, eps):
    mean = x.double().mean(-1, keepdim=True)
    variance = (x.double() - mean).pow(2).sum(-1, keepdim=True) / x.shape[-1]
    return (((x - mean) * torch.rsqrt(variance + eps)).float() * weight).add(bias)

# %% 5.3 right
# unusual: another way
import torch

def gelu(x):
    return x * torch.special.ndtr(x)

# %% 5.4 right
# unusual: another way
def post_norm_in_steps(x, attention, attention_norm, feed_forward, feed_forward_norm):
    for sublayer, norm in ((attention, attention_norm), (feed_forward, feed_forward_norm)):
        x = norm(sublayer(x) + x)
    return x

# %% 5.5 right
# unusual: another way
def pre_norm_in_steps(x, attention, attention_norm, feed_forward, feed_forward_norm):
    for sublayer, norm in ((attention, attention_norm), (feed_forward, feed_forward_norm)):
        x = sublayer(norm(x)) + x
    return x

# %% 5.6 right
# unusual: another way
import torch

def counted_by_building(D, d_ff):
    layer = torch.nn.TransformerEncoderLayer(D, 1, d_ff)
    return sum(parameter.numel() for parameter in layer.parameters())

# %% 5.7 right
# unusual: another way
from torch.nn import functional as F

def all_logits_then_hidden(x, masked, dense, norm, token, bias):
    return F.linear(norm(F.gelu(dense(x))), token, bias)[masked]

# %% 5.8 right
# unusual: another way
from torch.nn import functional as F
import torch

def bert_by_hand(ids, visible, segments, model):
    e = model.encoder.embeddings
    x = e.norm(e.token(ids) + e.position.weight[: ids.size(1)] + e.segment(segments))
    for b in model.encoder.blocks:
        x = b.attention_norm(x + b.attention(x, visible[:, None, None]))
        x = b.feed_forward_norm(x + b.feed_forward(x))
    return torch.einsum("btd,vd->btv", model.norm(F.gelu(model.dense(x))), e.token.weight).add(
        model.decoder_bias
    )
