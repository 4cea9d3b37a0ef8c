"""The masked-diffusion model in a page: its sampler against Python's, the widget by hand and by keyboard."""

import re
from base64 import b64encode
from dataclasses import replace
from itertools import pairwise, product

import pytest
import torch
from alone import mount
from playwright.sync_api import Page, expect
from samples import diffuse

from mlm_course.decoding import (
    LLADA,
    MASK_PREDICT,
    MASKGIT,
    MDLM,
    Sampler,
    cosine_remasking,
    n_masked,
    refine,
)
from mlm_course.diffusion import blank, fill_gaps, predictor
from mlm_course.models.pretrained import CHECKPOINTS, load_pretrained
from mlm_course.tokenization import MASK_ID
from mlm_course.views.text import label
from mlm_course.widgets import Diffuse
from mlm_course.widgets.base import script
from mlm_course.widgets.diffuse import SCHEDULES

pytestmark = pytest.mark.browser

# ---------------------------------------------------------------- the sampler against Python's


def settings(sampler: Sampler) -> dict:
    """A sampler as the page takes it."""
    (schedule,) = [name for name, f in SCHEDULES.items() if f is sampler.schedule]
    return {
        "schedule": schedule,
        "temperature": sampler.temperature,
        "mayRemask": sampler.may_remask,
        "order": sampler.order,
        "gumbel": sampler.gumbel,
        "ofRemaining": sampler.of_remaining,
    }


def in_page(page: Page, checkpoint: str = "") -> None:
    """The sampler's functions in a blank page, and a checkpoint as `network`."""
    page.set_content("<!doctype html><title>sampler</title>")
    page.add_script_tag(content=script("model.js", "sampler.js"))
    if checkpoint:
        weights = b64encode((CHECKPOINTS / checkpoint / "model.safetensors").read_bytes())
        page.evaluate(
            """(text) => {
              const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
              window.network = loadModel(bytes.buffer);
            }""",
            weights.decode(),
        )


def agree(ours: list[dict], theirs: list, inside: slice = slice(None)) -> None:
    """The page's steps against Python's: the same tokens and masks, and confidences to 1e-4."""
    assert len(ours) == len(theirs)
    for here, there in zip(ours, theirs, strict=True):
        assert here["tokens"][inside] == there.tokens[0].tolist()
        assert here["masked"][inside] == there.masked[0].tolist()
        assert here["confidence"][inside] == pytest.approx(there.confidence[0].tolist(), abs=1e-4)


WRITE = """([n, steps, sampler]) => {
  const { canvas, masked } = blank(n);
  return [...refine(predictor(network), canvas, masked, steps, sampler, generator(0))];
}"""


@pytest.mark.smoke
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_with_nothing_drawn_a_blank_line_is_filled_as_in_python(page, schedule):
    in_page(page, "diffusion")
    model, _ = load_pretrained("diffusion")
    kinds = (MASK_PREDICT, LLADA, replace(MASK_PREDICT, may_remask=False))
    for n, steps, kind in product((5, 12, 17, 22), (1, 4, 9), kinds):
        sampler = replace(kind, schedule=SCHEDULES[schedule])
        theirs = refine(predictor(model), *blank(torch.tensor([n])), MASK_ID, steps, sampler)
        agree(page.evaluate(WRITE, [n, steps, settings(sampler)]), theirs)


FILL = """([vocabulary, text, sampler]) => {
  const { canvas, masked } = gapRow(new Tokenizer(vocabulary), text, network.config.max_length);
  const steps = masked.filter(Boolean).length;
  return [...refine(predictor(network), canvas, masked, steps, sampler, generator(0))];
}"""
SENTENCES = {
    "diffusion": [
        "It was ___ that ___, so clara wore her ___ ___ and her brother wore a ___ ___.",
        "[MASK] met his aunt at the ___ , and ___ ___ his aunt a ___ cup .",
    ],
    "python_docs": [
        "Returns ___ if the two ___ are ___, False ___.",
        "___ default method ___ ___ if m is ___ ___ 10 and bilinear otherwise.",
    ],
}


