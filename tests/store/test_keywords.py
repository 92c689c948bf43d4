from __future__ import annotations

import unicodedata

import pytest

from ravl.data import QA, Example
from ravl.memory import Memory
from ravl.store.keywords import segment, words_of
from ravl.store.sqlite.bm25 import match_expression


@pytest.fixture
def words(empty: Memory) -> Memory:
    empty.add(
        [
            Example("n1", texts=("Two dogs are running on the beach",)),
            Example("n2", texts=("一只黑色的狗在海滩上奔跑", "a black dog")),
            Example("n3", texts=("黒い猫",), label="Katze"),
            Example("n4", texts=("x",), tags=("café",), columns={"brand": "Acme 3000"}),
            Example("n5", texts=("y",), qa=(QA("What is on the desk?", ("stapler",)),)),
            Example("blue_shirt/17.jpg", texts=("z",)),
        ]
    )
    return empty


@pytest.fixture
def scripts(empty: Memory) -> Memory:
    empty.add(
        [
            Example("thai a", texts=("หมากำลังวิ่งบนชายหาด",)),
            Example("thai b", texts=("แมวนอนบนโซฟา",)),
            Example("lao", texts=("ໝາແລ່ນຢູ່ຫາດຊາຍ",)),
            Example("khmer", texts=("ឆ្កែរត់លើឆ្នេរ",)),
            Example("burmese", texts=("ခွေးသည်ကမ်းခြေတွင်ပြေးနေသည်",)),
            Example("hindi", texts=("समुद्र तट पर दौड़ता हुआ कुत्ता",)),
            Example("hindi b", texts=("सोफे पर बिल्ली",)),
            Example("arabic", texts=("كَلْبٌ يَجْرِي",)),
            Example("wide", texts=("ＡＢＣ１２３ and ｶﾀｶﾅ",)),
            Example("greek", texts=("ΣΚΎΛΟΣ",)),
            Example("korean", texts=(unicodedata.normalize("NFD", "빨간 셔츠"),)),
        ]
    )
    return empty


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("วิ่ง", "thai a"),
        ("หมา", "thai a"),
        ("โซฟา", "thai b"),
        ("แมว", "thai b"),
        ("ຫາດ", "lao"),
        ("ឆ្នេរ", "khmer"),
        ("ပြေး", "burmese"),
        ("कुत्ता", "hindi"),
        ("बिल्ली", "hindi b"),
        ("كلب", "arabic"),
        ("abc123", "wide"),
        ("カタカナ", "wide"),
        ("σκύλος", "greek"),
        ("셔츠", "korean"),
        (unicodedata.normalize("NFD", "셔츠"), "korean"),
    ],
)
def test_finds_words_of_every_script(scripts, query, first):
    assert found(scripts, query, k=1) == [first]


def test_a_vowel_sign_alone_is_no_word(scripts):
    assert words_of("ा ้ \ufe0f") == []
    assert "hindi" not in found(scripts, "हाथी")  # an elephant shares letters, and no word


def test_the_index_of_an_older_memory_is_made_anew(scripts):
    connection = scripts.store.database.connection
    connection.execute("DROP TABLE keywords")
    connection.execute(
        "CREATE VIRTUAL TABLE keywords USING fts5 (texts, label, tags, qa, columns, name, "
        'tokenize = "porter unicode61 remove_diacritics 2")'
    )
    assert found(scripts, "วิ่ง") == []
    scripts.add([Example("new", texts=("x",))])
    assert found(scripts, "วิ่ง", k=1) == ["thai a"]
    assert found(scripts, "abc123") == ["wide"]
    changes = connection.total_changes
    scripts.store.words.renew()
    assert connection.total_changes == changes


def found(memory: Memory, query: str, **options) -> list[str]:
    return [hit.id for hit in memory.search(query, mode="keyword", **options)]


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("dog", "n1"),
        ("running", "n1"),
        ("run dogs", "n1"),
        ("海滩", "n2"),
        ("黑狗", None),  # not beside each other in that text
        ("狗", "n2"),
        ("猫", "n3"),
        ("katze", "n3"),
        ("cafe", "n4"),
        ("acme", "n4"),
        ("stapler", "n5"),
        ("blue shirt", "blue_shirt/17.jpg"),
        ("nothing like this", None),
        ("!!! ...", None),
        ('"unbalanced AND (', None),
        ("NEAR(dog) OR *", "n1"),
        ("texts:dog", "n1"),
    ],
)
def test_finds_words(words, query, first):
    hits = found(words, query)
    assert (hits[0] if hits else None) == first


def test_follows_updates_and_deletions(words):
    words.update("n1", texts=["an empty street"])
    assert "n1" not in found(words, "dogs")
    assert found(words, "street") == ["n1"]
    words.delete(["n1"])
    assert found(words, "street") == []


def test_respects_filters(words):
    assert found(words, "dog", where='id != "n2"') == ["n1"]


def test_pairs_of_chinese_characters():
    assert segment("黑色的狗 dog").split() == [
        "黑色",
        "色的",
        "的狗",
        "黑",
        "色",
        "的",
        "狗",
        "dog",
    ]
    assert match_expression(words_of("黑色狗")) == '"黑色" OR "色狗"'
    assert match_expression(words_of("狗")) == '"狗"'


def test_a_pasted_page_costs_no_more_than_a_sentence():
    expression = match_expression(words_of(" ".join(f"word{i}" for i in range(100_000))))
    assert expression is not None
    assert expression.count(" OR ") == 63
