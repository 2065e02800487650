"""Near-duplicates: the grams they are told by, and that clusters are a function of the set of texts."""

import random
import re
from itertools import combinations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flywheel.datasets import near
from flywheel.datasets.grams import CHUNK, chunks, grams, normalised, wholes
from flywheel.datasets.near import clusters
from tests.flywheel.datasets.rows import WORDS, words

TEXTS = st.lists(st.text(alphabet="abAB é,.!?\n東日0 ", max_size=40), max_size=30)


def by_hand(text: str, n: int) -> list[str]:
    said = text.split()
    return [" ".join(said[place : place + n]) for place in range(max(1, len(said) - n + 1))] if said else []


@settings(deadline=None)
@given(texts=TEXTS, n=st.integers(1, 6))
def test_equal_grams_have_equal_hashes_and_no_others_do(texts: list[str], n: int) -> None:
    plain = normalised(pl.Series(texts, dtype=pl.String))
    expected = [by_hand(text, n) for text in plain]
    found = grams(plain, n)
    assert found.sizes.tolist() == [len(each) for each in expected]
    spelled = [gram for each in expected for gram in each]
    assert len(set(zip(found.hashes.tolist(), spelled, strict=True))) == len(set(spelled))
    assert len(set(found.hashes.tolist())) == len(set(spelled))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Where is MY order?", "  where is my\norder"),
        ("ﬁle №5", "file no5"),
        ("日本の天気", "日 本 の 天 気"),
        ("1,000 €!", "1 000"),
    ],
)
def test_texts_that_differ_in_case_spaces_and_signs_are_one(one: str, other: str) -> None:
    plain = normalised(pl.Series([one, other]))
    assert plain[0] == plain[1] != ""


@settings(deadline=None)
@given(
    texts=st.lists(st.text(alphabet=st.characters(max_codepoint=127), max_size=20), max_size=6), foreign=st.booleans()
)
def test_ascii_is_made_plain_as_its_rule_says_whatever_stands_beside_it(texts: list[str], foreign: bool) -> None:
    spaces = "[ \t\n\v\f\r]+"
    said = [" ".join(re.findall("[a-z0-9]+", text.lower())) for text in texts]
    expected = [one or re.sub(spaces, " ", text.lower()).strip(" ") for one, text in zip(said, texts, strict=True)]
    beside = ["Élan"] * foreign
    assert normalised(pl.Series([*texts, *beside], dtype=pl.String)).to_list() == expected + ["élan"] * foreign


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a" * 8 + "b" * 8 + "c" * 8, "a" * 8 + "c" * 8 + "b" * 8),
        ("a" * 8 + "b" * 8, "b" * 8 + "a" * 8),
        ("a" * 24, "a" * 25),
        ("a" * 20 + "b", "a" * 20 + "c"),
        ("one two", "two one"),
        ("one two three four five", "one two three five four"),
        ("onetwo", "one two"),
        ("\0", "\0\0"),
    ],
)
def test_long_words_and_the_order_of_words_are_told_apart(one: str, other: str) -> None:
    plain = pl.Series([one, other, f"again {one}", one])
    assert len(set(wholes(plain).tolist())) == 3
    assert wholes(plain)[0] == wholes(plain)[3]
    assert len(set(grams(plain.head(2), 5).hashes.tolist())) == 2


def test_a_text_of_signs_alone_keeps_them() -> None:
    assert normalised(pl.Series(["?!", " ? !", None])).to_list() == ["?!", "? !", ""]


def test_chunks_hold_every_text_once_and_a_long_one_stands_alone() -> None:
    texts = pl.Series(["a", "b" * (CHUNK + 1), "", "c" * CHUNK, "d"])
    assert pl.concat([chunk for _, chunk in chunks(texts)]).equals(texts)
    assert [(start, len(chunk)) for start, chunk in chunks(texts)] == [(0, 1), (1, 1), (2, 2), (4, 1)]
    assert len(set(wholes(texts).tolist())) == len(texts)


def jaccard(one: str, other: str) -> float:
    left, right = set(by_hand(one, near.WORDS)), set(by_hand(other, near.WORDS))
    return len(left & right) / len(left | right)