@pytest.mark.parametrize("checkpoint", SENTENCES)
def test_gaps_are_filled_as_in_python(page, checkpoint):
    """With [CLS] and [SEP] around the words of tinyworld, without them around pieces."""
    in_page(page, checkpoint)
    model, tokenizer = load_pretrained(checkpoint)
    for text, sampler in product(SENTENCES[checkpoint], (LLADA, MASK_PREDICT)):
        widget = Diffuse(model, tokenizer, text=text, sampler=sampler)
        ours = page.evaluate(FILL, [widget.vocabulary, text, settings(sampler)])
        stored = widget.view["run"]["steps"]
        assert [step["tokens"] for step in ours] == [step["tokens"] for step in stored]
        assert [step["masked"] for step in ours] == [step["masked"] for step in stored]
        assert [step["again"] for step in ours] == [step["again"] for step in stored]
        ids = [[[i for _, i in beside] for beside in step["others"]] for step in ours[:1]]
        assert ids == [[[i for _, i in beside] for beside in step["others"]] for step in stored[:1]]
        if checkpoint == "python_docs":
            names = widget.vocabulary["pieces"]
            written = [[names[i] for i in step["tokens"]] for step in ours]
            assert written == fill_gaps(model, tokenizer, text, sampler).tokens


def test_the_numbers_of_masked_places_are_those_of_python(page):
    in_page(page)
    for kind, schedule in product((MASK_PREDICT, LLADA, MASKGIT), SCHEDULES):
        sampler = replace(kind, schedule=SCHEDULES[schedule])
        asked = [[n, steps] for n in range(26) for steps in range(1, 26)]
        ours = page.evaluate(
            "([asked, sampler]) => asked.map(([n, steps]) => nMasked(n, steps, sampler))",
            [asked, settings(sampler)],
        )
        assert ours == [n_masked(n, steps, sampler) for n, steps in asked]


FLAT = """([n, steps, sampler, seeds]) => { // a model that finds ten words equally likely
  const predict = (ids, places) => places.map(() => new Float32Array(15).fill(0).fill(-Infinity, 0, 5));
  const { canvas, masked } = blank(n);
  const run = (seed) => [...refine(predict, canvas, masked, steps, sampler, generator(seed))];
  return seeds.map((seed) => run(seed).map((step) => step.masked));
}"""


@pytest.mark.parametrize(
    "sampler",
    [
        replace(MASK_PREDICT, temperature=1.0),
        replace(LLADA, temperature=0.7),
        replace(MASK_PREDICT, order="random"),
        replace(LLADA, order="random", schedule=cosine_remasking, of_remaining=False),
        MASKGIT,
    ],
    ids=["Mask-Predict", "LLaDA", "random, remasking", "random, cosine", "MaskGIT"],
)
def test_what_is_drawn_masks_as_many_places_as_python(page, sampler):
    in_page(page)
    for n, steps in ((17, 8), (6, 6), (9, 20)):
        runs = page.evaluate(FLAT, [n, steps, settings(sampler), list(range(20))])
        for masked in runs:
            assert [sum(step) for step in masked] == n_masked(n, steps, sampler)
            if not sampler.may_remask:
                for before, after in pairwise(masked):
                    assert all(a or not b for a, b in zip(before, after, strict=True))
        assert len({str(masked) for masked in runs}) > 10 or sampler.order == "confidence"


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_each_by_chance_masks_as_many_as_python_in_the_mean(page, schedule):
    in_page(page)
    sampler, n, steps, runs = replace(MDLM, schedule=SCHEDULES[schedule]), 20, 8, 1000
    drawn = page.evaluate(FLAT, [n, steps, settings(sampler), list(range(runs))])
    counts = torch.tensor([[sum(step) for step in masked] for masked in drawn], dtype=torch.float64)
    for done in range(steps):
        share = sampler.share(done, steps)
        error = (n * share * (1 - share) / runs) ** 0.5
        assert abs(counts[:, done].mean().item() - n * share) <= 4.5 * error


