"""English words that people use of an answer: patterns over lower case without apostrophes, near either end of a text.

They err on the side of silence: a list as wide as "not" or "error" finds twice as many and is wrong in most. Another
language is another file like this; a model needs none.
"""


def _any(*patterns: str) -> str:
    return "|".join(patterns)


IT = (
    r"(?:that|this|it|your? (?:\w+ )?\w+|"
    r"the (?:\w+ )?(?:answer|code|reply|draft|text|result|output|function|summary|query|note))"
)
ADVERB = r"(?:just|still|all|totally|completely|entirely|simply|also|plain|clearly|obviously|so|very|partly|again)"
WRONG = r"(?:wrong|incorrect|broken|inaccurate|useless|outdated|nonsense|unusable)"
DOES_NOT = r"(?:(?:doe|di|do|wo|ca|would)(?:s|d|es)?nt|(?:does|did|do|can|will|would) ?not)"

# They blame the answer, whatever was asked.
BLAME = _any(
    rf"^\W*{WRONG}\b|^\W*not (?:quite|really|right|correct|exactly|what|true|like|with|the)\b",
    rf"\b(?:thats|its|{IT} (?:is|was|are|looks?|seems?))(?: {ADVERB})? {WRONG}\b",
    rf"\b(?:{IT} (?:isnt|wasnt|(?:is|was) (?:\w+ )?not)|thats not|its not|this is not)(?: \w+)? "
    r"(?:right|correct|true|working|helpful|what|it|how|enough|accurate|usable|good|complete)\b",
    rf"\b(?:{IT}|which|still) (?:\w+ )?{DOES_NOT} (?:\w+ )?"
    r"(?:work|run|compile|help|answer|make sense|pass|match|include|mention|contain|return|do|give|handle)\b",
    rf"\b(?:{IT}|which|\d) {DOES_NOT} (?:\w+ )?(?:take|identify|consider|count|fix|change|work)\b",
    rf"^\W*(?:it )?{DOES_NOT} work|\bnot working\b|\b(?:code|answer|solution) is incorrect\b",
    r"\byou(?:ve| have)? (?:\w+ )?(?:forgot|missed|ignored|misunderstood|misread|invented|omitted|left out|mixed up)\b",
    r"\byou(?:ve| have)? (?:made (?:an? (?:mistake|error)|(?:that|this|it) up)|got (?:it|that|this|the \w+) wrong)\b",
    r"\byou (?:didnt|did not|dont|do not|havent) (?:\w+ )?"
    r"(?:use|follow|answer|include|mention|read|understand|do|give|add|return)\b",
    r"\byour? (?:\w+ )?(?:code|answer|function|solution|version|output|reply|draft) .{0,40}"
    r"\b(?:wrong|incorrect|fails?|errors?|breaks?|broken|missing)\b|\bnot what i (?:want|ask|mean|need|said)",
    r"^\W*(?:errors?|traceback)\b.{0,40}[:(]|\bwhy (?:do|am) i get(?:ting)? \b.{0,20}\berror",
    r"^\W*(?:please )?fix (?:it|this|that|the \w+)\b|\bmakes? no sense\b|\bhallucinat|\byou made up\b",
    r"\bstill (?:didnt|did not|doesnt|does not|wrong|incorrect|broken|not|the same|an? error|has|have|"
    r"fails?|failing|getting|get|gives?|giving|keeps?|evaluates?|returns?)\b",
    r"\b(?:i already|as i) (?:said|told|asked|explained)\b",
    r"\bi (?:never|didnt|did not) (?:say|said|ask|asked|mention|mentioned|want)\b|\bfalse with your code\b",
    rf"\b(?:{IT} is|its|thats|way|much) (?:\w+ )?"
    r"too (?:long|short|formal|informal|vague|wordy|generic|complicated)\b",
)
# Blame, unless the answer asked something: then it may be the reply.
NO = r"^\W*(?:no|nope|nah)\b"
POLITE = r"^\W*(?:no\W+(?:problem|worries|need|thanks?|thats (?:all|ok|okay|alright|fine|it))|not a problem)\b"

