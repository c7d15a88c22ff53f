"""Sentences the simulator speaks in. `{topic}` and `{other}` are words taken from the question."""

REASONING_OPENINGS = (
    "The user asks: “{question}”. Let me work out what is really wanted.",
    "Okay, the question is “{question}”. I should find the main point first.",
    "Let me read this again: “{question}”. It is about {topic}.",
)
REASONING_STEPS = (
    " First, what is meant by {topic} here?",
    " It probably helps to separate {topic} from {other}.",
    " There may be an exception, so I should not promise too much about {topic}.",
    " Hmm, a small example would make {topic} clearer.",
    " One way to check this is to look at {other} from the other side.",
    " A change to {topic} is a change to {other} as well.",
    " That is a fair reading, but is it the only one?",
    " Wait, the order matters: first {topic}, then {other}.",
    " In French one would speak of a “résumé”, in Chinese of 摘要; the idea is the same.",
    " I could list three points, and keep each of them short.",
    " The numbers are small, so a rough estimate is good enough.",
    " So far nothing contradicts the first idea.",
)
REASONING_ENDINGS = (
    " Good. I have enough to answer now.",
    " That settles it; I will write a short, clear answer.",
    " Alright, let me put this into plain words.",
)
CONTENT_OPENINGS = (
    "Here is a short answer about {topic}.",
    "In short: whoever asks about {topic} should look at {other} first.",
    "Good question. The key to {topic} is to start small.",
)
CONTENT_MULTIBYTE = (
    " Think of a café: the menu stays the same, even when the naïve guest reads it twice ☕.",
    " The Chinese word for characters is 漢字, and each of them is more than one byte long.",
    " That is the whole déjà vu of it 🙂.",
    " As they say in Kraków, “powoli, ale dokładnie”: slowly, but exactly 🐢.",
)
CONTENT_STEPS = (
    " First, write down what you know about {topic}.",
    " Then compare it with {other}, because the two are easily confused.",
    " A common mistake is to forget that {topic} can change.",
    " For most cases the simple way is also the right one.",
    " If you have to choose, prefer what you can measure.",
    "\n\nThere are two things to remember about {topic}:\n\n1. Keep it small.\n2. Check it twice.\n\n",
    " With a lot of {other}, look at the slowest part first.",
    " This holds in 9 cases out of 10.",
    " You can see the effect of {topic} after a few days.",
    " An example: take {other}, change one thing, and look at what happens.",
    " None of this needs special tools.",
    " Still, it is worth asking someone who has worked with {topic} before.",
    " The cost is low, and the result is easy to undo.",
)
CONTENT_ENDINGS = (
    " If you tell me more about {other}, I can be more exact.",
    " That should be enough to begin with {topic}.",
    " In the end, working with {topic} is simpler than it looks.",
)
CODE_LINES = (
    "    total = 0\n",
    "    for item in items:\n",
    "        total += item\n",
    "    if not items:\n",
    "        return None\n",
    '    name = "café 漢字 🙂"\n',
    "    result = sorted(items)\n",
    "    # keep the first one\n",
)
COMMON_WORDS = frozenset(
    (
        *("about", "after", "again", "also", "another", "answer", "because", "before", "between"),
        *("could", "does", "each", "every", "explain", "from", "give", "have", "help", "into"),
        *("just", "know", "like", "make", "many", "more", "most", "much", "need", "other", "over"),
        *("please", "should", "show", "some", "such", "take", "tell", "than", "that", "their"),
        *("them", "then", "there", "these", "they", "thing", "this", "those", "time", "using"),
        *("very", "want", "what", "when", "where", "which", "while", "will", "with", "word"),
        *("words", "would", "write", "your"),
    )
)