def test_words_are_drawn_by_their_chances(page):
    """10,000 draws at three temperatures; the confidence is the model's own probability."""
    in_page(page)
    logits, n = torch.tensor([1.0, 0.0, -1.0, 2.0, -torch.inf]), 10_000
    for temperature in (0.5, 1.0, 2.0):
        draws = page.evaluate(
            """([logits, temperature, n]) => {
              const random = generator(7);
              return Array.from({ length: n }, () => {
                const { token, probability } = chooseToken(Float32Array.from(logits), temperature, random);
                return [token, probability];
              });
            }""",
            [[*logits[:-1].tolist(), -1e30], temperature, n],
        )
        chances, own = (logits / temperature).softmax(-1), logits.softmax(-1)
        for i, chance in enumerate(chances.tolist()):
            share = sum(token == i for token, _ in draws) / n
            assert abs(share - chance) <= 4.5 * (chance * (1 - chance) / n) ** 0.5
        assert all(p == pytest.approx(own[i].item(), abs=1e-6) for i, p in draws[:50])


def test_random_numbers_follow_from_the_seed_and_are_even(page):
    in_page(page)
    ask = (
        "([seed, n]) => { const r = generator(seed); return Array.from({ length: n }, () => r()); }"
    )
    first = page.evaluate(ask, [1, 20_000])
    assert first == page.evaluate(ask, [1, 20_000])
    assert first[:5] != page.evaluate(ask, [2, 5])
    assert all(0 <= x < 1 for x in first)
    tenths = torch.tensor(first).mul(10).long().bincount()
    assert (tenths - 2000).abs().max() < 4.5 * (20_000 * 0.1 * 0.9) ** 0.5
    noise = page.evaluate("(numbers) => numbers.map(gumbelNoise)", first)
    assert torch.tensor(noise).mean().item() == pytest.approx(0.5772, abs=0.05)


# ---------------------------------------------------------------- the widget


def boxes(page: Page) -> list[list[str]]:
    """What the model sees, what stands there after the step, and the confidence, of each token."""
    lines = page.locator(".mlm-refined button").evaluate_all(
        "nodes => nodes.map((node) => [...node.children].map((line) => line.textContent))"
    )
    return [[line.strip() for line in box] for box in lines]


def where(page: Page):
    return page.locator(".mlm-where")


def said(page: Page):
    return page.locator(".mlm-words").first


def button(page: Page, name: str):
    return page.get_by_role("button", name=name, exact=True)


@pytest.fixture(scope="module")
def tinyworld():
    return load_pretrained("diffusion")


@pytest.mark.smoke
def test_the_first_run_is_python_s_and_needs_no_model(page):
    widget = diffuse()
    mount(page, widget)
    page.evaluate("window.silent = true")  # nothing is answered
    steps = widget.view["run"]["steps"]
    expect(where(page)).to_have_text(f"{len(steps)} of {len(steps)}")
    for done in range(len(steps) - 1, 0, -1):
        button(page, "Previous").click()
        expect(where(page)).to_have_text(f"{done} of {len(steps)}")
        kept = [line[1] for line in boxes(page)]
        names = widget.vocabulary["pieces"]
        assert kept == [label(names[i]) for i in steps[done - 1]["tokens"][1:-1]]
    button(page, "Previous").click()
    assert {tuple(box) for box in boxes(page)} == {("[MASK]", "", "")}
    expect(button(page, "Previous")).to_have_attribute("aria-disabled", "true")
    page.wait_for_timeout(1500)
    expect(where(page)).to_have_text(f"0 of {len(steps)}")  # nothing plays unasked