# They may be the matter itself, so they count only where the request before did not have them.
TROUBLE = _any(
    rf"\b(?:thats|its|{IT} (?:is|has|gives|gave|returns?|uses?)) (?:the|a) (?:wrong|incorrect)\b",
    r"^\W*exception\b|\b\w*(?:error|exception): |\bassertionerror\b|\btraceback \(most",
    r"\b(?:im|i|it|this|and|but) (?:\w+ )?(?:gets?|got|getting|gives?|gave|giving|throws?|threw|raises?|returns?) "
    r"(?:me |back )?(?:(?:an?|the|this|same) )*(?:\w+ )?(?:errors?|exception|wrong)",
    r"\bfail(?:s|ed|ing)?\b|\bincorrect(?:ly)?\b|\binvalid\b|\bis not (?:defined|achieved)\b",
    r"\b(?:there|that|this|it)(?:s| is| are| must be)(?: some| an?)? (?:mistake|error)s?\b",
    r"\b(?:error|problem|issue|wrong) (?:is )?(?:with|in|here)\b|\b(?:doesnt|didnt|isnt|not) (?:work|correct|right)\b",
)
MATTER = r"\b(?:wrong|incorrect|broken|errors?|exceptions?|fail(?:s|ed|ing)?|mistakes?|invalid)\b"

# Beside blame: they say what should be.
FIX = _any(
    r"\b(?:should|must|needs? to|has to|ought to|was supposed to)(?: \w+)? (?:be|have|say|return|read|give|become|"
    r"start|end|go|use|include|mention|evaluate|print|output|turn|look|come|get|keep)\b",
    r"\binstead\b|\brather than\b|\bexpected\b|\bactually\b|\bin fact\b|\bnot \w+(?: \w+){0,3},? but\b|, not \w+",
    r"\bi (?:(?:dont|do not|didnt|did not) )?(?:meant|asked for|wanted|want|need|needed|was asking)\b",
    r"\b(?:correct|right|real|actual) (?:\w+ )?is\b",
    r"\b(?:it|that|this|name|number|date|he|she|order)(?:s| is| was) [^.,]{1,40}, ?not\b",
    r"\bthere (?:is|are) (?:no|also)\b|\bwithout\b|\btake (?:it|that|this) out\b|\bsay so\b",
    r"\b(?:change|replace|rename|remove|delete|drop|leave out|add|include|mention|make (?:it|this|that)|rewrite|"
    r"shorten|use|put|write|keep|cut|take out) \w+",
)
# They say by themselves what the answer should be, unless it asked.
WISH = _any(
    r"\bi (?:meant|asked for|said)\b|^\W*instead\b|^\W*use .{1,60} instead\b|\bbut i (?:want|expect)",
    r"\b(?:it|that|this|answer|name|number|date|code|function|output|result|you) (?:should|must)(?: not| also)? \w+",
    r"\) should \w+|\bgives? .{1,40} instead of\b|\bi(?:m| am) not allowed\b",
    r"^\W*(?:please )?(?:dont|do not|never) \w+|^\W*(?:but )?you (?:need|have) to\b",
    r"^\W*(?:please )?(?:modify|change|edit|adjust|rewrite|redo|revise|correct|shorten) "
    r"(?:it|this|that|above|the|your)\b",
    r"^\W*(?:please )?(?:make|keep) (?:it|this|that|the (?:answer|text|reply|code|draft))\b",
    r"\b(?:write|do) (?:it|this|that) again\b|\b(?:take|leave|put) (?:it|that|this|them) (?:out|in|back)\b",
    r"^\W*(?:but )?i (?:dont|do not) want\b",
)
REWORDS = _any(
    r"^\W*(?:wait,? |no,? |sorry,? |ok,? )*(?:what )?i mean(?:t)?\b",
    r"\bin other words\b|\blet me (?:rephrase|put it)\b",
)
THANKS = _any(
    r"^\W*(?:(?:ok(?:ay)?|yes|ah|oh|and|wow|many|very|so|no problem|no worries)\b\W*)*"
    r"(?:thanks?\b|thx|cheers|perfect|great|awesome|excellent|wonderful|brilliant|lovely|nice|cool|"
    r"good (?:job|work|answer|one)|well done|works\b|"
    r"(?:thats?|its?|this)(?: is)? (?:works?|worked|helps?|helped|perfect|great|exactly|right|correct))",
    r"\bthank you\b|\bthanks a lot\b",
)
ASKED = r"\?\s*$|^\W*(?:what|why|how|where|when|which|who|can|could|would|is|are|do|does|did|should|will|was)\b"
CLARIFY = (
    r"\b(?:what (?:do|did) you mean|you mean|explain|clarify|elaborate|meaning of|stand for|are you sure|"
    r"what does (?:it|this|that|the)|why (?:do|did|does|is|are|was) (?:you|it|this|that|we|the)|"
    r"how (?:does|did) (?:it|this|that|you)|where did you|what (?:is|are) the \w+ (?:in|of) (?:your|this|that))\b"
)
# What a program printed is matter: nobody says with it what should be.
OUTPUT = r"(?s)(?:traceback|\b\w*(?:error|exception)s?:).*"