def some_texts(seed: int, count: int) -> list[str]:
    """Texts, and changed copies of some of them."""
    chance = random.Random(seed)
    made = [words(chance, 20, 60) for _ in range(count)]
    for text in chance.sample(made, count // 3):
        copy = list(text)
        for _ in range(chance.randint(0, 2)):
            copy[chance.randrange(len(copy))] = chance.choice(WORDS)
        made.append(copy)
    return [" ".join(text) for text in made]


def partition(texts: list[str]) -> set[frozenset[str]]:
    found = pl.DataFrame({"text": texts, "cluster": clusters(pl.Series(texts))})
    return {frozenset(each["text"]) for each in found.partition_by("cluster")}


def test_clusters_are_what_chains_of_all_close_pairs_join() -> None:
    texts = some_texts(1, 200)
    expected = {text: {text} for text in texts}
    for one, other in combinations(set(texts), 2):
        if jaccard(one, other) >= near.JACCARD and expected[one] is not expected[other]:
            expected[one] |= expected[other]
            for text in expected[other]:
                expected[text] = expected[one]
    assert partition(texts) == {frozenset(each) for each in expected.values()}
    assert len(partition(texts)) < len(set(texts))


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 50), order=st.randoms(use_true_random=False))
def test_order_and_repetition_change_no_cluster(seed: int, order: random.Random) -> None:
    texts = some_texts(seed, 30)
    other = texts + order.choices(texts, k=10)
    order.shuffle(other)
    names = dict(zip(texts, clusters(pl.Series(texts)), strict=True))
    assert dict(zip(other, clusters(pl.Series(other)), strict=True)) == names


def test_a_large_bucket_of_the_same_text_with_small_changes_is_one_cluster() -> None:
    chance = random.Random(3)
    common = [chance.choice(WORDS) for _ in range(60)]
    texts = [" ".join([*common[:-1], f"end{number}"]) for number in range(near.FEW - 1)]
    assert clusters(pl.Series(texts)).n_unique() == 1


def test_what_a_product_fills_into_a_form_is_no_near_duplicate() -> None:
    chance = random.Random(4)
    form = " ".join(WORDS[:80])
    texts = [f"{form} {' '.join(chance.sample(WORDS, 6))}" for _ in range(2 * near.FEW)]
    assert jaccard(texts[0], texts[1]) > near.JACCARD
    assert clusters(pl.Series(texts)).n_unique() == len(texts)
    again = [text + " please" for text in texts[:10]]
    assert clusters(pl.Series(texts + again)).n_unique() == len(texts)


@pytest.mark.parametrize("texts", [[], [""], [None], ["?"], ["", "a", "?"]])
def test_texts_with_nothing_in_them_are_clusters_of_their_own(texts: list[str | None]) -> None:
    found = clusters(pl.Series(texts, dtype=pl.String))
    assert len(found) == len(texts)
    assert found.null_count() == 0
    assert found.n_unique() == len(texts)


@settings(max_examples=40, deadline=None)
@given(
    texts=st.lists(st.lists(st.sampled_from("abcd"), max_size=14), max_size=8),
    known=st.lists(st.lists(st.sampled_from("abcd"), max_size=14), max_size=8),
)
def test_repeats_are_those_of_the_plain_way(texts: list[list[str]], known: list[list[str]]) -> None:
    said, before = [" ".join(words) for words in texts], [" ".join(words) for words in known]
    expected = [any(one == other or (one and jaccard(one, other) >= near.JACCARD) for other in before) for one in said]
    found = near.repeats(pl.Series(said, dtype=pl.String), pl.Series(before, dtype=pl.String))
    assert found.to_list() == expected


@settings(deadline=None, max_examples=25)
@given(st.lists(st.lists(st.sampled_from("abcd"), min_size=1, max_size=12), max_size=8))
def test_what_is_in_a_cluster_with_others_repeats_another(words: list[list[str]]) -> None:
    texts = pl.Series([" ".join(each) for each in words], dtype=pl.String)
    rests = [pl.Series(texts.to_list()[:place] + texts.to_list()[place + 1 :]) for place in range(len(texts))]
    expected = [near.repeats(texts[[place]], rest.cast(pl.String))[0] for place, rest in enumerate(rests)]
    assert clusters(texts).is_duplicated().to_list() == expected


@pytest.mark.parametrize("swapped", [False, True])
def test_repeats_are_found_whichever_side_is_the_greater(swapped: bool) -> None:
    texts = some_texts(5, 120)
    one, other = (texts[:30], texts[30:]) if swapped else (texts[30:], texts[:30])
    expected = [any(jaccard(text, known) >= near.JACCARD for known in other) for text in one]
    assert near.repeats(pl.Series(one), pl.Series(other)).to_list() == expected
    assert any(expected)
    assert not all(expected)