@pytest.mark.smoke
def test_by_keyboard_alone(page):
    """Written anew, played to the end; a token masked again and filled."""
    mount(page, diffuse(["a", "b", "c", "d"]))
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent") == "Start again":
            break
    page.keyboard.press("Enter")
    expect(where(page)).to_have_text("0 of 4")
    expect(said(page)).to_have_text("4 places are masked, to be filled in 4 steps.")
    for _ in range(
        4
    ):  # speed, step, next, previous (which cannot be used, and yet be reached), play
        page.keyboard.press("Shift+Tab")
    page.keyboard.press("Shift+Tab")
    expect(button(page, "Play")).to_be_focused()
    page.keyboard.press("Enter")
    expect(button(page, "Pause")).to_be_focused()
    expect(where(page)).to_have_text("4 of 4", timeout=20_000)
    expect(button(page, "Play")).to_be_focused()
    expect(page.locator(".mlm-written")).to_have_text("a b c d")
    strip = page.get_by_role("list", name="Tokens").get_by_role("button")
    strip.first.focus()
    for key in ("ArrowRight", "Enter"):
        page.keyboard.press(key)
    expect(where(page)).to_have_text("0 of 1")
    expect(page.locator(".mlm-written")).to_have_text("a ___ c d")
    assert boxes(page)[1] == ["[MASK]", "", ""] and boxes(page)[0] == ["a", "a", "given"]
    page.keyboard.press("ArrowDown")
    expect(where(page)).to_have_text("1 of 1")
    expect(strip.nth(1)).to_be_focused()
    expect(page.locator(".mlm-written")).to_have_text("a b c d")
    expect(page.locator(".mlm-words").last).to_contain_text("Token 2: step 1 chose “b” (")
    page.keyboard.press("ArrowUp")
    expect(where(page)).to_have_text("0 of 1")


def test_masked_tokens_are_filled_anew_and_the_others_stay(page, tinyworld):
    mount(page, Diffuse(*tinyworld, seed=3))
    before = [box[1] for box in boxes(page)]
    for place in (0, 5, 6):
        page.locator(".mlm-refined button").nth(place).click()
    expect(said(page)).to_have_text("3 places are masked, to be filled in 3 steps.")
    page.locator(".mlm-refined button").nth(5).click()  # given back
    expect(where(page)).to_have_text("0 of 2")
    button(page, "Next").click()
    expect(where(page)).to_have_text("1 of 2")
    button(page, "Next").click()
    expect(said(page)).to_have_text(re.compile("^Step 2 of 2: 1 of 2 filled in.*last step"))
    after = [box[1] for box in boxes(page)]
    assert [a for n, a in enumerate(after) if n not in (0, 6)] == [
        b for n, b in enumerate(before) if n not in (0, 6)
    ]
    assert [box[2] == "given" for box in boxes(page)].count(False) == 2
    button(page, "Start again").click()
    expect(where(page)).to_have_text("0 of 17")
    page.locator(".mlm-refined button").nth(2).click()
    expect(page.locator(".mlm-words").last).to_contain_text("Nothing stands here yet")


def test_the_same_seed_writes_the_same_and_another_one_another_text(page, tinyworld):
    widget = Diffuse(*tinyworld, length=9)
    mount(page, widget)
    texts = []
    for seed in (5, 6, 5):
        widget.seed = seed
        widget.push()
        expect(page.locator("output").filter(has_text="seed")).to_have_text(
            f"drawn in this page, seed {seed}"
        )
        page.get_by_role("slider", name="Step", exact=True).press("End")
        expect(where(page)).to_have_text("9 of 9", timeout=20_000)
        texts.append(page.locator(".mlm-written").text_content())
    assert texts[0] == texts[2] != texts[1]


