"""Which language a text is in, as far as its script and its commonest words tell; enough to see a model leave it.

A small rule of our own: a script where it decides, and for the Latin one the words that a sentence can hardly do
without. A short text, a list of names or code is in no language that this can tell, and no fault follows from that.
"""

import re
from typing import NamedTuple

LETTERS = 8
"""With fewer letters of the commonest script nothing is told; one sign of Han or Hangul is worth several."""
MAIN = 0.6
"""Share of the letters that the script of a text has at least; names and quotes of another one are normal."""
HITS = 2
"""Common words, of two letters at least, that must be there, and more of one language than of any other."""

SCRIPTS = {
    "Latin": "A-Za-zÀ-ɏ",
    "Cyrillic": "Ѐ-ӿ",
    "Greek": "Ͱ-Ͽ",
    "Arabic": "؀-ۿ",
    "Hebrew": "֐-׿",
    "Devanagari": "ऀ-ॿ",
    "Thai": "฀-๿",
    "Hangul": "가-힯",
    "Han": "぀-ヿ一-鿿",
}
DENSE = {"Hangul": 3, "Han": 3}
KANA = re.compile("[぀-ヿ]")
JAPANESE = 0.1
"""Share of Kana among the signs of a Japanese text at least; a Chinese one may quote a word."""
COMMON = {
    "English": "the and is are was to of in that it you your for with this have not be we will on as at or if do no",
    "German": "der die das und ist sind nicht ein eine zu mit von den für auf wir sie ich es im dem bitte wird haben",
    "French": "la le les et est des une un pas pour que vous nous dans sur avec ce je il du au votre sont être",
    "Spanish": "el la los las es de una un no para que por con su en se lo más como usted del al está",
    "Italian": "il la le di un una non per che con del si lo gli in sono della al più ci questo alla nel",
    "Portuguese": "os as de um uma não para que com do da em se por você mais no na seu são ao dos",
    "Dutch": "de het een en is niet van voor met wij dat op te zijn ik we in aan uw naar er bij",
}
_SCRIPTS = {name: re.compile(f"[{signs}]") for name, signs in SCRIPTS.items()}
_COMMON = {name: frozenset(common.split()) for name, common in COMMON.items()}
_WORD = re.compile(f"[{SCRIPTS['Latin']}]+")


class Language(NamedTuple):
    """The script, and the language where its commonest words tell it."""

    script: str
    name: str = ""

    def other_than(self, wanted: "Language") -> bool:
        """Surely another language, as far as both are known."""
        if not self.script or not wanted.script:
            return False
        return self.script != wanted.script or bool(self.name and wanted.name and self.name != wanted.name)

    def __str__(self) -> str:
        return self.name or self.script


UNKNOWN = Language("")


def language(text: str) -> Language:
    script = _script(text)
    if script == "Latin":
        return Language(script, _spoken(text))
    if script == "Han":
        japanese = len(KANA.findall(text)) >= JAPANESE * len(_SCRIPTS["Han"].findall(text))
        return Language(script, "Japanese" if japanese else "Chinese")
    return Language(script)


def _script(text: str) -> str:
    scripts = ("Latin",) if text.isascii() else SCRIPTS
    found = {name: DENSE.get(name, 1) * len(_SCRIPTS[name].findall(text)) for name in scripts}
    most = max(found, key=lambda name: found[name])
    return most if found[most] >= LETTERS and found[most] >= MAIN * sum(found.values()) else ""


def _spoken(text: str) -> str:
    said = set(_WORD.findall(text.casefold()))
    hits = sorted(((len(said & common), name) for name, common in _COMMON.items()), reverse=True)
    return hits[0][1] if hits[0][0] >= HITS and hits[0][0] > hits[1][0] else ""
