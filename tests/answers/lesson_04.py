# %% 4.1 right
# unusual: another way
import torch

def candidates(ids, special):
    return (ids[..., None] != torch.tensor(special)).all(-1)

# %% 4.2 right
# unusual: another way
import torch

def count_by_loop(noise, maskable, ratio):
    masked = torch.zeros_like(maskable)
    for row in range(len(noise)):
        places = maskable[row].nonzero()[:, 0].tolist()
        places.sort(key=lambda place: noise[row, place].item())
        masked[row, places[: max(1, round(ratio * len(places)))]] = True
    return masked

# %% 4.3 right
# unusual: another way
def replaced_by_loop(ids, masked, u, random_ids, mask_id):
    result = ids.clone()
    for place in masked.nonzero().tolist():
        b, t = place
        if u[b, t] < 0.8:
            result[b, t] = mask_id
        elif u[b, t] >= 0.9:
            result[b, t] = random_ids[b, t]
    return result

# %% 4.4 right
# unusual: another way
import torch

def make_labels(ids, masked):
    return torch.where(masked, ids, torch.full_like(ids, -100))

# %% 4.5 right
# unusual: another way
import torch

def words_by_loop(masked, word_ids):
    result = torch.zeros_like(masked)
    for b in range(len(masked)):
        for word in set(word_ids[b].tolist()) - {-1}:
            if masked[b][word_ids[b] == word].any():
                result[b] |= word_ids[b] == word
    return result