def test_the_reader_s_own_sentence(page, tinyworld):
    widget = Diffuse(*tinyworld, examples=["ben met his ___ at the ___ ."])
    mount(page, widget)
    page.get_by_role("radio", name="a sentence with gaps").check(force=True)
    expect(page.locator(".mlm-written")).to_have_text("ben met his ___ at the ___.")
    field = page.get_by_role("textbox")
    for text, problem in (
        ("ben met a dragon ___", "“dragon” cannot be spelled"),
        ("no gap here", "cannot be spelled"),
        ("ben met his aunt", "There is no gap"),
        (" ", "There is no text"),
        ("___ " * 30, "has 30 tokens, but the model reads 24 at most"),
    ):
        field.fill(text)
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_contain_text(problem)
        assert widget.text == "ben met his ___ at the ___ ."
    field.fill("Anna met her ___ at the ___.")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_be_hidden()
    expect(where(page)).to_have_text("0 of 2")
    button(page, "Next").click()
    button(page, "Next").click()
    expect(where(page)).to_have_text("2 of 2", timeout=20_000)
    assert widget.text == "Anna met her ___ at the ___."
    assert [box[1] for box in boxes(page)][:3] == ["anna", "met", "her"]
    page.get_by_role("radio", name="a blank line").check(force=True)
    expect(where(page)).to_have_text("0 of 17")
    assert widget.text == ""


def test_settings_reach_python_and_begin_the_row_anew(page, tinyworld):
    widget = Diffuse(*tinyworld)
    mount(page, widget)
    for name, value in (("Steps", 4), ("Length", 9)):
        page.get_by_role("slider", name=name).fill(str(value))
    expect(where(page)).to_have_text("0 of 4")
    page.get_by_role("slider", name="Temperature").fill("0")
    page.get_by_role("combobox", name="Schedule").select_option("cosine")
    assert len(boxes(page)) == 9
    page.evaluate("window.settled")
    assert (widget.steps, widget.length, widget.temperature) == (4, 9, 0.0)
    assert widget.schedule == "cosine"
    expect(page.get_by_text("nothing is left to chance")).to_be_visible()
    expect(button(page, "Write anew")).to_have_attribute("aria-disabled", "true")
    page.get_by_role("slider", name="Step", exact=True).press("End")
    expect(where(page)).to_have_text("4 of 4", timeout=20_000)
    written = [box[1] for box in boxes(page)]
    assert written == widget.picture()["steps"][-1]["tokens"]
    page.get_by_role("combobox", name="Order").select_option("bernoulli")
    expect(page.get_by_role("checkbox")).to_be_disabled()
    expect(where(page)).to_have_text("0 of 4")


def test_a_reader_who_wants_little_to_move_gets_the_end_at_once(page):
    page.emulate_media(reduced_motion="reduce")
    mount(page, diffuse(["a", "b", "c", "d"], sampler=replace(MASK_PREDICT, temperature=1.0)))
    button(page, "Write anew").click()
    expect(where(page)).to_have_text("4 of 4")
    expect(button(page, "Play")).to_be_visible()


def test_a_pause_holds_and_play_goes_on(page):
    mount(page, diffuse(["a", "b", "c", "d"], sampler=replace(MASK_PREDICT, temperature=1.0)))
    page.get_by_role("combobox", name="Speed").select_option("slow")
    button(page, "Write anew").click()
    expect(where(page)).to_have_text("1 of 4")
    button(page, "Pause").click()
    page.wait_for_timeout(2500)
    expect(where(page)).to_have_text("1 of 4")
    page.get_by_role("combobox", name="Speed").select_option("fast")
    button(page, "Play").click()
    expect(where(page)).to_have_text("4 of 4")
    button(page, "Play").click()  # once more, nothing computed anew
    expect(where(page)).to_have_text("0 of 4")
    expect(where(page)).to_have_text("4 of 4")


def test_without_an_answer_the_page_says_so_and_tries_again(page):
    mount(page, diffuse(["a", "b", "c", "d"]))
    page.evaluate("window.silent = true")
    button(page, "Start again").click()
    button(page, "Next").click()
    expect(page.get_by_text("The model is on its way")).to_be_visible()
    expect(page.get_by_text("Python does not answer")).to_be_visible()
    expect(page.get_by_text("The model is on its way")).to_be_hidden()
    button(page, "Next").click()
    expect(where(page)).to_have_text("0 of 4")
    page.evaluate("window.silent = false")
    page.wait_for_timeout(3100)  # it asks again where an answer is overdue
    button(page, "Next").click()
    expect(where(page)).to_have_text("3 of 4")  # it was asked three times
    expect(page.get_by_text("The model is on its way")).to_be_hidden()
